"""Auto-J's pairwise test: 58 scenarios, two answers or a tie; a judge is right only when both orders give the label.

{"scenario": "planning", "label": 0, "prompt": "…", "response 1": "…", "response 2": "…"}

arXiv 2310.05470; data of github.com/GAIR-NLP/auto-j. 0 is the first response, 1 the second, 2 a tie. Agreement is the share of pairs whose
verdict equals the label in both orders, consistency the share whose verdicts are the same in both. A judge that was asked in one order only
has no agreement in this sense; it is reported as such. Recorded verdicts are two files of lines ``{"output": 0}`` in the order of the test
file, the second made with the responses exchanged and about what was shown (``--replay FILE --replay swapped:FILE``); their extractor's -1
is no verdict. Three rows of the test file are one problem, two with the label tie and one with the label 1. Different here: that last one
is left out unless told otherwise, for its responses are equal; figures per scenario are left to the records, for 24 pairs say little.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from adjudge import Outcome, Problem, agree, stable_id, text_field

from .judgements import Judged
from .row_benchmark import RowBenchmark
from .row_fields import field, meaning
from .statistics import Metric, proportion

LABELS = {0: Outcome.FIRST, 1: Outcome.SECOND, 2: Outcome.TIE}
OUTPUTS = {**LABELS, -1: Outcome.UNREADABLE}


class AutoJ(RowBenchmark):
    """Auto-J's pairwise test: agreement in both orders, ties included."""

    use: Literal["auto-j"] = "auto-j"

    def sizes(self) -> Mapping[str, int | None]:
        return {"test": 1392}

    def _read(self, row: dict[str, Any], where: str) -> Iterable[Problem]:
        prompt, answers = text_field(row, "prompt"), (text_field(row, "response 1"), text_field(row, "response 2"))
        label = field(row, "label", 0, 1, 2)
        meta = {"group": "test", "gold": LABELS[label].value, "scenario": text_field(row, "scenario")}
        yield Problem(stable_id(row["scenario"], prompt, *answers), prompt, answers, None if label == 2 else label, meta)

    def at_its_place(self, row: dict[str, Any]) -> Outcome | None:
        """A line of the authors' outputs."""
        return meaning(row, "output", OUTPUTS)

    def score(self, judged: Sequence[Judged]) -> list[Metric]:
        both = [one for one in judged if len(one.outcomes()) == 2]
        single = [float(one.outcomes()[0] == one.gold) for one in judged]
        return [
            proportion("agreement, both orders", [float(set(one.outcomes()) == {one.gold}) for one in both]),
            proportion("consistency", [float(agree(one.outcomes())) for one in both]),
            proportion("agreement, first order only", single),
        ]
