"""PandaLM's test set: three annotators say which of two answers is better or that neither is; a judge has to say the same, ties included.

{"idx": 7, "instruction": "…", "input": "…", "response1": "…", "response2": "…", "annotator1": 1, "annotator2": 1, "annotator3": 0}

arXiv 2306.05087; data and recorded judges of github.com/WeOpenML/PandaLM (Apache-2.0). 0 is a tie; what two of the annotators say is the
truth. A recorded judge says 1, 2, 0 or Tie, and ``garbage`` where its reply had no verdict. Three classes: accuracy, and precision, recall
and F1 averaged over the classes. One order, as given. A reply without a verdict is wrong and belongs to none of the classes. Different
here: an order of one's own choosing is allowed; both orders that disagree are a tie.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from adjudge import Outcome, Problem, RowError, text_field

from .judgements import Judged, Judgement, Scores
from .row_benchmark import RowBenchmark
from .row_fields import field, ident, said_text
from .statistics import Metric, bootstrap, proportion

CLASSES = (Outcome.TIE, Outcome.FIRST, Outcome.SECOND)
SAID = {"0": Outcome.TIE, "Tie": Outcome.TIE, "1": Outcome.FIRST, "2": Outcome.SECOND, "garbage": Outcome.UNREADABLE}
"""What recorded judges say, numbers among them, as texts."""
Pair = tuple[Outcome, Outcome]
"""What is true, and what was said."""


class PandaLm(RowBenchmark):
    """PandaLM's test set: agreement with the majority of three annotators, ties included."""

    use: Literal["pandalm"] = "pandalm"

    def sizes(self) -> Mapping[str, int | None]:
        return {"test": 999}

    def _read(self, row: dict[str, Any], where: str) -> Iterable[Problem]:
        votes = Counter(field(row, f"annotator{number}", 0, 1, 2) for number in (1, 2, 3))
        [(vote, count)] = votes.most_common(1)
        if count == 1:
            raise RowError("has three annotators of three opinions, so nothing is right")
        prompt = "\n\n".join(filter(None, (text_field(row, "instruction"), text_field(row, "input"))))
        answers = (_answer(row, "response1"), _answer(row, "response2"))
        meta = {"group": "test", "gold": CLASSES[vote].value, "unanimous": count == 3}
        yield Problem(f"pandalm-{ident(row, 'idx')}", prompt, answers, vote - 1 if vote else None, meta)

    def recorded(self, row: dict[str, Any]) -> Iterable[Judgement | Scores]:
        """A row of a recorded judge, whose verdict is the field ``<judge>_result``."""
        names = [name for name in row if name.endswith("_result")]
        if len(names) != 1:
            raise RowError(f"has {len(names)} fields that end in '_result', and PandaLM's recorded judges have one")
        said, text = str(row[names[0]]), said_text(row.get(names[0].removesuffix("_result") + "_reason"))
        if said not in SAID:
            raise RowError(f"has the {names[0]} {row[names[0]]!r}, which is none of {', '.join(SAID)}")
        yield Judgement(f"pandalm-{ident(row, 'idx')}", SAID[said], text=text)

    def score(self, judged: Sequence[Judged]) -> list[Metric]:
        pairs = [(one.gold, agreed(one)) for one in judged]
        return [
            proportion("accuracy", [float(true == said) for true, said in pairs]),
            bootstrap("precision", pairs, lambda drawn: macro(drawn)[0]),
            bootstrap("recall", pairs, lambda drawn: macro(drawn)[1]),
            bootstrap("F1", pairs, lambda drawn: macro(drawn)[2]),
        ]


def _answer(row: dict[str, Any], name: str) -> str:
    """An answer; some of one word were written as JSON values, for example true."""
    value = field(row, name)
    if not isinstance(value, str | bool | int | float):
        raise RowError(f"has the {name} {value!r}, which is no text")
    return str(value)


def agreed(one: Judged) -> Outcome:
    """One outcome: what all orders say, a tie where they disagree; a judgement without a verdict counts as itself."""
    outcomes = set(one.outcomes())
    undecided = next((outcome for outcome in outcomes if not outcome.decided), None)
    return undecided or (outcomes.pop() if len(outcomes) == 1 else Outcome.TIE)


def macro(pairs: Sequence[Pair]) -> tuple[float, float, float]:
    """Precision, recall and F1, each averaged over the three classes; 0 where a class is never said or never true."""
    counts = Counter(pairs)
    found = []
    for one in CLASSES:
        hit = counts[one, one]
        said = sum(count for (_, said), count in counts.items() if said == one)
        true = sum(count for (true, _), count in counts.items() if true == one)
        found.append((hit / said if said else 0.0, hit / true if true else 0.0, 2 * hit / (said + true) if said + true else 0.0))
    precision, recall, f1 = (sum(values) / len(CLASSES) for values in zip(*found, strict=True))
    return precision, recall, f1
