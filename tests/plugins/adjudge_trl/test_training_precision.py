"""In which precision stages train on a CPU: large models by autocast where the CPU multiplies bfloat16, their weights in float32."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path as FilePath
from typing import Any

import pytest

pytest.importorskip("trl", reason="trl is absent: stages train through it")

import torch

from adjudge import JobError, Stage
from adjudge_arithmetic import ArithmeticDataset
from adjudge_engines import HfEngine, precision
from adjudge_grpo import Grpo
from adjudge_judges import ArithmeticJudge
from adjudge_trl import settings

pytestmark = pytest.mark.skipif(torch.accelerator.is_available(), reason="an accelerator trains here, and not the CPU")


@pytest.fixture
def stage(embedded: FilePath, tmp_path: FilePath) -> Stage:
    problems = list(ArithmeticDataset(size=20, levels=[1, 2]).load())
    judge = ArithmeticJudge(max_new_tokens=64)
    return Stage(1, "grpo", tmp_path / "1-grpo", tmp_path / "records", embedded, embedded, judge, HfEngine(), problems)


def test_a_model_gains_by_autocast_from_a_size_on_and_on_a_cpu_that_can(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "fast_bfloat16", lambda: True)
    assert settings(stage, {})["bf16"] is False, "the embedded judge is small"
    monkeypatch.setattr(precision, "GAINS", 1000)
    assert settings(stage, {})["bf16"] is True
    assert settings(stage, {"bf16": False})["bf16"] is False, "the stage's own table is above it"
    monkeypatch.setattr(precision, "fast_bfloat16", lambda: False)
    assert settings(stage, {})["bf16"] is False


@pytest.mark.slow
def test_a_stage_trains_by_autocast_and_its_weights_stay_in_float32(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    import adjudge_grpo.train

    monkeypatch.setattr(precision, "fast_bfloat16", lambda: True)
    monkeypatch.setattr(precision, "GAINS", 1000)
    fit, seen = adjudge_grpo.train.fit, dict[str, Any]()

    def look(module: Any, given: Any, made: Any) -> None:
        seen["products"] = made.dtype

    def watched(trainer: Any, *rest: Any) -> None:
        before = {name: weight.clone() for name, weight in trainer.model.named_parameters()}
        trainer.accelerator.unwrap_model(trainer.model).model.layers[0].mlp.down_proj.register_forward_hook(look)
        fit(trainer, *rest)
        seen["moved"] = any(not torch.equal(before[name], weight) for name, weight in trainer.model.named_parameters())
        seen["weights"] = {weight.dtype for weight in trainer.model.parameters()}

    monkeypatch.setattr(adjudge_grpo.train, "fit", watched)
    with suppress(JobError):  # where none of so few rollouts taught anything
        Grpo(steps=2, prompts_per_step=4, group=4, learning_rate=1e-4, temperature=1.5).train(stage)
    assert seen == {"products": torch.bfloat16, "moved": True, "weights": {torch.float32}}
