"""PPE, human preference: does a reward model choose as people did in the arena, and rank the models as they do?

{"question_id": "ab1", "model_a": "gpt-4", "model_b": "llama-3", "winner": "model_a", "prompt": "…", "response_1": "…", "response_2": "…",
 "language": "English", "is_code": false, "hard_prompt": true, "easy_prompt": false, "if_prompt": false, "math_prompt": false}

arXiv 2410.14872; rows of the data set ``lmarena-ai/PPE-Human-Preference-V1``. Accuracy over the votes that are not ties, for all and by
slice; Bradley-Terry ratings of the models from the true and from the predicted winners, compared by Spearman's and by Kendall's rank
correlation; and the mean over models of Pearson's correlation between the rows of the two tables of win rates. Different here: the
definitions follow a description and not the authors' code, which we could not read; their separability, confidence agreement and Brier
score are left out; ties of a judge are half a win to either side; a slice whose column is absent has no figure. For that, no figure is
called official. Shapes: M models.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Literal

from adjudge import Outcome, Problem, text_field

from .judgements import Judged
from .row_benchmark import RowBenchmark
from .row_fields import VOTES, field, ident, meaning
from .statistics import Metric, bootstrap, proportion

SLICES = {"hard": "hard_prompt", "easy": "easy_prompt", "instruction following": "if_prompt", "math": "math_prompt", "code": "is_code"}
Game = tuple[str, str, float]
"""Two models, and what the first of them got: 1, 0.5 or 0."""


class PpePreference(RowBenchmark):
    """PPE, human preference: accuracy on votes, and correlation of the models' ranking."""

    use: Literal["ppe-preference"] = "ppe-preference"
    libraries: ClassVar[tuple[str, ...]] = ("scipy", "choix")

    def sizes(self) -> Mapping[str, int | None]:
        return {"votes": None}

    def _read(self, row: dict[str, Any], where: str) -> Iterable[Problem]:
        gold = meaning(row, "winner", VOTES)
        slices = [name for name, column in SLICES.items() if row.get(column) is not None and field(row, column, True, False)]
        meta = {
            "group": "votes",
            "gold": gold.value,
            "models": [text_field(row, "model_a"), text_field(row, "model_b")],
            "slices": [*slices, *_language(row)],
        }
        answers = (text_field(row, "response_1"), text_field(row, "response_2"))
        label = {Outcome.FIRST: 0, Outcome.SECOND: 1}.get(gold)
        yield Problem(ident(row, "question_id"), text_field(row, "prompt"), answers, label, meta)

    def score(self, judged: Sequence[Judged]) -> list[Metric]:
        votes = [one for one in judged if one.gold != Outcome.TIE]
        right = [(one.credit(one.problem.label or 0, 1 - (one.problem.label or 0), tie=0.0), one.problem.meta["slices"]) for one in votes]
        slices = sorted({name for _, names in right for name in names})
        games = [(game(one, _true(one)), game(one, one.credit(0, 1, unreadable=0.5))) for one in votes]
        return [
            proportion("accuracy", [credit for credit, _ in right]),
            *(proportion(f"accuracy, {name}", [credit for credit, names in right if name in names]) for name in slices),
            *(bootstrap(name, games, statistic, bounds=(-1.0, 1.0)) for name, statistic in CORRELATIONS.items()),
        ]


def _language(row: dict[str, Any]) -> list[str]:
    """The slice of a row's language; none where it is not told."""
    if row.get("language") is None:
        return []
    return ["English" if text_field(row, "language") == "English" else "not English"]


def _true(one: Judged) -> float:
    return float(one.gold == Outcome.FIRST)


def game(one: Judged, got: float) -> Game:
    first, second = one.problem.meta["models"]
    return first, second, got


Table = Mapping[str, Mapping[str, tuple[float, int]]]
"""For every model and every model that it met: points won, and games."""


def table(games: Iterable[Game]) -> Table:
    """All games as points, counted from both sides."""
    found: dict[str, dict[str, tuple[float, int]]] = defaultdict(dict)
    for (first, second, got), times in Counter(games).items():
        for one, other, points in ((first, second, got), (second, first, 1 - got)):
            before, met = found[one].get(other, (0.0, 0))
            found[one][other] = before + times * points, met + times
    return {model: found[model] for model in sorted(found)}


def ratings(games: Table) -> list[float]:
    """Bradley-Terry strengths in natural units, models by name, with a weak prior that keeps an unbeaten model finite."""
    import choix
    import numpy as np

    wins_MM = np.array([[games[one].get(other, (0.0, 0))[0] for other in games] for one in games])
    return [float(value) for value in choix.ilsr_pairwise_dense(wins_MM, alpha=0.01)]


def _tables(drawn: Sequence[tuple[Game, Game]]) -> tuple[Table, Table]:
    return table(true for true, _ in drawn), table(said for _, said in drawn)


def _ranked(drawn: Sequence[tuple[Game, Game]], statistic: str) -> float | None:
    from scipy import stats

    true, said = map(ratings, _tables(drawn))
    return None if min(len(set(true)), len(set(said))) < 2 else float(getattr(stats, statistic)(true, said).statistic)


def spearman(drawn: Sequence[tuple[Game, Game]]) -> float | None:
    """Spearman's correlation of the two rankings; None where either has fewer than two ratings."""
    return _ranked(drawn, "spearmanr")


def kendall(drawn: Sequence[tuple[Game, Game]]) -> float | None:
    """Kendall's tau-b of the two rankings; None where either has fewer than two ratings."""
    return _ranked(drawn, "kendalltau")


def row_pearson(drawn: Sequence[tuple[Game, Game]]) -> float | None:
    """Mean over models of the correlation between their rows of win rates; a row without two different rates is left out."""
    true, said = _tables(drawn)
    found = [value for model in true if (value := _pearson(_rates(true[model]), _rates(said[model]))) is not None]
    return sum(found) / len(found) if found else None


def _rates(row: Mapping[str, tuple[float, int]]) -> list[float]:
    """Shares of wins, opponents by name."""
    return [row[other][0] / row[other][1] for other in sorted(row)]


def _pearson(xs: Sequence[float], ys: Sequence[float]) -> float | None:
    from statistics import StatisticsError, correlation

    try:
        return correlation(xs, ys)
    except StatisticsError:  # fewer than two, or all the same
        return None


CORRELATIONS: dict[str, Callable[[Sequence[tuple[Game, Game]]], float | None]] = {
    "Spearman": spearman,
    "Kendall": kendall,
    "row-wise Pearson": row_pearson,
}
