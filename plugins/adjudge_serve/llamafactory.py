"""LLaMA-Factory's wire form (``reward_model_type: api``): whole conversations of unrelated prompts, for PPO."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from adjudge import DataError, stable_id
from adjudge_rewards import RewardCall, Said, SampleReward, prompt_text

from .chats import answer_of, turns_of
from .service import Refused, Service


class LlamaFactoryRequest(BaseModel):
    """Conversations with the marks of a chat template, each ending with the answer."""

    messages: list[str] = Field(min_length=1)
    model: str = ""


class LlamaFactoryReply(BaseModel):
    scores: list[float]


def routes(service: Service, known: dict[str, list[str]]) -> APIRouter:
    """The route of this service; `known` has reference answers by prompt."""
    router = APIRouter(tags=["frameworks"])

    @router.post("/llamafactory")
    async def llamafactory(body: LlamaFactoryRequest) -> LlamaFactoryReply:
        """Scores that can be compared between prompts: shares of points against reference answers, or places among equal prompts."""
        rows = [_split(text) for text in body.messages]
        shown = [prompt_text(prompt, "a prompt") for prompt, _ in rows]
        anchors = [known.get(text.strip(), []) or known.get(_last(prompt), []) for text, (prompt, _) in zip(shown, rows, strict=True)]
        for text, some in zip(shown, anchors, strict=True):
            if not some and shown.count(text) == 1:
                raise DataError(
                    "a prompt has a single answer and no reference answer to compare it with.\n"
                    "  Remedy: start the server with --anchors FILE, rows with a prompt and a reference answer."
                )
        call = RewardCall([prompt for prompt, _ in rows], [answer for _, answer in rows], [stable_id(text) for text in shown], anchors)
        answer = await service.judged(call)
        pairs = zip(shown, answer.rewards, anchors, strict=True)
        return LlamaFactoryReply(scores=[_score(text, one, bool(some), shown, answer.rewards) for text, one, some in pairs])

    return router


def _split(text: str) -> tuple[list[dict[str, Any]], str]:
    """A conversation's prompt and its last answer."""
    turns = turns_of(answer_of(text))
    if len(turns) < 2 or turns[-1][0] != "assistant":
        raise DataError(
            "a conversation does not end with an answer in the marks of a known chat template.\n"
            "  Remedy: use a template with the marks of ChatML, Llama 3 or Gemma."
        )
    return [{"role": role, "content": said} for role, said in turns[:-1]], turns[-1][1]


def _last(prompt: Said) -> str:
    return str(prompt[-1]["content"]).strip() if not isinstance(prompt, str) else prompt


def _score(text: str, one: SampleReward, anchored: bool, shown: list[str], rewards: list[SampleReward]) -> float:
    """An undecided one has the mean of its prompt's others; where there are none there is no number, and an error in its place."""
    value = one.absolute if anchored else one.value
    if value is not None:
        return value
    others = [other.absolute if anchored else other.value for said, other in zip(shown, rewards, strict=True) if said == text]
    decided = [other for other in others if other is not None]
    if not decided:
        raise Refused(503, "undecided", one.reason or "no judgement against its reference answers could be read", retry_after=1)
    return sum(decided) / len(decided)
