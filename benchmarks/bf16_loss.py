"""What judging and GRPO lose in bfloat16 against float32, on real models; writes ``results/bf16_loss.*``.

    python benchmarks/bf16_loss.py smollm2-135m=FOLDER qwen2.5-coder-0.5b=FOLDER

Sums of two numbers with a right and a wrong answer are judged. Paths are sampled once, in float32 at temperature 1, and scored in both
precisions by the engine `hf`; verdicts are greedy, so that they differ by precision alone. The gradient is that of the log-probabilities
of a few paths with advantages of +1 and -1, as GRPO has them, over all weights: in
float32, and by autocast as a stage trains. A few minutes.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from bench import RESULTS, ROOT, save, table

from adjudge import Problem, ReasoningPath, Session, build_requests, sample_paths, score_paths, with_logprobs, write_whole
from adjudge_engines import HfEngine
from adjudge_judges import PairwisePlain
from adjudge_rstar import RStar

PAIRS, SAMPLES, TRAINED = 12, 2, 2
"""Pairs; paths of each; and paths of which a gradient is taken."""
PRECISIONS = ("float32", "bfloat16")
HEAD = (
    "model", "paths, tokens", "mean abs. difference of log p", "largest", "rank correlation of R⋆", "paths with R⋆",
    "greedy verdicts that change", "right, float32 / bfloat16", "cosine of gradients", "their norms' ratio",
)  # fmt: skip


def pairs() -> list[Problem]:
    rng, found = random.Random("bf16 loss"), []
    for number in range(PAIRS):
        one, other = rng.randint(2, 60), rng.randint(2, 60)
        answers, label = [str(one + other), str(one + other + rng.choice((-11, -10, -2, -1, 1, 2, 10)))], rng.randrange(2)
        found.append(Problem(f"sum-{number}", f"What is {one} + {other}?", tuple(answers[:: -1 if label else 1]), label))
    return found


def judge(temperature: float) -> PairwisePlain:
    return PairwisePlain(temperature=temperature, max_new_tokens=96, order="fixed")


def judged(session: Session, temperature: float, samples: int) -> list[ReasoningPath]:
    requests = build_requests(pairs(), judge(temperature), samples=samples, seed=0)
    made = {path.id: path for path in sample_paths(session, judge(temperature), requests)}
    return [made[request.id] for request in requests]


def measure(folder: Path) -> dict[str, Any]:
    """Everything about one model."""
    problems = {problem.id: problem for problem in pairs()}
    paths: list[ReasoningPath] = []
    logprobs: dict[str, list[float]] = {}
    scores: dict[str, list[float | None]] = {}
    verdicts: dict[str, list[ReasoningPath]] = {}
    for dtype in PRECISIONS:
        with HfEngine(device="cpu", dtype=dtype).open(folder) as session:  # type: ignore[arg-type]
            paths = paths or judged(session, 1.0, SAMPLES)
            verdicts[dtype] = judged(session, 0.0, 1)
            scored = [path for some in by_problem(paths) for path in with_logprobs(session, judge(1.0), problems[some[0].problem_id], some)]
            logprobs[dtype] = [value for path in scored for value in path.completion.logprobs or ()]
            scores[dtype] = [score_paths(RStar(), problems[path.problem_id], [path], session)[0].value for path in scored]
    differences = [abs(one - other) for one, other in zip(*(logprobs[dtype] for dtype in PRECISIONS), strict=True)]
    both = [pair for pair in zip(*(scores[dtype] for dtype in PRECISIONS), strict=True) if None not in pair]
    changed = [one.outcome != other.outcome for one, other in zip(*(verdicts[dtype] for dtype in PRECISIONS), strict=True)]
    right = {dtype: [bool(path.right(problems[path.problem_id])) for path in verdicts[dtype]] for dtype in PRECISIONS}
    return {
        "paths": len(paths), "tokens": len(differences), "mean": statistics.mean(differences), "largest": max(differences),
        "differences": [round(value, 5) for value in differences], "rstar": both, "spearman": spearman(both),
        "changed": statistics.mean(changed), "verdicts": len(changed),
        "right": {dtype: statistics.mean(found) for dtype, found in right.items()}, **gradients(folder, paths[:TRAINED]),
    }  # fmt: skip


def by_problem(paths: Sequence[ReasoningPath]) -> list[list[ReasoningPath]]:
    """The paths, which lie problem by problem."""
    return [list(some) for _, some in groupby(paths, key=lambda path: path.problem_id)]


def spearman(both: Sequence[tuple[Any, ...]]) -> float | None:
    """None for fewer than three paths."""
    from scipy import stats

    return None if len(both) < 3 else float(stats.spearmanr(*zip(*both, strict=True)).statistic)


def gradients(folder: Path, paths: Sequence[ReasoningPath]) -> dict[str, float]:
    """Cosine between the gradients of the two precisions, and how much longer that of bfloat16 is."""
    import torch

    from adjudge_engines import load_model, load_tokenizer

    problems = {problem.id: problem for problem in pairs()}
    model, tokenizer = load_model(folder, dtype=torch.float32), load_tokenizer(folder)
    weights = list(model.parameters())
    first: list[Any] = []
    for dtype in PRECISIONS:
        first = [weight.grad for weight in weights]  # of the other precision, by now
        model.zero_grad(set_to_none=True)
        for number, path in enumerate(paths):
            chat = judge(1.0).render(problems[path.problem_id], path.order)
            prompt = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=False)
            ids = torch.tensor([[*prompt, *path.completion.token_ids]])
            with torch.autocast("cpu", torch.bfloat16, enabled=dtype == "bfloat16"):
                logits_TV = model(ids).logits[0, len(prompt) - 1 : -1].float()
            logprob_T = torch.nn.functional.cross_entropy(logits_TV, ids[0, len(prompt) :], reduction="none")
            (logprob_T.mean() * (-1) ** number / len(paths)).backward()
    last = [weight.grad for weight in weights]
    dot, one, other = product(first, last), product(first, first), product(last, last)
    return {"cosine": dot / (one * other) ** 0.5, "norms": (other / one) ** 0.5}


def product(left: Sequence[Any], right: Sequence[Any]) -> float:
    """The sum over all weights of a product of two gradients."""
    return sum(float((a * b).sum()) for a, b in zip(left, right, strict=True))


def row(name: str, one: dict[str, Any]) -> list[str]:
    spread = "-" if one["spearman"] is None else f"{one['spearman']:.3f}"
    right = " / ".join(f"{one['right'][dtype]:.2f}" for dtype in PRECISIONS)
    return [
        name, f"{one['paths']}, {one['tokens']:,}", f"{one['mean']:.4f}", f"{one['largest']:.2f}", spread, str(len(one["rstar"])),
        f"{one['changed']:.0%} of {one['verdicts']}", right, f"{one['cosine']:.4f}", f"{one['norms']:.3f}",
    ]  # fmt: skip


def main() -> None:
    if sys.argv[1:2] == ["--one"]:
        return print(json.dumps(measure(Path(sys.argv[2]))))
    asked = [word.partition("=")[::2] for word in sys.argv[1:]]
    sys.argv[1:] = [f"{name}=FOLDER" for name, _ in asked]
    found = {}
    for name, folder in asked:
        call = [sys.executable, __file__, "--one", folder]
        told = subprocess.run(call, check=True, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=subprocess.PIPE, text=True)
        found[name] = json.loads(told.stdout.splitlines()[-1])
        print(row(name, found[name]), flush=True)
        save("bf16_loss", {"models": found})
        write_whole(RESULTS / "bf16_loss.md", table(HEAD, [row(name, one) for name, one in found.items()]) + "\n")
    return None


if __name__ == "__main__":
    main()
