"""What happens to the rollouts of a GRPO stage: read by the judge, rewarded by the rules, recorded, and counted by step."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from accelerate.utils import gather_object
from transformers import TrainerCallback

from adjudge import Completion, Order, Outcome, Problem, ReasoningPath, RecordFile, StageContext, read_verdict, stable_id
from adjudge_engines import TokenOffsets, tokens_until_stop
from adjudge_trl import numbers

from .rules import group_rewards, rule_values

if TYPE_CHECKING:
    from .grpo import Grpo


DECIDED = [outcome.value for outcome in Outcome if outcome.decided]


class RolloutRewards:
    """TRL's reward function: reads each completion with the judge, applies the rules, records the rollouts."""

    __name__ = "adjudge"

    def __init__(self, options: Grpo, stage: StageContext, problems: Sequence[Problem], done: int) -> None:
        self.rules, self.group = options.rules, options.group
        self.judge, self.problems, self.process_group = stage.judge, problems, stage.process_group
        self.rollouts = after_resume(stage.records("rollouts", options.steps * options.prompts_per_step * options.group), done)
        self.steps = after_resume(stage.records("steps", options.steps), done)
        self.signal: list[bool] = []
        """For each rollout of this process in the last call, whether its group holds right and wrong ones, and rewards that differ."""
        self.last: dict[str, float | None] = {}
        """What the step record says of the last call."""
        self.lengths: list[int] = []
        """For each rollout of this process in the last call, its tokens up to the judge's stop string; others are not trained on."""
        self.decided = 0
        """Rollouts of all processes so far that are a verdict."""
        self.end_of_turn: set[int] = set()
        """Tokens that end a completion; set by the trainer, which knows them."""
        self.token_offsets: TokenOffsets | None = None
        """Reads tokens as engines do, and says where each ends in its text; set with the former."""
        self.opened = ""
        """What the chat template writes before a completion, where it begins the thinking itself; set with the former."""

    def __call__(
        self, completions: list[Any], completion_ids: list[list[int]], problem: list[int], order: list[Order], trainer_state: Any, **_: Any
    ) -> list[float | None]:
        step = trainer_state.global_step + 1
        first = self.process_group.rank * len(completions)
        mine = [
            self._rollout(step, first + index, self.problems[problem[index]], order[index], completion[0]["content"], ids)
            for index, (completion, ids) in enumerate(zip(completions, completion_ids, strict=True))
        ]
        everyone: list[dict[str, Any]] = gather_object(mine)  # in the order of the batch; a group may lie in two processes
        self.decided += sum(rollout["outcome"] in DECIDED for rollout in everyone)
        groups = [everyone[start : start + self.group] for start in range(0, len(everyone), self.group)]
        for group in groups:
            for rollout, reward in zip(group, group_rewards(self.rules, [one["parts"] for one in group]), strict=True):
                rollout["reward"] = reward
                self.rollouts.append(rollout)
        taught = [self._teaches(group) for group in groups]
        signal = [keep for keep in taught for _ in range(self.group)]
        self.signal = signal[first : first + len(mine)]
        self.lengths = [rollout["tokens"] for rollout in mine]
        self.last = _means(everyone, taught)
        return [rollout["reward"] for rollout in everyone[first : first + len(mine)]]

    def _teaches(self, group: list[dict[str, Any]]) -> bool:
        """Whether a group holds right and wrong rollouts, as far as there is a label, and rewards that differ."""
        mixed = group[0]["label"] is None or 0 < sum(rollout["right"] for rollout in group) < self.group
        return mixed and differ([rollout["reward"] for rollout in group])

    def _rollout(self, step: int, index: int, problem: Problem, order: Order, text: str, ids: list[int]) -> dict[str, Any]:
        """What is recorded of a completion, given with its place in the step's batch; its reward is known once its group is whole."""
        path = self._read(stable_id(step, index), problem, order, index % self.group, text, ids)
        return {
            "id": path.id, "step": step, "problem_id": path.problem_id, "order": path.order, "text": path.completion.text,
            "tokens": len(path.completion.token_ids), "outcome": path.outcome, "right": bool(path.right(problem)), "reward": None,
            "parts": rule_values(self.rules, problem, path), **problem.shown(order),
        }  # fmt: skip

    def _read(self, ident: str, problem: Problem, order: Order, index: int, text: str, ids: list[int]) -> ReasoningPath:
        truncated = self.end_of_turn.isdisjoint(ids[-1:])
        if self.token_offsets is not None:  # TRL leaves out marks of thinking that are special tokens
            text, ends = self.token_offsets(ids)
            if (length := tokens_until_stop(text, ends, self.judge.stop)) is not None:
                text, ids, truncated = text[: ends[length - 1]], ids[:length], False
        sampled = Completion(text, tuple(ids), truncated=truncated, opened=self.opened)
        return ReasoningPath(ident, problem.id, order, index, sampled, read_verdict(self.judge, sampled))


def _means(rollouts: list[dict[str, Any]], taught: list[bool]) -> dict[str, float | None]:
    """What the step record says of a batch; no accuracy where no problem has a label."""
    known = [rollout["reward"] for rollout in rollouts if rollout["reward"] is not None]
    labelled = [rollout["right"] for rollout in rollouts if rollout["label"] is not None]
    return {
        "reward": sum(known) / max(1, len(known)),
        "accuracy": sum(labelled) / len(labelled) if labelled else None,
        "skipped_groups": 1 - sum(taught) / len(taught),
        "tokens": sum(rollout["tokens"] for rollout in rollouts) / len(rollouts),
    }


def differ(rewards: list[float | None]) -> bool:
    """Whether the rules tell any two rollouts of a group apart."""
    return len({reward for reward in rewards if reward is not None}) > 1


class RolloutStepRecorder(TrainerCallback):  # type: ignore[misc]
    """Writes one record per optimiser step, with its loss and what its rollouts came to."""

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
             "entropy": logs.get("entropy"), "kl": logs.get("kl"), **self.rewards.last, "seconds": round(seconds, 3),
             "logged": numbers(logs)}
        )  # fmt: skip


def after_resume(records: RecordFile, step: int) -> RecordFile:
    """Drop what was recorded after the checkpoint that training goes on from: those steps are made again."""
    records.keep(lambda record: record["step"] <= step)
    return records
