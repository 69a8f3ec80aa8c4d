"""Chooses what to fine-tune on: samples paths, keeps the right ones, scores them, and keeps the best of every problem."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from adjudge import JobError, Problem, ReasoningPath, Score, Session, StageContext, mean_reward, score_paths

if TYPE_CHECKING:
    from .sft import Sft

ROUNDING = 1e-5
"""Scores of the same text this near to each other, relative to their size where that is above 1, are equal."""


@dataclass(frozen=True, slots=True)
class Pool:
    """Every path sampled in a stage, with its problem."""

    problems: dict[str, Problem]
    paths: list[ReasoningPath]

    @property
    def outcomes(self) -> Counter[str]:
        return Counter(path.outcome.value for path in self.paths)

    @property
    def right(self) -> dict[str, list[ReasoningPath]]:
        """Paths that reached the right answer, by problem."""
        found: dict[str, list[ReasoningPath]] = {}
        for path in self.paths:
            if path.right(self.problems[path.problem_id]):
                found.setdefault(path.problem_id, []).append(path)
        return found


def select(options: Sft, stage: StageContext) -> tuple[list[ReasoningPath], dict[str, Any]]:
    """The chosen paths, and what is known of them and of what they were chosen from."""
    with stage.open(stage.model) as session:
        pool = Pool(
            {problem.id: problem for problem in stage.problems},
            stage.sample(session, stage.problems, "paths", samples=options.paths),
        )
        chosen = choose(options, stage, pool, session)
    return chosen, describe(stage, pool, chosen)


def choose(options: Sft, stage: StageContext, pool: Pool, session: Session) -> list[ReasoningPath]:
    """The best right paths of every problem; scores and choices are recorded problem by problem, and kept after a stop."""
    right = pool.right
    if not right:
        raise JobError(
            f"stage {stage.name}: none of {len(pool.paths)} paths reached the right answer, so there is nothing to fine-tune on"
            f" (outcomes: {', '.join(f'{count} {outcome}' for outcome, count in pool.outcomes.most_common())}).\n"
            "  Remedy: sample more paths, use easier problems, or train the model with grpo first."
        )
    most = sum(min(options.keep, len(paths)) for paths in right.values())
    with stage.shared("scores", sum(map(len, right.values()))) as scores, stage.shared("selected", most) as selected:
        known = scores_in(scores)
        for problem_id, paths in stage.shard(list(right.items())):
            problem = pool.problems[problem_id]
            made = [known[path.id] for path in paths if path.id in known]
            if len(made) < len(paths):
                made = score_paths(options.scorer, problem, stage.with_logprobs(session, problem, paths, anew=options.rescore), session)
            best = best_of(paths, made, options.keep)
            for path, score in zip(paths, made, strict=True):
                scores.append(
                    {"id": path.id, "path_id": path.id, "problem_id": problem_id, "scorer": options.scorer.use,
                     "value": score.value, "parts": dict(score.parts), "kept": path in best}
                )  # fmt: skip
                if path in best:
                    selected.append(path, prompt=problem.prompt, answers=problem.answers, score=score.value)
    known = scores_in(scores)
    chosen = [path for paths in right.values() for path in best_of(paths, [known[path.id] for path in paths], options.keep)]
    if not chosen:
        raise JobError(
            f"stage {stage.name}: scorer {options.scorer.use!r} gave no right path a score.\n"
            "  Remedy: the engine must return tokens and log-probabilities for this scorer, and paths must reason before they answer."
        )
    return chosen


def scores_in(records: Iterable[Mapping[str, Any]]) -> dict[str, Score]:
    """Recorded scores by the id of their path."""
    return {row["id"]: Score(row["id"], row["value"], row["parts"]) for row in records}


def best_of(paths: Sequence[ReasoningPath], scores: Sequence[Score], keep: int) -> list[ReasoningPath]:
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


def describe(stage: StageContext, pool: Pool, chosen: Sequence[ReasoningPath]) -> dict[str, Any]:
    """Counts, and every measure over all paths, the right ones, and the chosen ones."""
    right = [path for paths in pool.right.values() for path in paths]
    found: dict[str, Any] = {"paths": len(pool.paths), "right": len(right), "problems": len(pool.right), "selected": len(chosen)}
    for rule in stage.measures:
        found[rule.use] = {
            "paths": mean_reward(rule, pool.problems, pool.paths),
            "right": mean_reward(rule, pool.problems, right),
            "selected": mean_reward(rule, pool.problems, chosen),
        }
    return found
