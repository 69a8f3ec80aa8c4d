"""Chooses what to fine-tune on: samples paths, keeps the right ones, scores them, and keeps the best of every problem."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from adjudge import (
    JobError,
    Problem,
    ReasoningPath,
    RecordFile,
    RecordSequence,
    Score,
    Session,
    StageContext,
    mean_reward,
    score_paths,
    with_logprobs,
)

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
    right: dict[str, list[int]]
    """Places of the paths that reached the right answer, by problem."""

    @classmethod
    def of(cls, problems: Iterable[Problem], paths: Sequence[ReasoningPath]) -> Pool:
        pool = cls({problem.id: problem for problem in problems}, paths, Counter(), {})
        for index, path in enumerate(texts_of(paths)):
            pool.outcomes[path.outcome.value] += 1
            if path.right(pool.problems[path.problem_id]):
                pool.right.setdefault(path.problem_id, []).append(index)
        return pool


def texts_of(paths: Sequence[ReasoningPath]) -> Sequence[ReasoningPath]:
    """The paths, without the numbers of their tokens where these would have to be read."""
    return paths.without_tokens() if isinstance(paths, RecordSequence) else paths


def select(options: Sft, stage: StageContext) -> tuple[Sequence[ReasoningPath], dict[str, Any]]:
    """The chosen paths, and what is known of them and of what they were chosen from."""
    with stage.open(stage.model) as session:
        pool = Pool.of(stage.problems, stage.sample(session, stage.problems, "paths", samples=options.paths))
        chosen = choose(options, stage, pool, session)
    metrics = describe(stage, pool, chosen)
    return Places(pool.paths, chosen), metrics


class Places(Sequence[ReasoningPath]):
    """Some of a sequence's paths, by their places in it."""

    def __init__(self, paths: Sequence[ReasoningPath], places: Sequence[int]) -> None:
        self.paths, self.places = paths, places

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: Any) -> Any:
        return self.paths[self.places[index]] if isinstance(index, int) else Places(self.paths, self.places[index])


def _told(options: Sft, stage: StageContext, session: Session, problem: Problem, paths: Sequence[ReasoningPath]) -> list[ReasoningPath]:
    """The paths with log-probabilities; where the scorer reads further statistics, with both from one pass."""
    if not options.scorer.statistics:
        return stage.with_logprobs(session, problem, paths, anew=options.rescore)
    return with_logprobs(session, stage.judge, problem, paths, options.scorer.statistics)


def choose(options: Sft, stage: StageContext, pool: Pool, session: Session) -> list[int]:
    """Places of the best right paths of every problem; scores and choices are recorded problem by problem, and kept after a stop."""
    right = pool.right
    if not right:
        raise JobError(
            f"stage {stage.name}: none of {len(pool.paths)} paths reached the right answer, so there is nothing to fine-tune on"
            f" (outcomes: {', '.join(f'{count} {outcome}' for outcome, count in pool.outcomes.most_common())}).\n"
            "  Remedy: sample more paths, use easier problems, or train the model with grpo first."
        )
    most = sum(min(options.keep, len(places)) for places in right.values())
    with stage.shared("scores", sum(map(len, right.values()))) as scores, stage.shared("selected", most) as selected:
        for problem_id, places in stage.shard(list(right.items())):
            _score(options, stage, session, pool.problems[problem_id], [pool.paths[place] for place in places], scores, selected)
    texts = texts_of(pool.paths)
    chosen: list[int] = []
    for places in right.values():
        paths = {texts[place].id: place for place in places}
        best = best_of([texts[place] for place in places], list(scores.read(Scored, paths)), options.keep)
        chosen += [paths[path.id] for path in best]
    if not chosen:
        raise JobError(
            f"stage {stage.name}: scorer {options.scorer.use!r} gave no right path a score.\n"
            "  Remedy: the engine must return tokens and log-probabilities for this scorer, and paths must reason before they answer."
        )
    return chosen


def _score(
    options: Sft,
    stage: StageContext,
    session: Session,
    problem: Problem,
    paths: list[ReasoningPath],
    scores: RecordFile,
    selected: RecordFile,
) -> None:
    """Score the right paths of a problem and record which are kept; what is recorded already is not scored again."""
    if all(path.id in scores.ids for path in paths):
        made: Sequence[Score | Scored] = list(scores.read(Scored, [path.id for path in paths]))
    else:
        made = score_paths(options.scorer, problem, _told(options, stage, session, problem, paths), session)
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


def describe(stage: StageContext, pool: Pool, chosen: Sequence[int]) -> dict[str, Any]:
    """Counts, and every measure over all paths, the right ones, and the chosen ones."""
    right = [place for places in pool.right.values() for place in places]
    found: dict[str, Any] = {"paths": len(pool.paths), "right": len(right), "problems": len(pool.right), "selected": len(chosen)}
    for rule in stage.measures:
        found[rule.use] = {
            "paths": mean_reward(rule, pool.problems, pool.paths),
            "right": mean_reward(rule, pool.problems, Places(pool.paths, right)),
            "selected": mean_reward(rule, pool.problems, Places(pool.paths, chosen)),
        }
    return found
