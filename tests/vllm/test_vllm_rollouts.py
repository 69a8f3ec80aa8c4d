"""GRPO whose rollouts TRL samples through vLLM, for real on a CPU: the weights that vLLM samples with are those of the step before.

On a CPU vLLM packs weights so that none can be put in their place. `UNPACKED`, which every process imports, leaves them as they are; the
rest is as on a GPU, but for the sleeping, which takes CUDA.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from adjudge import ReasoningPath, Records
from adjudge_arithmetic import ArithmeticDataset
from adjudge_engines import HfEngine
from adjudge_judges import ArithmeticJudge

JUDGE = ArithmeticJudge()
RUN = """
out: {out}
model: adjudge_arithmetic:model
engine: {engine}
data: {{use: arithmetic, levels: [1, 2], size: 24}}
launch: {launch}
stages:
  - use: grpo
    steps: 4
    prompts_per_step: 8
    group: 4
    learning_rate: 1.0e-3
    trl: {{use_vllm: true, vllm_mode: colocate, vllm_gpu_memory_utilization: 0.1, vllm_max_model_length: 256}}
evaluation:
  sets:
    graded: {{use: arithmetic, part: test, levels: [1, 2], size: 20}}
"""
UNPACKED = """
import importlib.abc, importlib.util, sys

class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name != "vllm.model_executor.layers.utils":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        load = spec.loader.exec_module

        def loaded(module):
            import torch
            load(module)
            module.dispatch_cpu_unquantized_gemm = lambda layer, remove_weight: setattr(layer, "cpu_linear", torch.nn.functional.linear)

        spec.loader.exec_module = loaded
        return spec

sys.meta_path.insert(0, Finder())
"""
VLLM = "{use: vllm, dtype: float32, eager: true, extra: {kv_cache_memory_bytes: 268435456}}"


@pytest.mark.parametrize(("engine", "launch"), [(VLLM, "null"), ("{use: hf, dtype: float32}", "{processes: 2}")])
def test_rollouts_are_sampled_with_the_weights_of_the_step_before(tmp_path: Path, embedded: Path, engine: str, launch: str) -> None:
    """Alone, with engine `vllm` before and after the training in the same process; and over two processes, each with a vLLM of its own."""
    out, file = tmp_path / "out", tmp_path / "run.yaml"
    file.write_text(RUN.format(out=out, engine=engine, launch=launch))
    (tmp_path / "sitecustomize.py").write_text(UNPACKED)
    done = subprocess.run(
        [sys.executable, "-m", "adjudge", "run", str(file)], env={**os.environ, "PYTHONPATH": str(tmp_path), "VLLM_CPU_KVCACHE_SPACE": "1"},
        capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    steps = rows(out / "records" / "1-grpo-steps.jsonl")
    assert [step["step"] for step in steps] == [1, 2, 3, 4]
    assert len(rows(out / "records" / "1-grpo-rollouts.jsonl")) == 4 * 32
    gaps = [step["logged"]["sampling/sampling_logp_difference/mean"] for step in steps]
    assert max(gaps) < 0.02, "nats per token between vLLM, in half precision, and the model in training"
    assert moved(embedded, out / "stages" / "1-grpo" / "model", out) > 5 * max(gaps), "what they would be had vLLM kept its first weights"
    assert json.loads((out / "stages" / "1-grpo" / "result.json").read_text())["evaluation"]["graded"]["n"] == 20


def moved(first: Path, trained: Path, out: Path) -> float:
    """Mean change of the log-probability of a token that the trained model writes, in nats."""
    paths = Records(out / "records" / "1-grpo-evaluation-graded.jsonl").load(ReasoningPath)
    problems = {problem.id: problem for problem in ArithmeticDataset(size=20, levels=[1, 2], part="test").load()}
    found: list[list[float]] = []
    for folder in (first, trained):
        with HfEngine(dtype="float32").open(folder) as session:
            found.append([])
            for path in paths:
                prompt = JUDGE.render(problems[path.problem_id], path.order)
                found[-1] += session.logprobs(prompt, [path.completion.token_ids])[0]
    return sum(abs(one - other) for one, other in zip(*found, strict=True)) / len(found[0])


def rows(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]
