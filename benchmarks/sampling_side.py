"""What one process of `sampling.py` does: sample a cell's prompts, or train one through GRPO, with the code that PYTHONPATH names.

It is run by builds of long ago as well, so it takes no name that they lack.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

LIMIT = 2048
"""Tokens that vLLM is given room for; prompt and judgement of every cell have fewer."""


def status(name: str) -> float:
    """A size of this process's memory in MiB, by Linux's name for it."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1024


def forget_peak() -> float:
    """Let the peak begin here, for loading a model may take more than sampling from it; returns what is held now."""
    Path("/proc/self/clear_refs").write_text("5")
    return status("VmRSS")


def sampled(cell: dict[str, Any], model: str) -> dict[str, Any]:
    """Sample G times from every prompt, and say how that went."""
    with engine_of(cell).open(Path(model)) as session:
        prompts: list[Any] = [chat for problem in range(cell["problems"]) for chat in [_prompt(session, problem, cell["length"])] * 8]
        before = forget_peak()
        list(session.sample(prompts[:2], seeds=[0, 1], temperature=1.0, top_p=1.0, max_new_tokens=2))  # what is tried out and laid out once
        start = time.perf_counter()
        found = dict(
            session.sample(
                prompts, seeds=list(range(len(prompts))), temperature=1.0, top_p=1.0, max_new_tokens=cell["new"], stop=cell.get("stop", [])
            )
        )
        seconds = time.perf_counter() - start
    lengths = [len(found[index].token_ids) for index in range(len(prompts))]
    memory = status("VmHWM") - before
    return {"seconds": seconds, "tokens": sum(lengths), "mean": statistics.mean(lengths), "longest": max(lengths), "extra_mib": memory}


def engine_of(cell: dict[str, Any]) -> Any:
    if cell.get("vllm"):
        from adjudge_engines import VllmEngine

        return VllmEngine(dtype=cell["dtype"], max_model_len=LIMIT, gpu_memory_utilization=0.5)  # of a CPU's memory, which others use, too
    from adjudge_engines import HfEngine

    return HfEngine(dtype=cell["dtype"], device="cpu")


def _prompt(session: Any, problem: int, length: int) -> list[dict[str, str]]:
    encode = session.encode if hasattr(session, "encode") else lambda chat: session.texts.prompts([chat], 1)[0][0]
    text = f"{problem}: "
    while len(encode([{"role": "user", "content": text}])) < length:
        text += f"{problem + 3}+{len(text) % 89}=" if length < 100 else " The second answer names the right sum."
    return [{"role": "user", "content": text}]


def trained(cell: dict[str, Any], model: str) -> dict[str, Any]:
    """GRPO with LoRA: seconds of every step but the first, in which things are made once; tokens are those of a step's rollouts."""
    from trl import GRPOTrainer

    from adjudge import JobError, Stage
    from adjudge_arithmetic import ArithmeticDataset
    from adjudge_engines import HfEngine
    from adjudge_grpo import Grpo, VerdictRule
    from adjudge_judges import ArithmeticJudge
    from adjudge_trl import Lora

    times, lengths, log = [], [], GRPOTrainer.log

    def timed(self: Any, logs: dict[str, float], *args: Any) -> None:
        log(self, logs, *args)
        if "loss" in logs:
            times.append(time.perf_counter())
            lengths.append(logs["completions/mean_length"])

    GRPOTrainer.log = timed
    judge = ArithmeticJudge(temperature=1.0, max_new_tokens=cell["new"])
    more = " The second answer names the right sum." * (cell.get("words", 0) // 7)
    problems = [replace(problem, prompt=problem.prompt + more) for problem in ArithmeticDataset(size=40, levels=[1, 2]).load()]
    rules = [every_group_teaches() if cell.get("teaches") else VerdictRule()]
    parts = {"micro_batch": cell["micro_batch"]} if "micro_batch" in cell else {}
    options = Grpo(steps=cell["steps"], prompts_per_step=cell["problems"], group=8, lora=Lora(), save_every=1000, rules=rules, **parts)
    before = forget_peak()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        stage = Stage(1, "grpo", folder / "1-grpo", folder / "records", Path(model), Path(model), judge, HfEngine(device="cpu"), problems)
        with suppress(JobError):  # where none of so few rollouts taught anything, or was a verdict
            options.train(stage)
        skipped = [record["skipped_groups"] for record in stage.records("steps")]
    memory = status("VmHWM") - before
    mean = statistics.mean(lengths)
    seconds = (times[-1] - times[0]) / (len(times) - 1)
    tokens = round(mean * cell["problems"] * 8)
    groups = cell["problems"] * len(skipped)
    taught = round(groups - sum(skipped) * cell["problems"])
    return {
        "seconds": seconds, "tokens": tokens, "mean": mean, "longest": cell["new"], "extra_mib": memory, "taught": taught, "groups": groups,
    }  # fmt: skip


def every_group_teaches() -> Any:
    """A reward that all rollouts have and that differs between them, and groups that count wherever rewards do.

    This model seldom ends in time with a verdict, and builds of long ago leave out groups without right and wrong ones.
    """
    from adjudge import RewardRule
    from adjudge_grpo import rollouts

    class Variety(RewardRule):
        """How many different characters a rollout has for its length."""

        use: Literal["variety"] = "variety"

        def reward(self, problem: Any, path: Any) -> float:
            return len(set(path.completion.text)) / max(1, len(path.completion.text))

    rollouts.RolloutRewards._teaches = lambda _, group: rollouts.differ([rollout["reward"] for rollout in group])
    return Variety()


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    print(json.dumps((trained if asked.get("steps") else sampled)(asked, sys.argv[2])))
