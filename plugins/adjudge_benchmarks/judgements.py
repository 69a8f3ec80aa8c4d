"""One judgement without its tokens, and a problem with all that was said of its answers: what benchmarks make metrics of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

from adjudge import Completion, Json, Order, Outcome, PluginError, Problem, ReasoningPath, stable_id

FEW = 1024
"""Different facts about problems that are looked through for equal ones."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """One judgement of two answers to a problem."""

    problem_id: str
    outcome: Outcome
    """As between the answers `first` and `second`, whichever of them was shown first."""
    first: int = 0
    second: int = 1
    order: Order = "given"
    index: int = 0
    """Which of the samples of this pair and order, from 0."""
    text: str = ""
    """What the judge wrote, to the last character."""
    tokens: int | None = None
    """How many tokens it wrote; None (0 in earlier records) where that is not known."""
    error: str | None = None
    id: str = ""
    prompt: str | None = None
    """What was asked about; None where the record does not say."""
    shown: tuple[str, ...] | None = None
    """The two answers in the order in which the judge saw them."""
    label: str | None = None
    """What is right, as `outcome` says it; None where nothing is."""

    @property
    def key(self) -> str:
        """What it is about: the id of a judgement that came without one."""
        return self.id or stable_id(self.problem_id, self.first, self.second, self.order, self.index)


@dataclass(frozen=True, slots=True)
class Scores:
    """What a scalar reward model gave the answers to a problem, one number each, higher is better."""

    problem_id: str
    scores: tuple[float, ...]
    id: str = ""

    @property
    def key(self) -> str:
        return self.id or stable_id(self.problem_id, "scores")


@dataclass(frozen=True, slots=True)
class Judged:
    """A problem with everything that was said about its answers."""

    problem: Problem
    judgements: tuple[Judgement, ...] = ()
    scores: tuple[float, ...] | None = None

    @property
    def group(self) -> str:
        """The group it is reported in: ``meta["group"]``."""
        return str(self.problem.meta.get("group", ""))

    @property
    def gold(self) -> Outcome:
        """What is right about a pair: ``meta["gold"]`` where the answer may be a tie, else the label."""
        if "gold" in self.problem.meta:
            return Outcome(self.problem.meta["gold"])
        if self.problem.label is None:
            raise PluginError(
                f"problem {self.problem.id} has neither a label nor a 'gold', so nothing is right about it.\n"
                "  Remedy: a benchmark whose metric asks what is right gives its problems one of them."
            )
        return (Outcome.FIRST, Outcome.SECOND)[self.problem.label]

    def samples(self, first: int = 0, second: int = 1) -> list[tuple[Outcome, ...]]:
        """What every sample said about two answers, seen as (first, second): the given order before the swapped one."""
        if self.scores is not None:
            one, other = self.scores[first], self.scores[second]
            return [(Outcome.FIRST if one > other else Outcome.SECOND if one < other else Outcome.TIE,)]
        found = [one for one in self.judgements if {one.first, one.second} == {first, second}]
        found.sort(key=lambda one: (one.index, one.order))
        by_sample = groupby(found, key=lambda one: one.index)
        return [tuple(one.outcome if one.first == first else one.outcome.mirrored for one in sample) for _, sample in by_sample]

    def outcomes(self, first: int = 0, second: int = 1) -> tuple[Outcome, ...]:
        """What all samples said about two answers, one after the other."""
        return tuple(outcome for sample in self.samples(first, second) for outcome in sample)

    def credit(self, winner: int, loser: int, *, tie: float = 0.5, unreadable: float = 0.0) -> float:
        """How far it is said that `winner` beats `loser`, in [0, 1]: the mean over the judgements. Scalar models must be strictly above."""
        worth = {
            Outcome.FIRST: 1.0,
            Outcome.TIE: 0.0 if self.scores else tie,
            Outcome.UNREADABLE: unreadable,
            Outcome.TRUNCATED: unreadable,
        }
        outcomes = self.outcomes(winner, loser)
        return sum(worth.get(outcome, 0.0) for outcome in outcomes) / len(outcomes)


@dataclass(slots=True)
class TextsLeftOut:
    """Problems and judgements with what a metric is made of, and no text: what is equal then is one object, and takes memory once."""

    known: dict[Judgement, Judgement] = field(default_factory=dict)
    metas: dict[str, Mapping[str, Json]] = field(default_factory=dict)

    def judgement(self, one: Judgement) -> Judgement:
        shorter = replace(one, problem_id="", text="", error=one.error and "it failed", id="", prompt=None, shown=None)
        return self.known.setdefault(shorter, shorter)

    def problem(self, one: Problem) -> Problem:
        meta = self.metas.setdefault(repr(one.meta), one.meta) if len(self.metas) < FEW else one.meta
        return replace(one, prompt="", answers=("",) * len(one.answers), meta=meta)


def tokens_of(made: Completion) -> int | None:
    """How many tokens a completion has; None where it has a text and its engine tells no tokens, and where its call failed."""
    return len(made.token_ids) or (None if made.text or made.error is not None else 0)


def judged_by(problems: Sequence[Problem], paths: Iterable[ReasoningPath]) -> list[Judged]:
    """Every problem with the judgements of it among these paths."""
    found: dict[str, list[Judgement]] = {problem.id: [] for problem in problems}
    for path in paths:
        made = path.completion
        found[path.problem_id].append(
            Judgement(path.problem_id, path.outcome, 0, 1, path.order, path.index, made.text, tokens_of(made), made.error, path.id)
        )
    return [Judged(problem, tuple(found[problem.id])) for problem in problems]
