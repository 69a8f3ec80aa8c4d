"""NeMo Gym: a resources server whose ``/verify`` waits for a rollout's group and has it judged as a whole (tested with Gym at 07d6b0d).

Gym verifies one rollout at a time. Its rows may say who belongs together (``_ng_group_id``, ``_ng_group_attempt``, and the place
``_ng_rollout_index``): a rollout that is sent again then waits on, or has its reward at once. Rows without them are a group by their task
and prompt. An undecided rollout is masked (``mask_sample``), with the reason; its reward is the mean of its group, for trainers that
overlook the mask.
"""

from __future__ import annotations

from typing import Any, ClassVar

from adjudge import ConfigError, DataError

from .cohorts import Cohorts, SlotTaken
from .framework import tested_with
from .group_reward import SampleReward
from .in_process import LazyReward

# ruff: noqa: E402 – what is missing is told before it is imported
tested_with("nemo_gym", ">=0.5,<0.6", "clone github.com/NVIDIA-NeMo/Gym and put it on the path")

from fastapi import HTTPException
from nemo_gym.base_resources_server import (
    BaseResourcesServerConfig,
    BaseVerifyRequest,
    BaseVerifyResponse,
    ReverifyMode,
    SimpleResourcesServer,
)
from pydantic import ConfigDict, PrivateAttr

GROUP, ATTEMPT, ROLLOUT, TASK = "_ng_group_id", "_ng_group_attempt", "_ng_rollout_index", "_ng_task_index"


class AdjudgeConfig(BaseResourcesServerConfig):  # type: ignore[misc]
    """Of a resources server in Gym's configuration."""

    REVERIFY_MODE: ClassVar[ReverifyMode] = ReverifyMode.UNSUPPORTED  # a rollout by itself has no place among others
    reward: str
    """The file ``reward.yaml``."""
    num_rollouts_per_prompt: int
    """How many make a group, where a row does not say it in ``group_size``."""
    collect_seconds: float = 1800
    """How long the first of a group waits for the last."""


class VerifyRequest(BaseVerifyRequest):  # type: ignore[misc]
    """A rollout with all fields of its row."""

    model_config = ConfigDict(extra="allow")


class VerifyResponse(BaseVerifyResponse):  # type: ignore[misc]
    """The same, with its reward."""

    model_config = ConfigDict(extra="allow")


class AdjudgeResourcesServer(SimpleResourcesServer):  # type: ignore[misc]
    """What ``app.py`` of a folder in ``resources_servers/`` runs: ``AdjudgeResourcesServer.run_webserver()``."""

    config: AdjudgeConfig
    _reward: LazyReward = PrivateAttr()
    _cohorts: Cohorts = PrivateAttr()

    def model_post_init(self, context: Any, /) -> None:
        super().model_post_init(context)
        if (self.config.num_workers or 1) > 1:
            raise ConfigError("a group meets in one process.\n  Remedy: leave num_workers out, or set it to 1.")
        self._reward = LazyReward(self.config.reward)
        self._cohorts = Cohorts(self._reward, undecided="mean", collect_seconds=self.config.collect_seconds)

    async def verify(self, body: VerifyRequest) -> VerifyResponse:
        row = body.model_extra or {}
        asked = body.responses_create_params.model_dump(exclude_none=True)
        prompt = _conversation(asked.get("instructions"), asked["input"])
        size = int(row.get("group_size") or self.config.num_rollouts_per_prompt)
        group, slot = _place(row, prompt, size)
        try:
            found = await self._cohorts.ask(
                prompt, _answer(body.response), group=group, size=size, slot=slot, anchors=self._reward.anchors_in(row)
            )
        except SlotTaken as error:
            raise HTTPException(409, str(error)) from None
        except DataError as error:
            raise HTTPException(422, str(error)) from None
        return VerifyResponse(**body.model_dump() | _told(row, found))


def _place(row: dict[str, Any], prompt: list[dict[str, str]], size: int) -> tuple[Any, int | None]:
    """The group of a row, and its place in it where the row says both."""
    if row.get(GROUP) is None:
        return (row.get(TASK), str(prompt)), None
    slot = row.get(ROLLOUT)
    if not isinstance(slot, int) or not 0 <= slot < size:
        raise HTTPException(422, f"{ROLLOUT} is {slot!r}, and a group of {size} has the places 0 to {size - 1}.")
    return (row[GROUP], row.get(ATTEMPT)), slot


def _told(row: dict[str, Any], found: SampleReward) -> dict[str, Any]:
    """What is added to a rollout; an undecided one is masked in each of the ways that Gym and its trainers read."""
    cost = {"adjudge_tokens": found.tokens, "adjudge_seconds": found.seconds}
    told: dict[str, Any] = {"reward": found.value, "mask_sample": bool(found.reason), **cost}
    if found.absolute is not None:
        told["absolute"] = found.absolute
    if found.reason:
        told |= {
            "failure_kind": "undecided",
            "failure_reason": found.reason,
            "_ng_failure_class": "judge_failed",
            "instance_config": {**(row.get("instance_config") or {}), "mask_sample": True},
        }
    return told


def _conversation(instructions: str | None, said: Any) -> list[dict[str, str]]:
    """The prompt of a Responses request as messages of texts."""
    turns = [{"role": "system", "content": instructions}] if instructions else []
    if isinstance(said, str):
        return [*turns, {"role": "user", "content": said}]
    return [*turns, *({"role": one["role"], "content": _text(one["content"])} for one in said if one.get("role"))]


def _answer(response: Any) -> str:
    """What the last message of a response says; nothing where it has none."""
    messages = [one for one in response.model_dump()["output"] if one.get("type") == "message" and one.get("role") == "assistant"]
    return _text(messages[-1]["content"]) if messages else ""


def _text(content: Any) -> str:
    return content if isinstance(content, str) else "".join(part.get("text") or "" for part in content)
