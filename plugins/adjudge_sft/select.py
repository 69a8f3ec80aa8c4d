"""Chooses what to fine-tune on: samples paths, keeps the eligible ones, scores them, and keeps the best of every problem."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from adjudge import (
    JobError,
    Problem,
    ReasoningPath,
    RecordFile,
    Score,
    Session,
    StageContext,
    boundary,
    mean_reward,
    score_paths,
    with_logprobs,
)
from adjudge_data import ById, Chosen
from adjudge_eligibility import Label, eligible_paths, tally, texts_of
from adjudge_rstar import ask_together, windows

if TYPE_CHECKING:
    from .sft import Sft

ROUNDING = 1e-5
"""Scores of the same text this near to each other, relative to their size where that is above 1, are equal."""


@dataclass(frozen=True, slots=True)
class Pool:
    """Every path sampled in a stage, with its problem; of the paths, only what became of each is held in memory."""

    problems: Sequence[Problem]
    paths: Sequence[ReasoningPath]
    """As many of every problem, in the problems' order; each is read from its record when it is asked for."""
    outcomes: Counter[str]
    eligible: array[int]
    """Places of the paths that may be chosen."""

    @classmethod
    def of(cls, problems: Sequence[Problem], paths: Sequence[ReasoningPath], told: Sequence[bool] | None = None) -> Pool:
        """A pool of which the paths that are `told` may be chosen, those that reached the right answer where nothing is said."""
        pool = cls(problems, paths, Counter(), array("I"))
        for place, path in enumerate(texts_of(paths)):
            pool.outcomes[path.outcome.value] += 1
            if path.right(pool.problem_of(place)) if told is None else told[place]:
                pool.eligible.append(place)
        return pool

    def problem_of(self, place: int) -> Problem:
        """The problem that the path at this place is about."""
        return self.problems[self._number(place)]

    def siblings(self, place: int) -> range:
        """Places of all paths of the problem that the path at this place is about."""
        each = len(self.paths) // len(self.problems)
        return range(self._number(place) * each, (self._number(place) + 1) * each)

    def by_problem(self) -> Iterator[list[int]]:
        """Places of the eligible paths of every problem that has any."""
        return (list(places) for _, places in groupby(self.eligible, key=self._number))

    def _number(self, place: int) -> int:
        return place * len(self.problems) // len(self.paths)


def select(options: Sft, stage: StageContext) -> tuple[Sequence[ReasoningPath], dict[str, Any]]:
    """The chosen paths, and what is known of them and of what they were chosen from."""
    with stage.open(stage.model) as session:
        paths = stage.sample(session, stage.problems, "paths", samples=options.paths)
        told = None if isinstance(options.eligible, Label) else _eligible(options, stage, paths, session)
        pool = Pool.of(stage.problems, paths, told)
        chosen = choose(options, stage, pool, session)
    metrics = describe(options, stage, pool, chosen)
    return Chosen(pool.paths, chosen), metrics


def _eligible(options: Sft, stage: StageContext, paths: Sequence[ReasoningPath], session: Session) -> Sequence[bool]:
    return eligible_paths(options.eligible, ById(stage.problems), paths, session, stage.judge)


def _told(
    options: Sft, stage: StageContext, session: Session, groups: Sequence[tuple[Problem, list[ReasoningPath]]]
) -> Iterator[tuple[Problem, list[ReasoningPath]]]:
    """Problems whose paths have log-probabilities, as they come; where the scorer reads further statistics, with both from one pass."""
    names = options.scorer.statistics - {"logprob"}
    anew = options.rescore or bool(names)
    lacking = [(problem, [path for path in paths if anew or path.completion.logprobs is None]) for problem, paths in groups]
    with boundary(stage.engine, "logprobs"):
        for place, known in ask_together(session, stage.judge, lacking, names):
            problem, paths = groups[place]
            if names:
                yield problem, with_logprobs(known, stage.judge, problem, paths, names)
            else:
                yield problem, stage.with_logprobs(known, problem, paths, anew=anew)


def choose(options: Sft, stage: StageContext, pool: Pool, session: Session) -> Sequence[int]:
    """Places of the best eligible paths of every problem; scores and choices are recorded problem by problem, and kept after a stop."""
    kind = _called(options)
    if not pool.eligible:
        reached = "reached the right answer" if kind == "right" else f"is eligible by {options.eligible.use!r}"
        raise JobError(
            f"stage {stage.name}: none of {len(pool.paths)} paths {reached}, so there is nothing to fine-tune on"
            f" (outcomes: {', '.join(f'{count} {outcome}' for outcome, count in pool.outcomes.most_common())}).\n"
            "  Remedy: sample more paths, use easier problems, or train the model with grpo first."
        )
    most = sum(min(options.keep, len(places)) for places in pool.by_problem())
    with stage.shared("scores", len(pool.eligible)) as scores, stage.shared("selected", most) as selected:
        for window in windows(_mine(stage, pool), len):
            groups = [(pool.problem_of(places[0]), [pool.paths[place] for place in places]) for places in window]
            siblings = {problem.id: pool.siblings(places[0]) for (problem, _), places in zip(groups, window, strict=True)}
            _score(options, stage, session, pool, groups, siblings, scores, selected)
    texts = texts_of(pool.paths)
    chosen = array("I")
    for places in pool.by_problem():
        paths = {texts[place].id: place for place in places}
        best = best_of([texts[place] for place in places], list(scores.read(Scored, paths)), options.keep)
        chosen.extend(paths[path.id] for path in best)
    if not chosen:
        raise JobError(
            f"stage {stage.name}: scorer {options.scorer.use!r} gave no {kind} path a score.\n"
            "  Remedy: the engine must return tokens and log-probabilities for this scorer, and paths must reason before they answer."
        )
    return chosen


