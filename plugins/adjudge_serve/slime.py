"""slime's wire form (``--rm-type remote_rm --rm-url``), one completion to a request; the reply is its reward."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from adjudge_rewards import Said, prompt_text

from .chats import answer_of, conversation
from .labels import anchors_in, of_label, row_of
from .service import Service, Size, number


class SlimeRequest(BaseModel):
    """A prompt, as a text or messages, and one response."""

    prompt: str | list[dict[str, Any]]
    response: str
    label: Any = None


def routes(service: Service) -> APIRouter:
    """The route of this service."""
    router = APIRouter(tags=["frameworks"])

    @router.post("/slime")
    async def slime(body: SlimeRequest, n: Size = None, run: str = "") -> float:
        """The reward of one of slime's completions, once its group is complete; the mean of the group where it is undecided."""
        prompt: Said = conversation(body.prompt) if isinstance(body.prompt, str) else body.prompt
        said = of_label(body.label)
        row = said.group or row_of(prompt_text(prompt, "prompt"), body.label)
        group, size = ("slime", run, row), service.size_of(said.size, said.split, n)
        anchors = anchors_in(body.label, service.anchor)
        return number(await service.ask(prompt, answer_of(body.response), group, size, said.slot, anchors))

    return router
