"""OpenRLHF's wire form (``--reward.remote_url``): one completion to a request, whose client waits (that of openrlhf 0.11.2)."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from adjudge import DataError
from adjudge_rewards import Told

from .chats import answer_of, conversation
from .labels import anchors_in, of_label, row_of
from .service import Refused, Service, Size, number


class OpenRlhfRequest(BaseModel):
    """Prompts, each with its answer behind it, and the labels of their rows."""

    query: list[str] = Field(min_length=1)
    prompts: list[str]
    labels: list[Any] = []


class OpenRlhfReply(BaseModel):
    rewards: list[float]
    """Within the group; where one is undecided, the mean of its group."""
    scores: list[float]
    """In [0, 1], for dynamic filtering; see `score`."""
    extra_logs: dict[str, float]


def routes(service: Service) -> APIRouter:
    """The route of this service."""
    router = APIRouter(tags=["frameworks"])

    @router.post("/openrlhf", response_model=OpenRlhfReply)
    async def openrlhf(body: OpenRlhfRequest, n: Size = None, run: str = "") -> dict[str, Any]:
        """Rewards of OpenRLHF's completions, each once its group is complete. `n` is the group's size, `run` keeps trainings apart."""
        labels = body.labels or [""] * len(body.query)
        if not len(body.query) == len(body.prompts) == len(labels):
            raise DataError("query, prompts and labels differ in length.\n  Remedy: send one of each for every completion.")
        if len(labels) > service.settings.max_samples:
            raise Refused(413, "too_many_samples", f"a request has {service.settings.max_samples} completions at most")
        asked = [_one(service, *row, n, run) for row in zip(body.query, body.prompts, labels, strict=True)]
        told = [await asked[0]] if len(asked) == 1 else await together(asked)
        return reply(told)

    return router


async def _one(service: Service, query: str, prompt: str, label: Any, n: int | None, run: str) -> Told:
    if not query.startswith(prompt):
        raise DataError("a query does not begin with its prompt.\n  Remedy: send both as one tokenizer decodes them.")
    said = of_label(label)
    group = ("openrlhf", run, said.group or row_of(prompt, label))
    size = service.size_of(said.size, said.split, n)
    anchors = anchors_in(label, service.anchor)
    return await service.ask(conversation(prompt), answer_of(query[len(prompt) :]), group, size, said.slot, anchors)


async def together(asked: list[Any]) -> list[Told]:
    """What all of them are told; the first error, once none is waited for any more."""
    found = await asyncio.gather(*asked, return_exceptions=True)
    for one in found:
        if isinstance(one, BaseException):
            raise one
    return [one for one in found if isinstance(one, Told)]


def reply(told: list[Told]) -> dict[str, Any]:
    """An `OpenRlhfReply`: always the same keys of logs, and numbers alone."""
    first, *others = [one.reward.metrics for one in told]
    logs = {name: (value + sum(one[name] for one in others)) / len(told) for name, value in first.items()} if others else first
    return {"rewards": [number(one) for one in told], "scores": [score(one) for one in told], "extra_logs": logs}


def score(told: Told) -> float:
    """What OpenRLHF's dynamic filter averages over a group, to drop it unless the mean lies between 0 and 1, both excluded.

    With anchors it is the share of points against them; one that is undecided counts as the others' mean. Without, it is the place
    between the group's lowest reward, 0, and its highest, 1. A group without any difference has nothing to teach: all 0, and it is dropped.
    """
    if told.group.absolute is not None:
        return told.group.absolute if told.reward.absolute is None else told.reward.absolute
    low, high = told.group.span
    return (number(told) - low) / (high - low) if high > low else 0.0
