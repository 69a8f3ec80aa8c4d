"""Ratings of answers one by one: what is asked of a judge that can rate an answer by itself, and what an answer's judgements come to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from adjudge import (
    ConfigError,
    Judge,
    JudgeRequest,
    Outcome,
    Problem,
    ReasoningPath,
    dump,
    read_verdict,
    sample_paths,
    stable_id,
    stable_seed,
)

if TYPE_CHECKING:
    from .opened_judge import OpenJudge


@dataclass(frozen=True, slots=True)
class Rating:
    """What an answer's judgements say of it."""

    value: float | None
    """The mean of those that could be read, on the judge's own scale; None where none could."""
    outcomes: tuple[Outcome, ...]
    """Of every judgement; a tie is one that could be read."""
    tokens: int
    """That the judge wrote for it."""

    @property
    def reason(self) -> str:
        """Why there is no value."""
        found = ", ".join(f"{count} {name}" for name, count in Counter(one.value for one in self.outcomes).most_common())
        return "" if self.value is not None else f"none of its judgements could be read: {found}"


def alone(judge: Judge, where: str) -> Judge:
    """The judge as it rates one answer by itself. Raises `ConfigError`, which names `where`, for one that only compares two."""
    from adjudge_judges import RatesAlone

    if not isinstance(judge, RatesAlone):
        raise ConfigError(
            f"{where}: {judge.use!r} compares two answers and rates none by itself.\n"
            "  Remedy: use 'scale' or 'rubric', or 'adjudge rank' for answers that are compared."
        )
    return judge.alone()


def rating_requests(judge: Judge, problem: Problem, samples: int, seed: int) -> list[list[JudgeRequest]]:
    """The requests of every answer by itself; ids and seeds depend on what it says, so equal answers are rated once, and alike."""
    found = []
    for place, answer in enumerate(problem.answers):
        one = Problem(f"{problem.id}:{place}", problem.prompt, (answer,), None, problem.meta)
        idents = [stable_id(problem.prompt, answer, dump(judge), seed, index) for index in range(samples)]
        found.append([JudgeRequest(ident, stable_seed("sample", ident), one, "given", index) for index, ident in enumerate(idents)])
    return found


def rated(judge: OpenJudge, problems: Sequence[Problem], samples: int = 1) -> list[list[Rating]]:
    """A rating of every answer of every problem, all of them asked for together. Raises `ConfigError` for a judge that only compares."""
    by_itself = alone(judge.options, "judge")
    asked = [rating_requests(by_itself, problem, samples, judge.seed) for problem in problems]
    requests = {request.id: request for answers in asked for some in answers for request in some}
    with judge.session.read_by(by_itself):
        made = {path.id: path for path in sample_paths(judge.session, by_itself, list(requests.values()))}
    return [[_rating(by_itself, [made[request.id] for request in some]) for some in answers] for answers in asked]


def _rating(judge: Judge, paths: Sequence[ReasoningPath]) -> Rating:
    known = [value for path in paths if (value := rating_of(judge, path)) is not None]
    tokens = sum(len(path.completion.token_ids) for path in paths)
    return Rating(sum(known) / len(known) if known else None, tuple(path.outcome for path in paths), tokens)


def rating_of(judge: Judge, path: ReasoningPath) -> float | None:
    """The rating that one judgement states; records keep verdicts without it, so it is read again."""
    ratings: tuple[float, float] | None = getattr(read_verdict(judge, path.completion), "ratings", None)
    return None if ratings is None else ratings[0]
