"""What happens to the answers of a policy stage: put together from all processes, rewarded, recorded, and counted by step."""

from __future__ import annotations

import time
from typing import Any

from transformers import TrainerCallback

from adjudge import Problem, RecordFile, StageContext, stable_id
from adjudge_rewards import from_main, gathered, rank
from adjudge_trl import numbers

from .rewards import Answer, Judged, RewardFunction, Values


class AnswerRewards:
    """TRL's reward function."""

    __name__ = "adjudge"

    def __init__(
        self, stage: StageContext, problems: list[Problem], starts: dict[str, str], group: int, rewarded: RewardFunction, judged: Judged,
        answers: RecordFile,
    ) -> None:  # fmt: skip
        self.problems, self.starts, self.group, self.rewarded, self.judged, self.records = (
            problems,
            starts,
            group,
            rewarded,
            judged,
            answers,
        )
        self.stage = stage
        self.last: dict[str, float | None] = {}
        """What the step record says of the last call."""

    def __call__(
        self, completions: list[Any], completion_ids: list[list[int]], problem: list[int], trainer_state: Any, **_: Any
    ) -> list[float | None]:
        own = [
            (completion[0]["content"], len(ids), place) for completion, ids, place in zip(completions, completion_ids, problem, strict=True)
        ]
        parts = gathered(own)
        values = from_main(lambda: self._rewarded(trainer_state.global_step + 1, [one for part in parts for one in part]))
        first = sum(map(len, parts[: rank()]))
        return values[first : first + len(own)]

    def _rewarded(self, step: int, made: list[tuple[str, int, int]]) -> Values:
        """The rewards of a whole batch, in which groups follow each other; recorded."""
        answers = [
            Answer(self.problems[place], text, index // self.group, self.starts[self.problems[place].prompt])
            for index, (text, _, place) in enumerate(made)
        ]
        values = self.rewarded(answers)
        for index, (answer, value, (_, tokens, _)) in enumerate(zip(answers, values, made, strict=True)):
            self.records.append(
                {"id": stable_id(step, index), "step": step, "problem_id": answer.problem.id, "prompt": answer.problem.prompt,
                 "text": answer.text, "reward": value, "right": answer.right, "tokens": tokens}
            )  # fmt: skip
        known = [value for value in values if value is not None]
        labelled = [answer.right for answer in answers if answer.right is not None]
        self.last = {
            "reward": sum(known) / len(known) if known else None,
            "accuracy": sum(labelled) / len(labelled) if labelled else None,
            "undecided": 1 - len(known) / len(values),
            "tokens": sum(tokens for _, tokens, _ in made) / len(made),
            "judge_tokens": self.judged.totals["judge_tokens"],
        }
        return values


class AnswerStepRecorder(TrainerCallback):  # type: ignore[misc]
    """Writes one record per optimiser step, with its loss and what its answers came to."""

    def __init__(self, rewards: AnswerRewards, steps: RecordFile, total: int) -> None:
        self.rewards, self.steps, self.total = rewards, steps, total
        self.started = time.monotonic()

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any) -> None:
        if not logs or "loss" not in logs:
            return
        seconds, self.started = time.monotonic() - self.started, time.monotonic()
        self.steps.append(
            {"id": f"step-{state.global_step}", "step": state.global_step, "total": self.total, "loss": logs["loss"],
             "entropy": logs.get("entropy"), "kl": logs.get("kl"), **self.rewards.last, "seconds": round(seconds, 3),
             "logged": numbers(logs)}
        )  # fmt: skip
