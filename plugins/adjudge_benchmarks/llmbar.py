"""LLMBar: does a judge see which of two outputs follows the instruction, also where the other one looks better?

{"input": "Summarise: …", "output_1": "…", "output_2": "…", "label": 1}

arXiv 2310.07641; data and recorded evaluators of github.com/princeton-nlp/LLMBar (MIT). Natural and four adversarial subsets; the folder
says which. The authors ask in both orders: an order is right when it names the label, and accuracy is the mean of the orders; beside it
the share right in both and the share where both orders name the same output. No ties; a reply without a winner is wrong.
Different here: accuracy over all subsets pools their items, and the mean of the subsets' accuracies stands beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path as FilePath
from typing import Any, ClassVar, Literal

from adjudge import Outcome, Problem, RowError, agree, stable_id, text_field

from .judgements import Judged, Judgement, Scores
from .row_benchmark import RowBenchmark
from .row_fields import field, listed, meaning, said_text
from .statistics import Metric, proportion, weighted_mean

SIZES = {"Natural": 100, "Neighbor": 134, "GPTInst": 92, "GPTOut": 47, "Manual": 46}
WINNERS = {"1": Outcome.FIRST, "2": Outcome.SECOND, None: Outcome.UNREADABLE}


class LlmBar(RowBenchmark):
    """LLMBar: which output follows the instruction, in five subsets and both orders."""

    use: Literal["llmbar"] = "llmbar"
    files: ClassVar[tuple[str, ...]] = ("Natural/dataset.json", "Adversarial/*/dataset.json")

    def sizes(self) -> Mapping[str, int | None]:
        return SIZES

    def _read(self, row: dict[str, Any], where: str) -> Iterable[Problem]:
        group = next((part for part in reversed(FilePath(where).parts) if part in SIZES), None)
        if group is None:
            raise RowError(f"stands in no folder that is a subset of LLMBar ({', '.join(SIZES)})")
        answers = (text_field(row, "output_1"), text_field(row, "output_2"))
        yield Problem(_ident(row), text_field(row, "input"), answers, field(row, "label", 1, 2) - 1, {"group": group})

    def recorded(self, row: dict[str, Any]) -> Iterable[Judgement | Scores]:
        """A row of an evaluator's ``result.json``; its last round counts, and winners are in the order of the row."""
        last = listed(row, "results")[-1]
        for order, name in (("given", "swap = False"), ("swapped", "swap = True")):
            said = field(last, name)
            winner = meaning(said, "winner", WINNERS)
            completion = said.get("completion") or [None]
            text = said_text(completion[0] if isinstance(completion, list) else completion)
            yield Judgement(_ident(row), winner, order="given" if order == "given" else "swapped", text=text)

    def score(self, judged: Sequence[Judged]) -> list[Metric]:
        rights = {group: [one.credit(*_sides(one), tie=0.0) for one in judged if one.group == group] for group in SIZES}
        both = [one for one in judged if len(one.outcomes()) == 2]
        return [
            proportion("accuracy", [value for values in rights.values() for value in values]),
            *(proportion(group, values, [group]) for group, values in rights.items()),
            weighted_mean("mean of subsets", rights, dict.fromkeys(SIZES, 1.0)),
            proportion("right in both orders", [float(set(one.outcomes()) == {one.gold}) for one in both]),
            proportion("same output in both orders", [float(agree(one.outcomes())) for one in both]),
        ]


def _sides(one: Judged) -> tuple[int, int]:
    return (0, 1) if one.gold == Outcome.FIRST else (1, 0)


def _ident(row: dict[str, Any]) -> str:
    return stable_id(text_field(row, "input"), text_field(row, "output_1"), text_field(row, "output_2"))
