"""JudgeBench: pairs of answers of one strong model, one of them objectively right; both orders vote.

{"pair_id": "3f…", "source": "mmlu-pro-law", "response_model": "gpt-4o-2024-05-13", "question": "…", "response_A": "…", "response_B": "…",
 "label": "A>B"}

arXiv 2410.12784; data and outputs of github.com/ScalerLab/JudgeBench. Each order votes: +1 for the label, -1 for its opposite, 0 for a
tie or for no verdict; a pair is right when the sum is above 0. Beside it, the first order alone, which is all that a judge asked in one
order has. The two sets, by the model that answered, are scored apart, as the paper does. Different here: a call that failed is left out
and named, where the authors count it as 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from adjudge import Outcome, Problem, RowError, text_field

from .judgements import Judged, Judgement, Scores
from .row_benchmark import RowBenchmark
from .row_fields import field, listed, meaning, said_text
from .statistics import Metric, proportion

PARTS = {"mmlu-pro": "knowledge", "livebench-reasoning": "reasoning", "livebench-math": "math", "livecodebench": "coding"}
SETS = {"gpt-4o": (154, 98, 56, 42), "claude-3": (154, 51, 34, 31)}
"""Pairs of each set, in the order of `PARTS`."""
MODELS = {"gpt-4o": "gpt-4o", "gpt-4o-2024-05-13": "gpt-4o", "claude-3-5-sonnet-20240620": "claude-3"}
"""The set that an answering model's pairs are in."""
DECISIONS = {"A>B": Outcome.FIRST, "B>A": Outcome.SECOND, "A=B": Outcome.TIE, None: Outcome.UNREADABLE}
VOTES = {Outcome.FIRST: 1, Outcome.SECOND: -1}


class JudgeBench(RowBenchmark):
    """JudgeBench: objectively right against subtly wrong answers, right in both orders."""

    use: Literal["judgebench"] = "judgebench"

    def sizes(self) -> Mapping[str, int | None]:
        return {f"{name} {part}": size for name, sizes in SETS.items() for part, size in zip(PARTS.values(), sizes, strict=True)}

    def _read(self, row: dict[str, Any], where: str) -> Iterable[Problem]:
        answers = (text_field(row, "response_A"), text_field(row, "response_B"))
        label = ("A>B", "B>A").index(field(row, "label", "A>B", "B>A"))
        yield Problem(text_field(row, "pair_id"), text_field(row, "question"), answers, label, {"group": _group(row)})

    def recorded(self, row: dict[str, Any]) -> Iterable[Judgement | Scores]:
        """A row of the authors' outputs: the second judgement saw the answers swapped, and its decision is about what it saw."""
        said = listed(row, "judgments")
        if len(said) > 2:
            raise RowError(f"has {len(said)} judgments, and there are two orders")
        for place, one in enumerate(said):
            outcome = meaning(one, "decision", DECISIONS)
            judgment = one.get("judgment")
            text = said_text(judgment.get("response")) if isinstance(judgment, dict) else ""
            order: Literal["given", "swapped"] = "swapped" if place else "given"
            yield Judgement(text_field(row, "pair_id"), outcome.mirrored if place else outcome, order=order, text=text)

    def score(self, judged: Sequence[Judged]) -> list[Metric]:
        return [metric for name in SETS for metric in self._of_set(name, [one for one in judged if one.group.startswith(f"{name} ")])]

    def _of_set(self, name: str, judged: Sequence[Judged]) -> list[Metric]:
        groups = [f"{name} {part}" for part in PARTS.values()]
        if not judged:
            return []
        single = [float(one.outcomes()[0] == one.gold) for one in judged]
        both = [one for one in judged if one.scores is not None or len(one.outcomes()) == 2]
        parts = [proportion(group, [right(one) for one in both if one.group == group], [group]) for group in groups]
        return [
            proportion(f"{name} accuracy", list(map(right, both)), groups),
            *parts,
            proportion(f"{name} first order only", single, groups),
        ]


def right(one: Judged) -> float:
    """1 when the orders together are for the label."""
    return float(sum(VOTES.get(outcome, 0) for outcome in one.outcomes()) * VOTES[one.gold] > 0)


def _group(row: dict[str, Any]) -> str:
    source = text_field(row, "source")
    part = next((part for start, part in PARTS.items() if source.startswith(start)), None)
    if part is None:
        raise RowError(f"has the source {source!r}, and those of JudgeBench begin with one of {', '.join(PARTS)}")
    return f"{meaning(row, 'response_model', MODELS)} {part}"
