"""NeMo Gym's wire forms: a resources server's ``/verify``, one rollout to a request, and ``/compare``, a whole group in one."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from adjudge import DataError, stable_id
from adjudge_rewards import RewardCall, Said, Told, decided, prompt_text

from .labels import anchors_in
from .service import Service, Size, number


class VerifyRequest(BaseModel):
    """A row of the data set, with what was asked and the response; all of it is given back."""

    model_config = ConfigDict(extra="allow")
    responses_create_params: dict[str, Any]
    response: dict[str, Any]
    group_id: str | int | None = Field(None, alias="_ng_group_id")
    group_attempt: int = Field(0, alias="_ng_group_attempt")
    rollout_index: int | None = Field(None, alias="_ng_rollout_index")
    task_index: int | None = Field(None, alias="_ng_task_index")
    group_size: int | None = Field(None, ge=1)
    split: Any = None


class VerifyReply(BaseModel):
    """The request with its reward."""

    model_config = ConfigDict(extra="allow")
    reward: float
    mask_sample: bool
    """Whether it is undecided, and to be left out; its reward is then the mean of its group."""
    failure_kind: str | None = None
    failure_reason: str | None = None


class CompareRequest(BaseModel):
    """A conversation and all responses to it."""

    conversation_history: list[dict[str, Any]] = Field(min_length=1)
    response_objs: list[dict[str, Any]] = Field(min_length=2)
    principle: str | None = None


class Comparison(BaseModel):
    response_i: int
    response_j: int
    judge_idx: int
    score_1: float | None
    """1 for the better one, 0 for the other, a half for a draw; null where it could not be read."""
    score_2: float | None


class CompareReply(BaseModel):
    rewards: list[float]
    comparison_results: list[Comparison]
    metrics: dict[str, float]


def routes(service: Service) -> APIRouter:
    """The routes of this service."""
    router = APIRouter(tags=["frameworks"])

    @router.post("/seed_session")
    async def seed_session() -> dict[str, Any]:
        """Nothing has to be prepared for a rollout."""
        return {}

    @router.post("/verify", response_model=VerifyReply)
    async def verify(body: VerifyRequest, n: Size = None) -> dict[str, Any]:
        """The reward of one rollout, once its group is complete. `n` is the group's size."""
        row = body.model_dump(by_alias=True, exclude_unset=True)
        asked = body.responses_create_params.get("input")
        prompt = asked if isinstance(asked, str) else _messages(asked)
        size = service.size_of(body.group_size, body.split, n)
        group, slot = _place(body, prompt, size)
        told = await service.ask(prompt, response_text(body.response), group, size, slot, anchors_in(row, service.anchor))
        return {**row, **_verdict(told)}

    @router.post("/compare")
    async def compare(body: CompareRequest) -> CompareReply:
        """Rewards of all responses to one conversation."""
        prompt = _messages(body.conversation_history)
        if body.principle:
            prompt = [{"role": "system", "content": body.principle}, *prompt]
        texts = [response_text(one) for one in body.response_objs]
        answer = await service.judged(RewardCall([prompt] * len(texts), texts, [0] * len(texts)))
        values = decided(answer.rewards, [0] * len(texts), "mean", service.cohorts.neutral)
        results = [
            Comparison(response_i=one, response_j=other, judge_idx=0, score_1=points, score_2=None if points is None else 1 - points)
            for one, other, points in answer.matches
        ]
        return CompareReply(rewards=[value or 0.0 for value in values], comparison_results=results, metrics=answer.metrics)

    return router


def _place(body: VerifyRequest, prompt: Said, size: int) -> tuple[tuple[str | int, ...], int | None]:
    """The rollout's group and its slot there; without a group of Gym's own, the task and the prompt name it, and it has no slots."""
    if body.group_id is None:
        return ("gym", "" if body.task_index is None else body.task_index, stable_id(prompt_text(prompt, "input"))), None
    if body.rollout_index is not None and not 0 <= body.rollout_index < size:
        raise DataError(
            f"_ng_rollout_index is {body.rollout_index}, and its group has {size}.\n  Remedy: count from 0, or set --group-size."
        )
    return ("gym", body.group_id, body.group_attempt), body.rollout_index


def _verdict(told: Told) -> dict[str, Any]:
    """What is added to the row. An undecided one is marked as several versions of Gym and of NeMo-RL look for it."""
    cost = {"adjudge_tokens": told.reward.tokens, "adjudge_seconds": told.reward.seconds}
    if not told.reward.reason:
        return {"reward": number(told), "mask_sample": False, "adjudge_absolute": told.reward.absolute, **cost}
    return {
        **cost,
        "reward": number(told),
        "mask_sample": True,
        "failure_kind": "judge_undecided",
        "failure_reason": told.reward.reason,
        "_ng_failure_class": "judge_failed",
        "instance_config": {"mask_sample": True},
    }


def response_text(response: dict[str, Any]) -> str:
    """What the last message of a response of OpenAI's Responses API says."""
    output = response.get("output")
    said = [one for one in output if isinstance(one, dict) and one.get("type", "message") == "message"] if isinstance(output, list) else []
    if not said:
        raise DataError("a response has no output of the type 'message'.\n  Remedy: send the policy's response object as it is.")
    return _content(said[-1].get("content"))


def _messages(items: Any) -> list[dict[str, str]]:
    if not isinstance(items, list) or not items or not all(isinstance(one, dict) for one in items):
        raise DataError("the input is neither a text nor a list of messages.\n  Remedy: send it as it was given to the policy.")
    return [{"role": str(one["role"]), "content": _content(one.get("content"))} for one in items if "role" in one]


def _content(content: Any) -> str:
    """A text, or the texts of its parts."""
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""
