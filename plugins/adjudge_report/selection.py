"""What scorers chose: every stage's scored paths, kept and dropped apart, and what the stage measured of them."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from .gather import RunFiles, StageFiles

SYMBOLS = {"rstar": "R⋆"}


@dataclass
class Scored:
    """The scores that one scorer gave in one stage."""

    stage: str
    scorer: str
    kept: int = 0
    dropped: int = 0
    numbers: dict[tuple[str | None, bool], array[float]] = field(default_factory=dict)
    """The scores, under None, and every part of them, of the paths that were kept and of those that were not."""

    @property
    def symbol(self) -> str:
        return SYMBOLS.get(self.scorer, self.scorer)

    @property
    def parts(self) -> list[str]:
        """The parts' names in the order in which they first come."""
        return list(dict.fromkeys(name for name, _ in self.numbers if name is not None))

    def add(self, record: Mapping[str, Any]) -> None:
        """Count a recorded score, and hold its numbers alone."""
        kept = bool(record.get("kept"))
        self.kept, self.dropped = self.kept + kept, self.dropped + (not kept)
        for name, value in [(None, record["value"]), *(record.get("parts") or {}).items()]:
            if value is not None:
                self.numbers.setdefault((name, kept), array("d")).append(value)

    def values(self, kept: bool, part: str | None = None) -> Sequence[float]:
        """The scores, or one part of each, that are numbers."""
        return self.numbers.get((part, kept), array("d"))


def scored_paths(run: RunFiles) -> list[Scored]:
    """Every stage's scores, a scorer at a time."""
    return [scored for stage in run.stages for scored in _by_scorer(stage).values()]


def _by_scorer(stage: StageFiles) -> dict[str, Scored]:
    found: dict[str, Scored] = {}
    for record in stage.records("scores"):
        found.setdefault(record["scorer"], Scored(stage.name, record["scorer"])).add(record)
    return found


def means(scored: Scored) -> Iterator[tuple[str, float | None, float | None]]:
    """The score and each of its parts: name, mean over the kept paths, mean over the dropped."""
    for name, part in ((f"mean {scored.symbol}", None), *((f"mean of its {part.replace('_', ' ')} part", part) for part in scored.parts)):
        yield name, _mean(scored.values(True, part)), _mean(scored.values(False, part))


def _mean(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None


def measured_paths(run: RunFiles) -> dict[str, dict[str, Mapping[str, Any]]]:
    """By stage and measure, the means that a stage reports over its paths and over those it selected from them."""
    found: dict[str, dict[str, Mapping[str, Any]]] = {
        stage.name: {name: one for name, one in _metrics(stage).items() if isinstance(one, dict) and name != "eligibility"}
        for stage in run.stages
    }
    return {name: by_measure for name, by_measure in found.items() if by_measure}


def eligibility(run: RunFiles) -> dict[str, Mapping[str, Any]]:
    """By stage, how a rule that chooses without labels did."""
    return {stage.name: found for stage in run.stages if (found := _metrics(stage).get("eligibility"))}


def _metrics(stage: StageFiles) -> Mapping[str, Any]:
    return (stage.result or {}).get("metrics", {})  # type: ignore[no-any-return]
