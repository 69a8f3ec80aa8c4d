"""What happens to the rollouts of a GRPO stage: read by the judge, rewarded by the rules, recorded, and counted by step."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback

from adjudge import Completion, Order, Path, Problem, Stage, read_verdict, stable_id
from adjudge.rundir import Records

from .rules import total_reward

if TYPE_CHECKING:
    from . import Grpo


class RolloutRewards:
    """TRL's reward function: reads each completion with the judge, applies the rules, records the rollouts."""

    __name__ = "adjudge"

    def __init__(self, options: Grpo, stage: Stage, problems: list[Problem], done: int) -> None:
        self.rules, self.group, self.judge, self.problems = options.rules, options.group, stage.judge, problems
        self.rollouts = after_resume(stage.records("rollouts", options.steps * options.prompts_per_step * options.group), done)
        self.steps = after_resume(stage.records("steps", options.steps), done)
        self.signal: list[bool] = []
        """For each rollout of the last call, whether its group holds right and wrong ones, and rewards that differ."""
        self.last: dict[str, float] = {}
        """What the step record says of the last call."""
        self.end_of_turn: set[int] = set()
        """Tokens that end a completion; set by the trainer, which knows them."""

    def __call__(
        self, completions: list[Any], completion_ids: list[list[int]], problem: list[int], order: list[Order], trainer_state: Any, **_: Any
    ) -> list[float | None]:
        step = trainer_state.global_step + 1
        rewards: list[float | None] = []
        right: list[bool] = []
        for index, (completion, ids) in enumerate(zip(completions, completion_ids, strict=True)):
            asked = self.problems[problem[index]]
            path = self._read(stable_id(step, index), asked, order[index], index % self.group, completion[0]["content"], ids)
            reward, parts = total_reward(self.rules, asked, path)
            rewards.append(reward)
            right.append(bool(path.right(asked)))
            self._record(step, path, right[-1], reward, parts)
        taught = [
            0 < sum(right[start : start + self.group]) < self.group and differ(rewards[start : start + self.group])
            for start in range(0, len(right), self.group)
        ]
        self.signal = [keep for keep in taught for _ in range(self.group)]
        known = [reward for reward in rewards if reward is not None]
        self.last = {
            "reward": sum(known) / max(1, len(known)),
            "accuracy": sum(right) / len(right),
            "skipped_groups": 1 - sum(taught) / len(taught),
            "tokens": sum(map(len, completion_ids)) / len(completion_ids),
        }
        return rewards

    def _read(self, ident: str, problem: Problem, order: Order, index: int, text: str, ids: list[int]) -> Path:
        sampled = Completion(text, tuple(ids), truncated=ids[-1] not in self.end_of_turn)
        return Path(ident, problem.id, order, index, sampled, read_verdict(self.judge, sampled))

    def _record(self, step: int, path: Path, right: bool, reward: float | None, parts: dict[str, float | None]) -> None:
        self.rollouts.append(
            {"id": path.id, "step": step, "problem_id": path.problem_id, "order": path.order, "text": path.completion.text,
             "outcome": path.outcome, "right": right, "reward": reward, "parts": parts}
        )  # fmt: skip


def differ(rewards: list[float | None]) -> bool:
    """Whether the rules tell any two rollouts of a group apart."""
    return len({reward for reward in rewards if reward is not None}) > 1


class StepRecorder(TrainerCallback):  # type: ignore[misc]
    """Writes one record per optimiser step."""

    def __init__(self, rewards: RolloutRewards, total: int) -> None:
        self.rewards, self.total = rewards, total
        self.started = time.monotonic()

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any) -> None:
        if not logs or "loss" not in logs:
            return
        seconds = time.monotonic() - self.started
        self.started = time.monotonic()
        self.rewards.steps.append(
            {"id": f"step-{state.global_step}", "step": state.global_step, "total": self.total, "loss": logs["loss"],
             "entropy": logs.get("entropy"), "kl": logs.get("kl"), **self.rewards.last, "seconds": round(seconds, 3)}
        )  # fmt: skip


def after_resume(records: Records, step: int) -> Records:
    """Drop what was recorded after the checkpoint that training goes on from: those steps are made again."""
    records.keep(lambda record: record["step"] <= step)
    return records
