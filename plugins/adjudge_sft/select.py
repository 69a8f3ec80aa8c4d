"""Chooses what to fine-tune on: samples paths, keeps the eligible ones, scores them, and keeps the best of every problem."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
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
from adjudge_eligibility import Label, eligible_paths, tally, texts_of
from adjudge_rstar import ask_together, windows

if TYPE_CHECKING:
    from .sft import Sft

ROUNDING = 1e-5
"""Scores of the same text this near to each other, relative to their size where that is above 1, are equal."""


@dataclass(frozen=True, slots=True)
class Pool:
    """Every path sampled in a stage, with its problem; of the paths, only what became of each is held in memory."""

    problems: dict[str, Problem]
    paths: Sequence[ReasoningPath]
    """Problem by problem; each is read from its record when it is asked for."""
    outcomes: Counter[str]
    places: dict[str, range]
    """Where the paths of each problem stand."""
    told: list[bool]
    """For each path, whether it may be chosen."""

    @classmethod
    def of(cls, problems: Iterable[Problem], paths: Sequence[ReasoningPath], eligible: Sequence[bool] | None = None) -> Pool:
        """A pool whose `eligible` paths may be chosen, those that reached the right answer where nothing is said."""
        by_id = {problem.id: problem for problem in problems}
        outcomes, right, places = Counter[str](), list[bool](), dict[str, range]()
        for index, path in enumerate(texts_of(paths)):
            outcomes[path.outcome.value] += 1
            right.append(bool(path.right(by_id[path.problem_id])))
            places[path.problem_id] = range(places.get(path.problem_id, range(index, index)).start, index + 1)
        return cls(by_id, paths, outcomes, places, right if eligible is None else list(eligible))

    @property
    def eligible(self) -> dict[str, list[int]]:
        """Places of the paths that may be chosen, by problem; a problem without any is left out."""
        found = {problem_id: [place for place in places if self.told[place]] for problem_id, places in self.places.items()}
        return {problem_id: places for problem_id, places in found.items() if places}


def select(options: Sft, stage: StageContext) -> tuple[Sequence[ReasoningPath], dict[str, Any]]:
    """The chosen paths, and what is known of them and of what they were chosen from."""
    with stage.open(stage.model) as session:
        paths = stage.sample(session, stage.problems, "paths", samples=options.paths)
        problems = {problem.id: problem for problem in stage.problems}
        by_label = isinstance(options.eligible, Label)
        told = None if by_label else eligible_paths(options.eligible, problems, paths, session, stage.judge)
        pool = Pool.of(stage.problems, paths, told)
        chosen = choose(options, stage, pool, session)
    metrics = describe(options, stage, pool, chosen)
    return Places(pool.paths, chosen), metrics


class Places(Sequence[ReasoningPath]):
    """Some of a sequence's paths, by their places in it."""

    def __init__(self, paths: Sequence[ReasoningPath], places: Sequence[int]) -> None:
        self.paths, self.places = paths, places

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: Any) -> Any:
        return self.paths[self.places[index]] if isinstance(index, int) else Places(self.paths, self.places[index])


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


def choose(options: Sft, stage: StageContext, pool: Pool, session: Session) -> list[int]:
    """Places of the best eligible paths of every problem; scores and choices are recorded problem by problem, and kept after a stop."""
    eligible, kind = pool.eligible, _called(options)
    if not eligible:
        reached = "reached the right answer" if kind == "right" else f"is eligible by {options.eligible.use!r}"
        raise JobError(
            f"stage {stage.name}: none of {len(pool.paths)} paths {reached}, so there is nothing to fine-tune on"
            f" (outcomes: {', '.join(f'{count} {outcome}' for outcome, count in pool.outcomes.most_common())}).\n"
            "  Remedy: sample more paths, use easier problems, or train the model with grpo first."
        )
    most = sum(min(options.keep, len(places)) for places in eligible.values())
    with stage.shared("scores", sum(map(len, eligible.values()))) as scores, stage.shared("selected", most) as selected:
        for window in windows(stage.shard(list(eligible.items())), lambda item: len(item[1])):
            groups = [(pool.problems[problem_id], [pool.paths[place] for place in places]) for problem_id, places in window]
            _score(options, stage, session, pool, groups, scores, selected)
    texts = texts_of(pool.paths)
    chosen: list[int] = []
    for places in eligible.values():
        paths = {texts[place].id: place for place in places}
        best = best_of([texts[place] for place in places], list(scores.read(Scored, paths)), options.keep)
        chosen += [paths[path.id] for path in best]
    if not chosen:
        raise JobError(
            f"stage {stage.name}: scorer {options.scorer.use!r} gave no {kind} path a score.\n"
            "  Remedy: the engine must return tokens and log-probabilities for this scorer, and paths must reason before they answer."
        )
    return chosen


def _called(options: Sft) -> str:
    """What the paths that may be chosen are called."""
    return "right" if isinstance(options.eligible, Label) else "eligible"


def _score(
    options: Sft,
    stage: StageContext,
    session: Session,
    pool: Pool,
    groups: Sequence[tuple[Problem, list[ReasoningPath]]],
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
        siblings = Places(pool.paths, pool.places[problem.id])
        _record(options, problem, paths, score_paths(options.scorer, problem, paths, session, stage.judge, siblings), scores, selected)


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
    eligible, kind = [place for places in pool.eligible.values() for place in places], _called(options)
    found: dict[str, Any] = {"paths": len(pool.paths), kind: len(eligible), "problems": len(pool.eligible), "selected": len(chosen)}
    for rule in stage.measures:
        found[rule.use] = {
            "paths": mean_reward(rule, pool.problems, pool.paths),
            kind: mean_reward(rule, pool.problems, Places(pool.paths, eligible)),
            "selected": mean_reward(rule, pool.problems, Places(pool.paths, chosen)),
        }
    if kind == "eligible":
        found["eligibility"] = tally(options.eligible, pool.problems, pool.paths, pool.told)
    return found
