"""How numbers read wherever a person meets them: terminal, report and model card say the same accuracy in the same digits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from adjudge import FAILURES

KNOWN = ("n", "judgements", "accuracy", "interval", "outcomes", "mean_tokens", "consistency")
"""What every evaluation has; whatever else it holds is a measure."""


def percent(share: float | None) -> str:
    """A share in [0, 1] with one decimal; a dash for None."""
    return "–" if share is None else f"{100 * share:.1f}%"


def interval(bounds: list[float] | tuple[float, float]) -> str:
    return f"{100 * bounds[0]:.1f} to {100 * bounds[1]:.1f}"


def number(value: Any, digits: int = 3) -> str:
    """A number without needless digits, several with their names; anything else as it is, None as a dash."""
    if value is None:
        return "–"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {number(one, digits)}" for name, one in value.items())
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:.{digits}f}"


def accuracies(evaluation: Mapping[str, Any]) -> str:
    """One line for every set: accuracy, interval, and the failures that there were."""
    return "; ".join(" ".join(_accuracy(name, found)) for name, found in evaluation.items()) or "not measured"


def _accuracy(name: str, found: Mapping[str, Any]) -> Iterator[str]:
    yield f"{name} {percent(found.get('accuracy'))}"
    if found.get("accuracy") is not None and found.get("interval"):
        yield f"[{interval(found['interval'])}]"
    for failure in FAILURES:
        if share := found.get("outcomes", {}).get(failure):
            yield f"{failure} {percent(share)}"


def measures(evaluation: Mapping[str, Any]) -> dict[str, float | None]:
    """What a run measured besides accuracy, by the rule's name."""
    return {name: value for name, value in evaluation.items() if name not in KNOWN and (value is None or isinstance(value, int | float))}
