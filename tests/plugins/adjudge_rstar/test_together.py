"""Many problems' log-probabilities in one call: what a session is asked, what its answers become, and who is named when it refuses."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adjudge import Completion, ConfigError, Outcome, PluginError, Problem, ReasoningPath, Verdict, with_logprobs
from adjudge_arithmetic import ArithmeticDataset
from adjudge_judges import ArithmeticJudge
from adjudge_rstar import ask_together, logprobs_each, windows

JUDGE = ArithmeticJudge()
PROBLEMS = list(ArithmeticDataset(size=4, part="test").load())


def path(problem: Problem, *tokens: int, order: Any = "given") -> ReasoningPath:
    made = Completion("".join(map(chr, tokens)), tokens, tuple(range(1, len(tokens) + 1)))
    return ReasoningPath(f"{problem.id}-{order}-{tokens}", problem.id, order, 0, made, Verdict(Outcome.FIRST))


GROUPS = [
    (PROBLEMS[0], [path(PROBLEMS[0], 5, 6), path(PROBLEMS[0], 7, order="swapped"), path(PROBLEMS[0], 8, 9, 10)]),
    (PROBLEMS[1], [path(PROBLEMS[1])]),
    (PROBLEMS[2], [path(PROBLEMS[2], 11)]),
    (PROBLEMS[3], []),
]
EXPECTED = [[(-5.0, -6.0), (-7.0,), (-8.0, -9.0, -10.0)], [None], [(-11.0,)], []]


class One:
    """A session of the old form: a token's log-probability is its id, negative; ids from 90 on are refused."""

    def __init__(self) -> None:
        self.calls: list[int] = []

    def logprobs(self, prompt: Any, continuations: Sequence[Sequence[int]], statistics: Sequence[str] = ()) -> list[Any]:
        self.calls.append(len(continuations))
        return [self.row(tokens, statistics) for tokens in continuations]

    def row(self, tokens: Sequence[int], statistics: Sequence[str]) -> Any:
        if any(token >= 90 for token in tokens):
            raise ConfigError("a path has a token that the model does not know")
        values = [-float(token) for token in tokens]
        return {"logprob": values, **{name: [0.5] * len(tokens) for name in statistics}} if statistics else values


class Many(One):
    """One that can be asked for many prompts at once, and answers the last first."""

    def logprobs_each(self, prompts: Sequence[Any], statistics: Sequence[str] = ()) -> Iterator[tuple[int, list[Any]]]:
        self.calls.append(-len(prompts))
        for place, (_, continuations) in reversed(list(enumerate(prompts))):
            yield place, [self.row(tokens, statistics) for tokens in continuations]


def told(session: Any, groups: Sequence[Any], statistics: Sequence[str] = ()) -> dict[int, list[ReasoningPath]]:
    return {
        place: with_logprobs(known, JUDGE, *groups[place], statistics) for place, known in ask_together(session, JUDGE, groups, statistics)
    }


@pytest.mark.parametrize(("session", "calls"), [(One(), [2, 1, 1]), (Many(), [-3])], ids=["one", "many"])
def test_numbers_come_back_to_their_paths(session: Any, calls: list[int]) -> None:
    found = told(session, GROUPS)
    assert [[one.completion.logprobs for one in found[place]] for place in range(len(GROUPS))] == EXPECTED
    assert session.calls == calls, "nothing is asked for twice"


def test_statistics_come_with_them() -> None:
    found = told(Many(), GROUPS, ["rank", "entropy"])
    assert found[0][2].completion.statistics == {"entropy": (0.5,) * 3, "rank": (0.5,) * 3}
    assert found[0][2].completion.logprobs == EXPECTED[0][2]


def test_one_call_is_made_as_ever() -> None:
    session = Many()
    told(session, GROUPS[1:])
    assert session.calls == [1]


def test_the_problem_is_named_that_an_engine_cannot_use_and_the_others_are_told() -> None:
    bad, session = [*GROUPS[:3], (PROBLEMS[3], [path(PROBLEMS[3], 95)])], Many()
    found: list[list[ReasoningPath]] = []

    def ask() -> None:
        for place, known in ask_together(session, JUDGE, bad):
            found.append(with_logprobs(known, JUDGE, *bad[place]))

    with pytest.raises(ConfigError, match=f"problem {PROBLEMS[3].id}: a path has a token"):
        ask()
    assert [[one.completion.logprobs for one in paths] for paths in found] == [EXPECTED[1], EXPECTED[0], EXPECTED[2]]


def test_an_answer_to_a_prompt_that_was_not_asked_for_is_an_error() -> None:
    class Twice(Many):
        def logprobs_each(self, prompts: Sequence[Any], statistics: Sequence[str] = ()) -> Iterator[tuple[int, list[Any]]]:
            yield from [*super().logprobs_each(prompts), (0, [])]

    with pytest.raises(PluginError, match="answered prompt 0 of 3 twice"):
        told(Twice(), GROUPS)


def test_what_is_left_unanswered_is_asked_for_again() -> None:
    class Lazy(Many):
        def logprobs_each(self, prompts: Sequence[Any], statistics: Sequence[str] = ()) -> Iterator[tuple[int, list[Any]]]:
            yield from list(super().logprobs_each(prompts))[:1]

    found = told(Lazy(), GROUPS)
    assert [[one.completion.logprobs for one in found[place]] for place in range(len(GROUPS))] == EXPECTED


def test_the_rest_of_a_session_is_the_engines() -> None:
    class Roomy(Many):
        def room(self, prompt: Any) -> int:
            return 17

    [(_, known)] = ask_together(Roomy(), JUDGE, GROUPS[:1])  # type: ignore[arg-type]
    assert known.room([]) == 17  # type: ignore[attr-defined]


def test_a_session_of_either_form_is_asked_in_the_same_way() -> None:
    prompts: list[Any] = [([{"role": "user", "content": "a"}], [(1, 2)]), ([{"role": "user", "content": "b"}], [(3,), ()])]
    assert dict(logprobs_each(One(), prompts)) == dict(logprobs_each(Many(), prompts)) == {0: [[-1, -2]], 1: [[-3], []]}  # type: ignore[arg-type]


@given(sizes=st.lists(st.integers(0, 30)), most=st.integers(1, 40))
def test_windows_hold_so_many_paths_and_at_least_one_item(sizes: list[int], most: int) -> None:
    found = list(windows(sizes, lambda size: size, most))
    assert [size for window in found for size in window] == sizes
    assert all(sum(window) <= most or len(window) == 1 for window in found)
    assert all(sum(one) + other[0] > most for one, other in itertools.pairwise(found))
