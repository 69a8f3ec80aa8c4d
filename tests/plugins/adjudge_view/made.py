"""Runs to look into: small ones written with the writers of real runs, in which nothing is left to chance."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from adjudge import Completion, Order, Outcome, Problem, ReasoningPath, Records, Verdict, stable_id

CONFIG: dict[str, Any] = {
    "model": "adjudge_arithmetic:model",
    "judge": {"use": "arithmetic"},
    "engine": {"use": "hf"},
    "data": {"use": "arithmetic"},
    "stages": [{"use": "grpo", "steps": 2, "prompts_per_step": 2, "group": 3}, {"use": "sft", "scorer": {"use": "rstar"}}],
    "evaluation": {"sets": {"standard": {"use": "arithmetic"}}},
    "seed": 0,
}
SAID = (Outcome.FIRST, Outcome.SECOND, Outcome.TIE, Outcome.UNREADABLE, Outcome.TRUNCATED)
WORDS = ("carry", "Übertrag", "sum", "hence", "İstanbul", "straße", "yes", "no", "🧮", '"quoted"', "back\\slash")


ORDERS: tuple[Order, Order] = ("given", "swapped")


def problem(number: int, of: str = "test") -> Problem:
    return Problem(
        stable_id(of, number), f"{number}+{number} {of}", (f"{2 * number}", f"{2 * number + 1}"), number % 3 if number % 3 < 2 else None
    )


def path(of: Problem, name: str, index: int, rng: random.Random) -> ReasoningPath:
    """A judgement of this problem, with a log-probability and an entropy for each token of three characters."""
    said = rng.choice(SAID)
    reasoning = " ".join(rng.choice(WORDS) for _ in range(rng.randint(1, 8))) + "\n"
    text = reasoning + (f"\\boxed{{{said}}}" if said.decided else "well")
    ends = tuple(min(end, len(text)) for end in range(3, len(text) + 3, 3))
    numbers = tuple(-abs(rng.gauss(0, 1)) for _ in ends)
    made = Completion(text, tuple(range(len(ends))), ends, numbers, statistics={"entropy": tuple(-one for one in numbers)})
    failed = rng.random() < 0.1
    made = Completion("", error="the endpoint closed the connection") if failed else made
    read = Verdict(said, (0, len(reasoning)), (len(reasoning), len(text))) if said.decided else Verdict(said)
    verdict = Verdict(Outcome.FAILED) if failed else read
    return ReasoningPath(stable_id(name, of.id, index), of.id, "swapped" if rng.random() < 0.5 else "given", index, made, verdict)


def append(records: Records, of: Problem, made: ReasoningPath) -> None:
    """As a stage does."""
    records.append(made, outcome=made.outcome, right=made.right(of), **of.shown(made.order))


def write_run(folder: Path, problems: int = 6, paths: int = 4) -> Path:
    """A finished run with two stages: evaluations, rollouts in groups, scored paths, steps."""
    rng, records = random.Random(0), folder / "records"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump({"out": str(folder), **CONFIG}))
    for stage in ("0-base", "1-grpo", "2-sft"):
        _evaluation(folder, stage, problems, rng)
    rollouts, steps = Records(records / "1-grpo-rollouts.jsonl"), Records(records / "1-grpo-steps.jsonl")
    for step in (1, 2):
        for place, order in enumerate(ORDERS):  # the first step has one problem in both orders, which are two groups
            of = problem(2 * step + (place if step > 1 else 0), "train")
            for index in range(3):
                made = replace(path(of, f"rollout {step} {order}", index, rng), order=order)
                rollouts.append(_rollout(of, made, step, rng))
        steps.append({"id": f"step-{step}", "step": step, "total": 2, "loss": 0.5 / step, "reward": step / 2, "entropy": 0.1, "kl": None,
                      "logged": {"loss": 0.5 / step, "grad_norm": 1.0 * step, "learning_rate": 1e-4}})  # fmt: skip
    _paths(folder, problems, paths, rng)
    for kept in (rollouts, steps):
        kept.close()
    (folder / "done.json").write_text(json.dumps({"stages": ["0-base", "1-grpo", "2-sft"]}))
    return folder


def _evaluation(folder: Path, stage: str, problems: int, rng: random.Random) -> None:
    kept = Records(folder / "records" / f"{stage}-evaluation-standard.jsonl")
    for number in range(problems):
        of = problem(number)
        append(kept, of, path(of, f"{stage} standard", 0, rng))
    kept.close()
    result = folder / "stages" / stage / "result.json"
    result.parent.mkdir(parents=True)
    result.write_text(json.dumps({"name": stage, "seconds": 1.5, "evaluation": {"standard": {"accuracy": 0.5, "n": problems}}}))


def _rollout(of: Problem, made: ReasoningPath, step: int, rng: random.Random) -> dict[str, Any]:
    reward = rng.choice([-1.0, 0.0, 1.0])
    return {"id": made.id, "step": step, "problem_id": of.id, "order": made.order, "text": made.completion.text,
            "tokens": len(made.completion.token_ids), "outcome": made.outcome.value, "right": made.right(of), "reward": reward,
            "parts": {"verdict": reward}, **of.shown(made.order)}  # fmt: skip


def _paths(folder: Path, problems: int, paths: int, rng: random.Random) -> None:
    kept, scores = Records(folder / "records" / "2-sft-paths.jsonl"), Records(folder / "records" / "2-sft-scores.jsonl")
    for number in range(problems):
        of = problem(number, "train")
        scored = []
        for index in range(paths):
            made = path(of, "paths", index, rng)
            append(kept, of, made)
            scored += [(rng.random(), made)] if made.outcome.decided else []
        for value, made in scored:
            best = value == max(one for one, _ in scored)
            scores.append({"id": made.id, "path_id": made.id, "problem_id": of.id, "scorer": "rstar", "value": value,
                           "parts": {"self_consistency": value, "validity": 1.0}, "kept": best})  # fmt: skip
    kept.close()
    scores.close()


def rows_of(file: Path) -> Iterator[dict[str, Any]]:
    """The rows of a record file, as anyone reads them."""
    return map(json.loads, file.read_text(encoding="utf-8").splitlines())
