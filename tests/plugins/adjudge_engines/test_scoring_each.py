"""Scoring the paths of many prompts in one call: the numbers of one prompt after the other, in fewer passes, whatever the model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path as FilePath
from typing import Any

import pytest
import torch

from adjudge import ConfigError
from adjudge_arithmetic import ArithmeticDataset
from adjudge_engines import HfEngine
from adjudge_engines.packing import first_fit
from adjudge_engines.scoring import PathLogprobs
from adjudge_engines.side_by_side import fitting
from adjudge_judges import ArithmeticJudge

from .test_scoring import NOT_SHARING, SHARING, SIZES, made, tokens

NAMES = ("entropy", "rank")


GROUPS = [
    (tokens(prompt, 100 + place), [tokens(count, 10 * place + index) for index, count in enumerate(counts)])
    for place, (prompt, counts) in enumerate(
        [(9, (6, 5)), (11, (7,)), (10, (1, 1)), (8, ()), (12, (0, 6)), (9, (7, 3, 2, 6)), (40, (30, 60)), (10, (5,)), (1, (6,))]
    )
]


class Passes:
    """How often a model's decoder is called."""

    def __init__(self, model: Any) -> None:
        self.count = 0
        model.get_decoder().register_forward_pre_hook(self._add)

    def _add(self, *_: Any) -> None:
        self.count += 1


def assert_same(found: Sequence[Any], expected: Sequence[Any], error: float) -> None:
    for one, other in zip(found, expected, strict=True):
        assert len(one) == len(other)
        for rows, others in zip(one, other, strict=True):
            for values, same in zip(rows, others, strict=True):
                assert values == pytest.approx(same, abs=error)


@pytest.mark.parametrize(
    ("family", "options", "budget"), [*((*one, 256) for one in (*SHARING, *NOT_SHARING)), ("Llama", SIZES, 1), ("Llama", SIZES, 4096)]
)
def test_the_numbers_are_those_of_one_prompt_after_the_other(family: str, options: dict[str, Any], budget: int) -> None:
    model = made(family, options)
    expected = [PathLogprobs(model, pad=0, budget=64).numbers(*group, NAMES) for group in GROUPS]
    found = dict(PathLogprobs(model, pad=0, budget=budget).each(GROUPS, NAMES))
    assert_same([found[place] for place in range(len(GROUPS))], expected, 2e-4)


@pytest.mark.parametrize(("family", "options"), SHARING)
def test_small_groups_take_fewer_passes(family: str, options: dict[str, Any]) -> None:
    model, small = made(family, options), [(tokens(10, place), [tokens(6, 50 + place)]) for place in range(20)]
    score, passes = PathLogprobs(model, pad=0, budget=512), Passes(model)
    list(score.each(small))  # the trials are over after it
    before = passes.count
    expected = [score.numbers(*group, ()) for group in small]
    alone, before = passes.count - before, passes.count
    found = dict(score.each(small))
    assert passes.count - before == 2, "the prompts, and then the paths"
    assert alone >= 20
    assert_same([found[place] for place in range(20)], expected, 1e-4)


def test_a_batch_that_does_not_fit_is_made_smaller_and_nothing_is_lost() -> None:
    model, small = made("Llama", SIZES), [(tokens(10, place), [tokens(6, 50 + place)]) for place in range(20)]
    expected = [PathLogprobs(model, pad=0, budget=64).numbers(*group, ()) for group in small]
    score, room, failures = PathLogprobs(model, pad=0, budget=4096), 10**9, list[int]()

    def crowded(module: Any, arguments: Any, named: dict[str, Any]) -> None:
        if named["input_ids"].numel() > room:
            failures.append(named["input_ids"].numel())
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    model.get_decoder().register_forward_pre_hook(crowded, with_kwargs=True)
    list(score.each(small))  # the trials are over after it
    score(*small[0])
    room = 60
    for times in (6, 0):
        failures.clear()
        found = dict(score.each(small))
        assert len(failures) == times, "the session remembers what fits"
        assert_same([found[place] for place in range(20)], expected, 1e-4)


def test_nothing_is_read_before_all_of_it_can_be() -> None:
    model = made("Llama", SIZES)
    passes = Passes(model)
    with pytest.raises(ConfigError, match="the token 97, and the model knows those below 97"):
        next(PathLogprobs(model, pad=0, budget=64).each([*GROUPS, ([5], [[97]])]))
    assert passes.count == 0


def test_the_engine_tells_many_prompts_by_their_places(embedded: FilePath) -> None:
    judge = ArithmeticJudge()
    prompts = [judge.prompt(problem, "given") for problem in ArithmeticDataset(size=6, part="test").load()]
    with HfEngine(dtype="float32").open(embedded) as session:
        ids = session.tokenize("7+8=15 \\boxed{Assistant 1}").token_ids
        asked = [(prompt, [ids[: 5 + place], ids]) for place, prompt in enumerate(prompts)]
        found = dict(session.logprobs_each(asked))  # type: ignore[attr-defined]
        told = dict(session.logprobs_each(asked, statistics=["rank"]))  # type: ignore[attr-defined]
        for place, (prompt, paths) in enumerate(asked):
            expected = session.logprobs(prompt, paths)
            assert_same([found[place]], [expected], 1e-4)
            assert_same([[row["logprob"] for row in told[place]]], [found[place]], 1e-4)
            assert [[*row] for row in told[place]] == [["logprob", "rank"]] * 2


def test_groups_go_together_while_they_fit_without_much_padding() -> None:
    alike = [(tokens(10, 0), [tokens(6, 1)])] * 9
    assert fitting(alike, 512) == 9
    assert fitting(alike, 30) == 3, "30 tokens of prompts"
    assert fitting([*alike[:4], (tokens(100, 0), [tokens(6, 1)])], 4096) == 4
    assert first_fit([3, 9, 6, 1], 9) == [[1], [2, 0], [3]]
    assert first_fit([0, 0], 0) == [[0, 1]]
