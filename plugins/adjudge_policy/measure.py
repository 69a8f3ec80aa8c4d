"""Measures a policy while it learns: the share of right answers, and beside it what the judge says of them; where the two part, the policy
has begun to learn the judge's mistakes.

The judge's number is comparable over steps, as a reward within a group is not: the share of points against the first policy's answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from transformers import TrainerCallback

from adjudge import Problem, RecordFile, StageContext, stable_seed, wilson

from .rewards import Answer, Judged

if TYPE_CHECKING:
    from .policy import Policy

BATCH = 128
"""Answers that are written at once."""


class Measurements(TrainerCallback):  # type: ignore[misc]
    """Before the first step, every few steps, and after the last."""

    def __init__(
        self, options: Policy, stage: StageContext, problems: list[Problem], starts: dict[str, str], judged: Judged, tokenizer: Any,
        curve: RecordFile,
    ) -> None:  # fmt: skip
        self.options, self.stage, self.problems, self.starts = options, stage, problems, starts
        self.judged, self.tokenizer, self.curve = judged, tokenizer, curve

    def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        if state.global_step == 0:
            self._measure(model, 0)

    def on_step_end(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        if state.global_step % self.options.measure_every == 0 or state.global_step == self.options.steps:
            self._measure(model, state.global_step)

    def _measure(self, model: Any, step: int) -> None:
        if not self.problems or not self.stage.process_group.is_main_process:
            return
        texts = self.written(model, stable_seed("policy measured", self.stage.name, self.stage.seed, step))
        answers = [
            Answer(problem, text, place, self.starts[problem.prompt])
            for place, (problem, text) in enumerate(zip(self.problems, texts, strict=True))
        ]
        shares = [share for share in self.judged.against_start(answers) if share is not None]
        right = sum(bool(answer.right) for answer in answers)
        self.curve.append(
            {"id": f"step-{step}", "step": step, "share_right": right / len(answers), "interval": list(wilson(right, len(answers))),
             "judge": sum(shares) / len(shares) if shares else None, "undecided": 1 - len(shares) / len(answers), "n": len(answers),
             "texts": texts}
        )  # fmt: skip

    def written(self, model: Any, seed: int) -> list[str]:
        """An answer to every question, sampled as in training; the random numbers of the training are left as they are."""
        prompts = [
            self.tokenizer.apply_chat_template([{"role": "user", "content": one.prompt}], add_generation_prompt=True, tokenize=False)
            for one in self.problems
        ]
        was_training, texts = model.training, []
        model.eval()
        with torch.random.fork_rng(), torch.no_grad():
            torch.manual_seed(seed % 2**63)
            for start in range(0, len(prompts), BATCH):
                batch = self.tokenizer(
                    prompts[start : start + BATCH], return_tensors="pt", padding=True, padding_side="left", add_special_tokens=False
                ).to(model.device)
                made = model.generate(
                    **batch, do_sample=True, temperature=self.options.temperature, top_k=0, top_p=1.0,
                    max_new_tokens=self.options.max_new_tokens,
                )  # fmt: skip
                texts += self.tokenizer.batch_decode(made[:, batch["input_ids"].shape[1] :], skip_special_tokens=True)
        model.train(was_training)
        return texts

    def first_and_last(self) -> dict[str, float]:
        """The stage's metrics: both numbers before the first step and after the last."""
        rows = sorted(self.curve, key=lambda row: row["step"])
        if not rows:
            return {}
        first, last = rows[0], rows[-1]
        found = {"right_before": first["share_right"], "right_after": last["share_right"]}
        return found | {f"judge_{when}": row["judge"] for when, row in (("before", first), ("after", last)) if row["judge"] is not None}
