"""Checks of what each kind promises, for a plugin's tests; plugin authors import them from `adjudge.testing`.

Every ``check_*`` raises `AssertionError` that says which promise was broken.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from adjudge import (
    Aggregator,
    Completion,
    Component,
    Eligibility,
    Judge,
    Match,
    Outcome,
    PathScorer,
    Problem,
    Ranking,
    ReasoningPath,
    RewardRule,
    Verdict,
    check_ranking,
    field_docs,
    stable_id,
)

FAILED = Completion("", error="timeout")
Decide = Callable[[int, int], Outcome]
"""Which of two candidates, by index, wins."""


def completion_of(text: str, logprobs: Sequence[float] | None = None) -> Completion:
    """A completion whose tokens are its characters."""
    ids, ends = tuple(map(ord, text)), tuple(range(1, len(text) + 1))
    return Completion(text, ids, ends, None if logprobs is None else tuple(logprobs))


def path_of(text: str, judge: Judge, problem: Problem, logprobs: Sequence[float] | None = None) -> ReasoningPath:
    """The path that a judge reads from a text about a problem shown as given."""
    return ReasoningPath("p-" + stable_id(problem.id, text), problem.id, "given", 0, completion_of(text, logprobs), judge.parse(text))


def play_with(aggregator: Aggregator, size: int, decide: Decide, seed: int = 0) -> tuple[Ranking, list[Match]]:
    """Drive an aggregator with an oracle instead of a judge: its ranking and every match it asked for."""
    rounds, played = aggregator.tournament(size, seed), []
    try:
        matches = next(rounds)
        while True:
            played += matches
            matches = rounds.send([decide(match.first, match.second) for match in matches])
    except StopIteration as end:
        return check_ranking(aggregator, end.value, size), played


def check_component(component: Component) -> None:
    """Options survive a round trip through JSON, and every option is documented."""
    data: Any = json.loads(component.model_dump_json(serialize_as_any=True))
    assert data["use"] == component.use == type(component).name(), "`use` must be a literal with a default"
    documented = field_docs(type(component))
    for name in type(component).model_fields:
        assert name == "use" or name in documented, f"option {name!r} needs an attribute docstring"
    assert (type(component).__doc__ or "").strip(), "the class needs a docstring: `adjudge plugins` shows its first line"


def check_aggregator(aggregator: Aggregator, sizes: Sequence[int] = (1, 2, 3, 5, 8)) -> None:
    """It ends, pairs legally, ranks every candidate once, repeats for a seed, and finds the order of a judge that never errs at the top."""
    check_component(aggregator)
    for size in sizes:
        strength = list(range(size))
        random.Random(size).shuffle(strength)

        def decide(one: int, other: int, strength: list[int] = strength) -> Outcome:
            return Outcome.FIRST if strength[one] > strength[other] else Outcome.SECOND

        ranking, played = play_with(aggregator, size, decide, seed=3)
        assert all(match.first != match.second and max(match.first, match.second) < size for match in played), "illegal pair"
        assert (ranking, played) == play_with(aggregator, size, decide, seed=3), "the same seed must give the same tournament"
        assert strength[ranking.order[0]] == size - 1, "a judge that never errs must find the best candidate"
        play_with(aggregator, size, lambda one, other: Outcome.TIE)


def check_judge(judge: Judge, text: str, outcome: Outcome) -> None:
    """It asks about both answers, reads this text as this outcome, and never invents a verdict."""
    check_component(judge)
    problem = Problem("p", "Which is right?", ("the answer A", "the answer B"))
    for order in ("given", "swapped"):
        asked = " ".join(message["content"] for message in judge.prompt(problem, order))
        assert all(answer in asked for answer in problem.answers), "the prompt must show both answers"
    verdict = judge.parse(text)
    assert verdict.outcome == outcome, f"read {verdict.outcome}, not {outcome}"
    for span in (verdict.reasoning, verdict.answer):
        assert span is None or 0 <= span[0] <= span[1] <= len(text), "a span must lie inside the text"
    assert judge.parse("").outcome == Outcome.UNREADABLE, "an empty text has no verdict"


def check_scorer(scorer: PathScorer, problem: Problem, paths: Sequence[ReasoningPath], session: Any = None) -> None:
    """One score per path, in order, the same each time."""
    check_component(scorer)
    scores = scorer.score(problem, paths, session)
    assert [score.path_id for score in scores] == [path.id for path in paths], "one score per path, in order"
    assert scores == scorer.score(problem, paths, session), "the same paths must get the same scores"
    assert scorer.score(problem, [], session) == [], "no paths, no scores"


def check_eligibility(rule: Eligibility, problems: Sequence[Problem], paths: Sequence[ReasoningPath], session: Any = None) -> None:
    """True or False for every path, in order, the same each time; a call that failed is never chosen, and an empty pool is no error."""
    check_component(rule)
    by_id = {problem.id: problem for problem in problems}
    failed = [replace(path, id=f"{path.id} failed", completion=FAILED, verdict=Verdict(Outcome.FAILED)) for path in paths]
    pool = sorted([*paths, *failed], key=lambda path: path.problem_id)
    told = list(rule.eligible(by_id, pool, session))
    assert [type(one) for one in told] == [bool] * len(pool), "True or False for each path, in order"
    assert told == list(rule.eligible(by_id, pool, session)), "the same pool must get the same answers"
    assert not any(one for one, path in zip(told, pool, strict=True) if path.outcome == Outcome.FAILED), (
        "a failed call is no path to choose"
    )
    assert list(rule.eligible(by_id, [], session)) == [], "no paths, no answers"


def check_rule(rule: RewardRule, problem: Problem) -> None:
    """A failed call is no evidence about the path: its reward is None, never a number."""
    check_component(rule)
    failed = ReasoningPath("failed", problem.id, "given", 0, FAILED, Verdict(Outcome.FAILED))
    assert rule.reward(problem, failed) is None, "a failed call must be None (masked), not a score"
