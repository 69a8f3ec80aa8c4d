"""NeMo Gym's ``/aggregate_metrics``: the figures of rollouts that were verified, which Gym's collector asks an agent for at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

TASK = "_ng_task_index"


class MetricsRequest(BaseModel):
    """What ``/verify`` replied to every rollout, without what was asked and answered."""

    verify_responses: list[dict[str, Any]]


class MetricsReply(BaseModel):
    group_level_metrics: list[dict[str, Any]]
    """The same of each task."""
    agent_metrics: dict[str, float]
    """Means of every number, by ``mean/NAME``."""
    key_metrics: dict[str, float]
    """The mean reward, and the share of rollouts that are masked."""


def routes() -> APIRouter:
    router = APIRouter(tags=["frameworks"])

    @router.post("/aggregate_metrics")
    async def aggregate_metrics(body: MetricsRequest) -> MetricsReply:
        """Means of rollouts, over all and for each task; masked ones count in `mean/masked` alone, and in what judging took."""
        tasks: dict[Any, list[dict[str, Any]]] = {}
        for one in body.verify_responses:
            tasks.setdefault(str(one.get(TASK)), []).append(one)
        groups = [{TASK: some[0].get(TASK), **_means(some)} for some in tasks.values()]
        means = _means(body.verify_responses)
        keys = {name: means[name] for name in ("mean/reward", "mean/masked") if name in means}
        return MetricsReply(group_level_metrics=groups, agent_metrics=means, key_metrics=keys)

    return router


def _means(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    values: dict[str, list[float]] = {}
    for row in rows:
        masked = bool(row.get("mask_sample"))
        values.setdefault("masked", []).append(float(masked))
        for name, value in row.items():
            number = isinstance(value, int | float) and not isinstance(value, bool) and not name.startswith("_")
            if number and (not masked or name in ("adjudge_tokens", "adjudge_seconds")):
                values.setdefault(name, []).append(float(value))
    return {f"mean/{name}": sum(found) / len(found) for name, found in values.items()}
