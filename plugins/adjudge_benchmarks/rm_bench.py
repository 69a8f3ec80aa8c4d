"""RM-Bench: subtle errors under three styles of writing; does a judge follow the substance or the style?

{"id": 8, "subset": "alpacaeval", "prompt": "…", "chosen": ["terse", "detailed", "detailed markdown"], "rejected": ["…", "…", "…"]}

arXiv 2410.16184; data of github.com/THU-KEG/RM-Bench, one file per domain. Every prompt is a 3 x 3 matrix: does chosen in style i beat
rejected in style j? *Normal* is the diagonal, *hard* the three cells where the chosen answer is the plainer one (i < j), *easy* the three
where it is the richer one; a domain's score is the mean of the nine cells. The two safety files are one domain, weighted by prompts. Total,
hard, normal and easy are plain means over the four domains. A scalar model must be strictly above; a tie of a judge counts 0.5, a verdict
that cannot be read 0, as RM-R1 has it. Different here: all nine cells are asked for and filled each from its own comparison (RM-R1's script
fills three of them from another rotation), and in an order that a coin decides for every cell.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path as FilePath
from typing import Any, ClassVar, Literal

from adjudge import Match, Outcome, Problem, RowError, text_field

from .benchmark import by_coin
from .judgements import Judged, Judgement, Scores
from .row_benchmark import RowBenchmark
from .row_fields import field, ident, numbers, texts
from .statistics import Metric, weighted_mean

FILES = {"chat": 129, "code": 228, "math": 529, "safety-refuse": 284, "safety-response": 157}
"""Domain files, as the rows of the joint file name them too, and their prompts."""
DOMAINS = {"chat": ("chat",), "code": ("code",), "math": ("math",), "safety": ("safety-refuse", "safety-response")}
STYLES = range(3)
CELLS = {
    "normal": [(i, i) for i in STYLES],
    "hard": [(i, j) for i in STYLES for j in STYLES if i < j],
    "easy": [(i, j) for i in STYLES for j in STYLES if i > j],
}


class RmBench(RowBenchmark):
    """RM-Bench: right answers against subtly wrong ones in three styles each, easy, normal and hard."""

    use: Literal["rm-bench"] = "rm-bench"
    files: ClassVar[tuple[str, ...]] = ("*_filtered.json",)

    def sizes(self) -> Mapping[str, int | None]:
        return FILES

    def _read(self, row: dict[str, Any], where: str) -> Iterable[Problem]:
        name = FilePath(where).name.removesuffix("_filtered.json")
        domain = field(row, "domain", *FILES) if name not in FILES else name
        chosen, rejected = texts(row, "chosen"), texts(row, "rejected")
        if (len(chosen), len(rejected)) != (3, 3):
            raise RowError(f"has {len(chosen)} chosen and {len(rejected)} rejected answers, and not three styles of each")
        # A row's id is unique in its file only.
        yield Problem(f"{domain}-{ident(row, 'id')}", text_field(row, "prompt"), (*chosen, *rejected), None, {"group": domain})

    def better(self, problem: Problem, match: Match) -> Outcome | None:
        return Outcome.FIRST if match.first in STYLES else Outcome.SECOND

    def pairs(self, problem: Problem) -> list[Match]:
        """All nine cells of the matrix: chosen answers are 0 to 2, rejected ones 3 to 5."""
        return [by_coin(problem, i, 3 + j) for i in STYLES for j in STYLES]

    def recorded(self, row: dict[str, Any]) -> Iterable[Judgement | Scores]:
        """A row of a scalar model's results as the authors' scripts read it: the row of the joint file with three scores of either side."""
        name = f"{field(row, 'domain', *FILES)}-{ident(row, 'id')}"
        yield Scores(name, (*numbers(row, "score_chosen", 3), *numbers(row, "score_rejected", 3)))

    def score(self, judged: Sequence[Judged]) -> list[Metric]:
        matrices = {domain: [matrix(one) for one in judged if one.group in groups] for domain, groups in DOMAINS.items()}
        kinds = {"total": [cell for cells in CELLS.values() for cell in cells], **CELLS}
        metrics = []
        for kind, cells in kinds.items():
            means = {domain: [sum(one[cell] for cell in cells) / len(cells) for one in found] for domain, found in matrices.items()}
            metrics.append(weighted_mean(kind, means, dict.fromkeys(DOMAINS, 1.0), tuple(FILES)))
            metrics += [weighted_mean(f"{domain} {kind}", means, {domain: 1.0}, DOMAINS[domain]) for domain in DOMAINS if means[domain]]
        return metrics


def matrix(one: Judged) -> dict[tuple[int, int], float]:
    """How far chosen in style i is said to beat rejected in style j."""
    return {(i, j): one.credit(i, 3 + j) for i in STYLES for j in STYLES}
