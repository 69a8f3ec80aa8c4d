"""Judgements that ask an engine in steps: many of them in one call, and each with the answers to its own questions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adjudge import Completion, ConfigError
from adjudge_judges import Asking, asked_together


class Engine:
    """Tells each row its own number, prompts in any order; keeps how many prompts each call had."""

    def __init__(self) -> None:
        self.calls: list[int] = []

    def logprobs_each(self, prompts: Any) -> Iterator[tuple[int, list[list[float]]]]:
        self.calls.append(len(prompts))
        for place in sorted(range(len(prompts)), key=lambda place: hash((place, 7))):
            yield place, [[-float(number) for number in row] for row in prompts[place][1]]


def steps(index: int, count: int, made: Completion) -> Asking[Completion]:
    """A judgement that asks so many times, about a row of its own each time, and writes down what it was told."""
    for step in range(count):
        [[told]] = yield [{"role": "user", "content": str(index)}], [[100 * index + step]]
        made = replace(made, text=f"{made.text} {told:.0f}")
    return made


def run(counts: list[int], engine: Engine) -> Iterator[tuple[int, Completion]]:
    sampled = ((index, Completion(f"{index}:")) for index in range(len(counts)))
    return asked_together(engine, sampled, lambda index, made: steps(index, counts[index], made))


@given(st.lists(st.integers(0, 4), max_size=40))
def test_every_judgement_is_told_what_it_asked_for(counts: list[int]) -> None:
    engine = Engine()
    found = dict(run(counts, engine))
    assert found == {
        index: Completion(" ".join([f"{index}:", *(f"-{100 * index + step}" for step in range(count))]))
        for index, count in enumerate(counts)
    }
    assert sum(engine.calls) == sum(counts)
    assert max(engine.calls, default=0) <= 8


def test_those_that_ask_share_calls_and_those_that_do_not_wait_for_none() -> None:
    engine = Engine()
    found = run([3, 0, 1, 2, 0], engine)
    assert next(found)[0] == 1
    assert next(found)[0] == 4
    assert engine.calls == []
    assert [index for index, _ in found] == [2, 3, 0]
    assert engine.calls == [3, 2, 1]


def test_what_was_sampled_before_an_error_is_handed_on() -> None:
    def sampled() -> Iterator[tuple[int, Completion]]:
        yield from ((index, Completion(f"{index}:")) for index in range(10))
        raise OSError("the engine is gone")

    found = asked_together(Engine(), sampled(), lambda index, made: steps(index, 2, made))
    assert {next(found)[0] for _ in range(10)} == set(range(10))
    with pytest.raises(OSError, match="the engine is gone"):
        next(found)


def test_an_error_of_one_call_is_told_once() -> None:
    class Refuses(Engine):
        def logprobs_each(self, prompts: Any) -> Iterator[tuple[int, list[list[float]]]]:
            yield from list(super().logprobs_each(prompts))[:2]
            raise ConfigError("no")

    engine = Refuses()
    with pytest.raises(ConfigError, match="no"):
        list(run([1] * 12, engine))
    assert engine.calls == [8], "what was asked for is not asked for again"


def test_what_a_session_leaves_out_is_asked_for_by_itself() -> None:
    class Lazy(Engine):
        def logprobs_each(self, prompts: Any) -> Iterator[tuple[int, list[list[float]]]]:
            yield from list(super().logprobs_each(prompts))[:1]

        def logprobs(self, prompt: Any, rows: Any) -> list[list[float]]:
            return [[-float(number) for number in row] for row in rows]

    assert dict(run([2, 1, 3], Lazy())) == dict(run([2, 1, 3], Engine()))
