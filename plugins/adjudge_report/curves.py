"""What a stage's training recorded of its steps, as curves of one or several runs; what never changed is told and not drawn."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from adjudge import Outcome

from .gather import StageFiles
from .plots import step_plot
from .wording import number

Row = Mapping[str, Any]
STILL = 1e-10
"""Below this a number is 0 but for rounding."""
Points = list[tuple[int, float]]
"""Step and value, in the order of the steps."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """Something that has a value at every step."""

    title: str
    unit: str
    """Of the axis."""
    share: bool = False
    """A share in [0, 1], shown in percent."""


@dataclass(frozen=True, slots=True)
class StageCurves:
    """The curves of one stage."""

    stage: str
    plots: list[str] = field(default_factory=list)
    constant: list[str] = field(default_factory=list)
    """What did not change, in words."""


def _row(name: str) -> Callable[[Row], float | None]:
    return lambda row: row.get(name)


def _logged(name: str) -> Callable[[Row], float | None]:
    return lambda row: row.get("logged", {}).get(name)


OF_STEPS: dict[Quantity, Callable[[Row], float | None]] = {
    Quantity("reward", "mean reward"): _row("reward"),
    Quantity("right", "% of those with a label", share=True): _row("accuracy"),
    Quantity("skipped groups", "% of groups", share=True): _row("skipped_groups"),
    Quantity("without a reward", "% of answers", share=True): _row("undecided"),
    Quantity("length", "mean tokens"): _row("tokens"),
    Quantity("loss", "loss of the step"): _row("loss"),
    Quantity("entropy", "nats per token"): lambda row: _first(row.get("entropy"), _logged("entropy")(row)),
    Quantity("KL from the first model", "nats per token"): _row("kl"),
    Quantity("tokens predicted", "% of tokens", share=True): _logged("mean_token_accuracy"),
    Quantity("gradient norm", "L2 norm, before clipping"): _logged("grad_norm"),
    Quantity("learning rate", "learning rate"): _logged("learning_rate"),
}
"""What a step's record holds, in the order in which it is shown; behind the first comes what the judgements themselves tell."""

IMITATION = Quantity("loss", "nats per token")
"""The loss of a stage without rewards: how unlikely the model found what it learns to write."""


def _first(*values: float | None) -> float | None:
    return next((value for value in values if value is not None), None)


def curves_of(stage: StageFiles) -> dict[Quantity, Points]:
    """Every quantity of which the stage recorded numbers."""
    rows = sorted(stage.records("steps"), key=lambda row: row["step"])
    reward, *others = ((quantity, list(_points(rows, value))) for quantity, value in OF_STEPS.items())
    if not reward[1]:
        others = [(IMITATION if quantity.title == "loss" else quantity, points) for quantity, points in others]
    return {quantity: points for quantity, points in (reward, *_of_rollouts(stage).items(), *others) if points}


def _points(rows: Sequence[Row], value: Callable[[Row], float | None]) -> Iterator[tuple[int, float]]:
    for row in rows:
        if (found := value(row)) is not None and math.isfinite(found):
            yield int(row["step"]), float(found)


def _of_rollouts(stage: StageFiles) -> dict[Quantity, Points]:
    """Step means of what is recorded of each judgement: each rule's value, where it applies, and whether a verdict could be read."""
    sums: dict[Quantity, dict[int, list[float]]] = defaultdict(lambda: defaultdict(lambda: [0.0, 0.0]))
    for row in stage.records("rollouts"):
        values: dict[Quantity, float | None] = {
            Quantity(f"rule {name}", "mean, before its weight"): value for name, value in row.get("parts", {}).items()
        }
        if len(values) < 2:
            values = {}  # one rule alone is the reward
        values[Quantity("readable verdicts", "% of judgements", share=True)] = float(Outcome(row["outcome"]).decided)
        for quantity, value in values.items():
            if value is not None:
                total = sums[quantity][row["step"]]
                total[0], total[1] = total[0] + value, total[1] + 1
    return {quantity: [(step, value / n) for step, (value, n) in sorted(of.items())] for quantity, of in sums.items()}


def drawn(stage: str, by_run: Mapping[str, Mapping[Quantity, Points]]) -> StageCurves | None:
    """A stage's curves, a line for every run; None where nothing was recorded."""
    quantities = list(dict.fromkeys(quantity for curves in by_run.values() for quantity in curves))
    found = StageCurves(stage)
    for quantity in quantities:
        lines = {run: curves.get(quantity, []) for run, curves in by_run.items()}
        if any(map(varies, lines.values())):
            found.plots.append(step_plot(stage, quantity.title, quantity.unit, list(lines.values()), share=quantity.share))
        else:
            found.constant.append(f"{quantity.title} {_constant(quantity, lines)}")
    return found if quantities else None


def _constant(quantity: Quantity, lines: Mapping[str, Points]) -> str:
    """The value that a quantity has at every step; each run's own where they are not the same."""
    told = {run: _value(quantity, points[0][1]) for run, points in lines.items() if points}
    return " and ".join(f"{value} in {run}" for run, value in told.items()) if len(set(told.values())) > 1 else next(iter(told.values()))


def _value(quantity: Quantity, value: float) -> str:
    if quantity.share:
        return f"{number(100 * value, 1)}%"
    return f"{value:.3g}" if abs(value) > STILL else "0"


def varies(points: Sequence[tuple[int, float]]) -> bool:
    """Whether there is anything to see: standardised rewards, for one, have the mean 0 in every group."""
    values = [value for _, value in points]
    size = max(map(abs, values), default=0.0)
    return len(values) > 1 and max(values) - min(values) > max(STILL, 1e-6 * size)
