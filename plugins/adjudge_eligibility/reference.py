"""A score as the bar: paths that any path scorer gives more than so much, for example the probability of a reference answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, ClassVar, Literal

from adjudge import Eligibility, PathScorer, Problem, ReasoningPath, Session, with_logprobs
from adjudge_rstar import ScoringSession, score_paths


class Reference(Eligibility):
    """The paths that a scorer gives more than a bar, such as the probability of a reference answer behind the path (RLPR, 2506.18254)."""

    needs: ClassVar[str] = "what its scorer needs"
    use: Literal["reference"] = "reference"
    scorer: PathScorer
    """Whose score has to pass the bar, for example `reference-probability`; a path without a score does not pass."""
    above: float
    """The bar, on the scorer's own scale; a score has to lie above it."""

    @property
    def needs_labels(self) -> bool:  # type: ignore[override]
        return self.scorer.needs_labels

    @property
    def statistics(self) -> frozenset[str]:
        """What the scorer needs an engine to tell."""
        return self.scorer.statistics

    def eligible(self, problems: Mapping[str, Problem], paths: Sequence[ReasoningPath], session: Session) -> Sequence[bool]:
        told: list[bool] = []
        for problem_id, some in groupby(paths, key=lambda path: path.problem_id):
            told += self._of_problem(problems[problem_id], list(some), session)
        return told

    def _of_problem(self, problem: Problem, paths: Sequence[ReasoningPath], session: Any) -> list[bool]:
        """Of one problem's paths, which pass; only those with a verdict are scored."""
        asked: ScoringSession = session
        decided = [path for path in paths if path.outcome.decided]
        lacking = self.scorer.statistics or any(path.completion.logprobs is None for path in decided)
        model: Any = asked.session
        known = with_logprobs(model, asked.judge, problem, decided, self.scorer.statistics) if lacking else decided
        scores = score_paths(self.scorer, problem, known, model, asked.judge, paths)
        values = {score.path_id: score.value for score in scores}
        return [(value := values.get(path.id)) is not None and value > self.above for path in paths]
