"""What a GRPO step costs through adjudge, over TRL alone: ``python benchmarks/grpo_overhead.py``; writes ``results/grpo_overhead.*``.

Both train the embedded judge on the same prompts by the same rule with the same settings of TRL, every time in a process of its own;
in every round both run once, in turns who begins. A step's time is that from one of TRL's log entries to the next, the first two left
out, by the clock and as time of the processor, which other work on the machine moves less; a round's number is the median over its
steps. TRL alone reads the verdict with one regular expression; adjudge parses it as the judge does, leaves groups that teach nothing
out of the loss, records every rollout and step, and looks for losses that are no numbers. The learning rate is so small that both sample
the same texts, or nearly: mean lengths stand in the results.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench import RESULTS, ROOT, save, table

from adjudge import Stage, find_model
from adjudge_arithmetic import ArithmeticDataset
from adjudge_engines import HfEngine
from adjudge_grpo import Grpo
from adjudge_judges import ArithmeticJudge

WARM = 2
CLOCKS: dict[str, Callable[[], float]] = {"wall": time.perf_counter, "processor": time.process_time}


def stage_in(folder: Path) -> Stage:
    model = find_model("adjudge_arithmetic:model")
    problems = list(ArithmeticDataset(size=200, levels=[1, 2, 3, 4]).load())
    return Stage(1, "grpo", folder / "1-grpo", folder / "records", model, model, ArithmeticJudge(), HfEngine(), problems)


def through_adjudge(options: Grpo, stage: Stage) -> None:
    options.train(stage)


def bare(options: Grpo, stage: Stage) -> None:
    """The same training as one would write it with TRL and nothing else."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, PrinterCallback
    from trl import GRPOTrainer

    from adjudge_grpo.train import prompts_of, trl_config

    tokenizer = AutoTokenizer.from_pretrained(stage.model)
    problems = list(stage.problems)
    rows = prompts_of(problems, stage, tokenizer, options.steps * options.prompts_per_step)
    wanted = [str(1 + (problems[row["problem"]].label != (row["order"] == "swapped"))) for row in rows]

    def rule(completions: list[Any], wanted: list[str], **_: Any) -> list[float]:
        found = [re.findall(r"\\boxed\{Assistant (\d)\}", completion[0]["content"]) for completion in completions]
        return [1.0 if one[-1:] == [label] else -1.0 for one, label in zip(found, wanted, strict=True)]

    trainer = GRPOTrainer(
        model=AutoModelForCausalLM.from_pretrained(stage.model, dtype=torch.float32),
        processing_class=tokenizer,
        reward_funcs=[rule],
        train_dataset=rows.add_column("wanted", wanted),
        args=trl_config(options, stage),
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()


WAYS: dict[str, Callable[[Grpo, Stage], None]] = {"adjudge": through_adjudge, "TRL alone": bare}


def work(way: str, options: Grpo) -> dict[str, Any]:
    """Seconds of every step but the first ones, by every clock, and the mean length of the rollouts."""
    from trl import GRPOTrainer

    times: dict[str, list[float]] = {name: [] for name in CLOCKS}
    lengths: list[float] = []
    log = GRPOTrainer.log

    def timed(self: Any, logs: dict[str, float], *args: Any) -> None:
        log(self, logs, *args)
        if "loss" in logs:
            for name, clock in CLOCKS.items():
                times[name].append(clock())
            lengths.append(logs["completions/mean_length"])

    GRPOTrainer.log = timed
    with TemporaryDirectory() as folder:
        WAYS[way](options, stage_in(Path(folder)))
    seconds = {name: [later - earlier for earlier, later in pairwise(read[WARM:])] for name, read in times.items()}
    return {"seconds": seconds, "mean_length": statistics.mean(lengths)}


def in_a_process(way: str, steps: int) -> dict[str, Any]:
    call = [sys.executable, __file__, "--worker", way, "--steps", str(steps)]
    done = subprocess.run(call, check=True, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def settings(steps: int) -> Grpo:
    return Grpo(steps=steps, prompts_per_step=8, group=8, learning_rate=1e-9, save_every=steps)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=23)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--worker", choices=list(WAYS), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.worker:
        return print(json.dumps(work(asked.worker, settings(asked.steps))))
    rounds = []
    for number in range(asked.rounds):
        order = list(WAYS) if number % 2 else list(WAYS)[::-1]
        rounds.append({way: in_a_process(way, asked.steps) for way in order})
    found = {clock: compared(rounds, clock) for clock in CLOCKS}
    save("grpo_overhead", {"options": settings(asked.steps).model_dump(mode="json"), "rounds": rounds, **found})
    (RESULTS / "grpo_overhead.md").write_text(as_table(rounds, found) + "\n", encoding="utf-8")
    return None


def compared(rounds: list[dict[str, Any]], clock: str) -> dict[str, Any]:
    """Each way's median step of every round, and the ratio of the two."""
    medians = {way: [statistics.median(one[way]["seconds"][clock]) for one in rounds] for way in WAYS}
    return {"medians": medians, "ratios": [one / other for one, other in zip(medians["adjudge"], medians["TRL alone"], strict=True)]}


def as_table(rounds: list[dict[str, Any]], found: dict[str, dict[str, Any]]) -> str:
    ways = [[*(spread(one["medians"][way]) for one in found.values()), f"{lengths(rounds, way):.1f}"] for way in WAYS]
    ratio = [*(spread(one["ratios"]) for one in found.values()), ""]
    head = ["", *(f"seconds per step, {clock}" for clock in CLOCKS), "tokens per rollout"]
    body = table(head, [[name, *cells] for name, cells in zip([*WAYS, "adjudge over TRL alone"], [*ways, ratio], strict=True)])
    return f"{body}\n\nMedian of {len(rounds)} rounds, lowest and highest in brackets; the ratio is taken within a round."


def spread(values: list[float]) -> str:
    return f"{statistics.median(values):.3f} ({min(values):.3f} to {max(values):.3f})"


def lengths(rounds: list[dict[str, Any]], way: str) -> float:
    return statistics.mean(one[way]["mean_length"] for one in rounds)


if __name__ == "__main__":
    main()