def _mine(stage: StageContext, pool: Pool) -> Iterator[list[int]]:
    """Places of the eligible paths of every problem that this process scores."""
    mine = iter(stage.shard(array("I", (places[0] for places in pool.by_problem()))))
    first = next(mine, None)
    for places in pool.by_problem():
        if places[0] == first:
            yield places
            first = next(mine, None)


def _called(options: Sft) -> str:
    """What the paths that may be chosen are called."""
    return "right" if isinstance(options.eligible, Label) else "eligible"


def _score(
    options: Sft,
    stage: StageContext,
    session: Session,
    pool: Pool,
    groups: Sequence[tuple[Problem, list[ReasoningPath]]],
    siblings: Mapping[str, range],
    scores: RecordFile,
    selected: RecordFile,
) -> None:
    """Score the eligible paths of problems and record which are kept; what is recorded already is not scored again."""
    missing = []
    for problem, paths in groups:
        if all(path.id in scores.ids for path in paths):
            made = list(scores.read(Scored, [path.id for path in paths]))
            _record(options, problem, paths, made, scores, selected)
        else:
            missing.append((problem, paths))
    for problem, paths in _told(options, stage, session, missing):
        others = Chosen(pool.paths, siblings[problem.id])
        _record(options, problem, paths, score_paths(options.scorer, problem, paths, session, stage.judge, others), scores, selected)


def _record(
    options: Sft,
    problem: Problem,
    paths: list[ReasoningPath],
    made: Sequence[Score | Scored],
    scores: RecordFile,
    selected: RecordFile,
) -> None:
    """The scores of one problem's paths, and the paths that are kept."""
    best = best_of(paths, made, options.keep)
    for path, score in zip(paths, made, strict=True):
        scores.append(
            {"id": path.id, "path_id": path.id, "problem_id": problem.id, "scorer": options.scorer.use,
             "value": score.value, "parts": dict(score.parts), "kept": path in best}
        )  # fmt: skip
        if path in best:
            selected.append(path, prompt=problem.prompt, answers=problem.answers, score=score.value)


@dataclass(frozen=True, slots=True)
class Scored:
    """A recorded score."""

    value: float | None
    parts: Mapping[str, float]


def best_of(paths: Sequence[ReasoningPath], scores: Sequence[Score | Scored], keep: int) -> list[ReasoningPath]:
    """The highest scores first, the lower id where they are equal; a text counts once, and a path without a score not at all.

    One text sampled twice has two scores that differ by rounding errors, which depend on the batch each was in; so among such twins
    the id decides.
    """
    rest = [(score.value, path) for path, score in zip(paths, scores, strict=True) if score.value is not None]
    best: list[ReasoningPath] = []
    while rest and len(best) < keep:
        top, first = min(rest, key=lambda item: (-item[0], item[1].id))
        twins = [path for value, path in rest if _what(path) == _what(first) and value >= top - ROUNDING * max(1.0, abs(top))]
        best.append(min(twins, key=lambda path: path.id))
        rest = [(value, path) for value, path in rest if _what(path) != _what(first)]
    return best


def _what(path: ReasoningPath) -> tuple[str, str]:
    return path.order, path.completion.text


def describe(options: Sft, stage: StageContext, pool: Pool, chosen: Sequence[int]) -> dict[str, Any]:
    """Counts, every measure over all paths, the eligible ones and the chosen ones, and how far a rule without labels agrees with them."""
    kind, problems = _called(options), sum(1 for _ in pool.by_problem())
    found: dict[str, Any] = {"paths": len(pool.paths), kind: len(pool.eligible), "problems": problems, "selected": len(chosen)}
    by_id = ById(pool.problems if stage.measures or kind == "eligible" else ())
    for rule in stage.measures:
        found[rule.use] = {
            "paths": mean_reward(rule, by_id, pool.paths),
            kind: mean_reward(rule, by_id, Chosen(pool.paths, pool.eligible)),
            "selected": mean_reward(rule, by_id, Chosen(pool.paths, chosen)),
        }
    if kind == "eligible":
        told = [False] * len(pool.paths)
        for place in pool.eligible:
            told[place] = True
        found["eligibility"] = tally(options.eligible, by_id, pool.paths, told)
    return found
