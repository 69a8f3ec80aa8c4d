"""tinker-cookbook 0.6: a builder of groups whose answers are ranked against each other once the last one is there.

The cookbook's own tournament cuts a group into fours: of five answers the fifth meets nobody and gets 0. Here all are compared. tinker has
no mask, so an undecided answer gets the mean of its group, and ``adjudge_undecided`` in the metrics says so. A builder travels between
processes by pickle; it holds the reward's file, and each process that grades opens the judge for itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .framework import tested_with
from .in_process import cohorts_of
from .undecided import decided

# ruff: noqa: E402 – what is missing is told before it is imported
tested_with("tinker_cookbook", ">=0.6,<0.7", "pip install tinker-cookbook")

from tinker_cookbook.renderers import Renderer, get_text_content
from tinker_cookbook.rl.preference_envs import PreferenceEnv
from tinker_cookbook.rl.types import Env, EnvGroupBuilder, Metrics, Trajectory


@dataclass(frozen=True)
class RankedGroupBuilder(EnvGroupBuilder):  # type: ignore[misc]
    """`num_envs` answers to one conversation, each in one turn, ranked as the file says."""

    convo_prefix: list[dict[str, Any]]
    policy_renderer: Renderer
    num_envs: int
    reward: str
    """The reward's file."""
    anchors: tuple[str, ...] = ()
    """Reference answers."""

    async def make_envs(self) -> Sequence[Env]:
        return [PreferenceEnv(self.convo_prefix, self.policy_renderer) for _ in range(self.num_envs)]

    async def compute_group_rewards(self, trajectory_group: list[Trajectory], env_group: Sequence[Env]) -> list[tuple[float, Metrics]]:
        """A number and metrics for each, in order; trajectories that failed are not handed over, and nobody is compared with them."""
        texts = [self._text(trajectory) for trajectory in trajectory_group]
        cohorts, group = cohorts_of(self.reward), object()
        found = await asyncio.gather(
            *(cohorts.ask(self.convo_prefix, text, group=group, size=len(texts), anchors=self.anchors) for text in texts)
        )
        values = decided(found, [0] * len(found), "mean")
        return [(value or 0.0, one.metrics) for value, one in zip(values, found, strict=True)]

    def logging_tags(self) -> list[str]:
        return ["adjudge"]

    def _text(self, trajectory: Trajectory) -> str:
        message, _ = self.policy_renderer.parse_response(trajectory.transitions[-1].ac.tokens)
        return str(get_text_content(message))
