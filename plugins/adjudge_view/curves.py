"""Curves of a run's stages: whatever numbers their records have for each step, ordered by what belongs together."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .index import Index, stage_names
from .lines import Followed

TITLES: dict[str, tuple[str, str]] = {
    "reward": ("reward", "mean reward"),
    "reward_std": ("reward", "spread of rewards within groups"),
    "readable": ("verdicts", "readable rate"),
    "accuracy": ("verdicts", "share of right verdicts"),
    "share_right": ("verdicts", "share of right answers, measured"),
    "judge": ("verdicts", "judge's word against the start"),
    "undecided": ("verdicts", "share of undecided rewards"),
    "loss": ("loss", "loss"),
    "entropy": ("entropy", "entropy of tokens, nats"),
    "kl": ("kl", "KL to the reference, nats"),
    "grad_norm": ("grad_norm", "gradient norm"),
    "learning_rate": ("learning_rate", "learning rate"),
    "skipped_groups": ("skipped_groups", "share of skipped groups"),
    "tokens": ("tokens", "tokens per completion"),
    "judge_tokens": ("tokens", "tokens of the judge"),
    "num_tokens": ("tokens", "tokens seen"),
    "mean_token_accuracy": ("verdicts", "share of tokens predicted"),
    "seconds": ("time", "seconds per step"),
    "step_time": ("time", "trainer's seconds per step"),
}
"""Group and title of the numbers that are known here."""
GROUPS = ("reward", "verdicts", "loss", "entropy", "kl", "grad_norm", "learning_rate", "skipped_groups", "tokens", "time", "other")
LEFT_OUT = ("id", "step", "total", "n", "epoch", "interval", "right")
SAME = 1e-9


def curves(index: Index) -> dict[str, Any]:
    """Every stage that has some, with its curves."""
    found: list[dict[str, Any]] = []
    for stage in _stages(index):
        drawn = [*_measured(index, stage, "steps"), *_parts(index, stage), *_measured(index, stage, "curve")]
        named: dict[str, dict[str, Any]] = {}
        for one in drawn:
            named.setdefault(one["name"], one)
        if named:
            found.append({"stage": stage, "curves": sorted(named.values(), key=lambda one: GROUPS.index(one["group"]))})
    return {"stages": found}


def _stages(index: Index) -> list[str]:
    names = stage_names(index.source.config)
    for file in index.source.record_files():
        stage, name = index.source.stage_and_set(file, names)
        if name in ("steps", "curve") and stage not in names:
            names.append(stage)
    return names


def _measured(index: Index, stage: str, name: str) -> Iterator[dict[str, Any]]:
    """A curve for every number of the stage's records of this name."""
    file = index.source.path / "records" / f"{stage}-{name}.jsonl"
    rows = [row for row, _, _ in Followed(file).new_rows(1 << 30) if isinstance(row.get("step"), int)]
    numbers = [{**_numbers(row.get("logged") or {}), **_numbers(row)} for row in rows]
    for key in dict.fromkeys(key for one in numbers for key in one if key not in LEFT_OUT and "/" not in key[:-1]):
        points = [(row["step"], one[key], row.get("interval")) for row, one in zip(rows, numbers, strict=True) if key in one]
        yield _curve(key, points if key in ("share_right",) else [(x, y, None) for x, y, _ in points])
    for key in dict.fromkeys(key for one in numbers for key in one if "/" in key[:-1]):
        yield _curve(key, [(row["step"], one[key], None) for row, one in zip(rows, numbers, strict=True) if key in one])


def _numbers(row: Mapping[str, Any]) -> dict[str, float]:
    """The finite numbers of a row; ``right`` of earlier versions of a policy's curve is ``share_right`` now."""
    found = {key: float(value) for key, value in row.items() if isinstance(value, int | float) and not isinstance(value, bool)}
    if "right" in found and "interval" in row:
        found.setdefault("share_right", found["right"])
    return {key: value for key, value in found.items() if math.isfinite(value)}


def _parts(index: Index, stage: str) -> Iterator[dict[str, Any]]:
    """The mean of each rule's part of the reward, and the readable rate, from the rollouts themselves."""
    by_part: dict[str, list[tuple[int, float, None]]] = {}
    for (of, step, part), (count, total) in list(index.sums.items()):
        if of == stage:
            by_part.setdefault(part, []).append((step, total / count, None))
    for part, points in by_part.items():
        yield _curve("readable" if part == " readable" else f"reward/{part}", sorted(points))


def _curve(name: str, points: Sequence[tuple[int, float, Any]]) -> dict[str, Any]:
    group, title = TITLES.get(name, ("other", name))
    if name.startswith("reward/"):
        group, title = "reward", f"part of the rule {name.removeprefix('reward/')}"
    values = [value for _, value, _ in points]
    known = all(interval is not None for _, _, interval in points) and bool(points)
    return {
        "name": name, "title": title, "x": [step for step, _, _ in points], "y": values, "x_name": "step", "group": group,
        "low": [interval[0] for _, _, interval in points] if known else None,
        "high": [interval[1] for _, _, interval in points] if known else None,
        "constant": len(values) > 1 and max(values) - min(values) <= SAME * max(1.0, abs(values[0])),
    }  # fmt: skip
