"""Where `token_logprobs` spends its time on a CPU, part by part: ``python benchmarks/head_profile.py``.

Processor time of one thread, the least of some rounds, in each of which every way runs once in an order drawn anew: this is hardly moved by
what else the machine does. A part is timed where it is called; what is left over of the whole is the loop around the parts. Forward with
entropy, and the way back of log-probabilities, beside the bare product and torch.compile of all logits at once. Writes
``results/head_profile_cpu.*``; ``--quick`` tries a small head and writes nothing.
"""

from __future__ import annotations

import argparse
import json
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from time import process_time
from typing import Any

import torch
from logprob_kernel import RESULTS, machine
from logprob_methods import materialised
from torch import Tensor

from adjudge_rstar import chunked
from adjudge_rstar.backends import WORKSPACE
from adjudge_rstar.chunked import Kernels, Problem
from adjudge_rstar.statistics import Stats, Transform

TOKENS, WIDTH, VOCABULARY = 512, 896, 9496
"""The head of Qwen2.5-0.5B, a sixteenth of its rows: the same pieces, a sixteenth as many."""
QUICK = 4000
PARTS = {
    "forward": ("product", "widening the head", "fold"),
    "way back": ("product again", "widening the head", "gradient by the logits", "two products"),
}


@dataclass(frozen=True, slots=True)
class Timed(Problem):
    """A problem whose pieces are timed."""

    spent: Counter[str] = field(default_factory=Counter)

    def columns(self, start: int, stop: int) -> tuple[Tensor, Tensor | None, int]:
        return clocked(self.spent, "widening the head", Problem.columns)(self, start, stop)

    def product(self, hidden_BD: Tensor, head_CD: Tensor, buffer: Tensor) -> Tensor:
        return clocked(self.spent, "product", Problem.product)(self, hidden_BD, head_CD, buffer)


def clocked(spent: Counter[str], name: str, work: Callable[..., Any]) -> Callable[..., Any]:
    """The same, its processor time added up."""

    def run(*arguments: Any, **named: Any) -> Any:
        start = process_time()
        try:
            return work(*arguments, **named)
        finally:
            spent[name] += process_time() - start  # type: ignore[assignment]

    return run


def forward(tensors: tuple[Tensor, Tensor, Tensor]) -> dict[str, float]:
    spent: Counter[str] = Counter()
    problem, start = timed(tensors, spent, entropy=True), process_time()
    chunked.forward(problem, Kernels(clocked_fold(spent), chunked.logit_gradient))
    return parts(spent, process_time() - start)


def clocked_fold(spent: Counter[str]) -> Callable[..., None]:
    """`forward` hands its room for exponentials to torch's fold alone, which it knows by name; so it is made here."""
    scratch: list[Tensor] = []

    def run(product_BC: Tensor, *arguments: Any, **named: Any) -> None:
        if not scratch:
            scratch.append(torch.empty(product_BC.numel()))
        clocked(spent, "fold", chunked.fold)(product_BC, *arguments, **{**named, "scratch": scratch[0]})

    return run


def way_back(tensors: tuple[Tensor, Tensor, Tensor]) -> dict[str, float]:
    spent: Counter[str] = Counter()
    problem = timed(tensors, spent, entropy=False)
    stats = chunked.forward(problem, Kernels(chunked.fold, chunked.logit_gradient)).finish()
    zero_T, one_T = torch.zeros(TOKENS), torch.ones(TOKENS)
    spent.clear()
    start = process_time()
    gradient = clocked(spent, "gradient by the logits", chunked.logit_gradient)
    chunked.backward(problem, stats, Stats(zero_T, -one_T, zero_T, one_T), Kernels(chunked.fold, gradient), (True, True, False))
    found = parts(spent, process_time() - start)
    return {**found, "product again": found.pop("product"), "two products": found.pop("the loop")}


def timed(tensors: tuple[Tensor, Tensor, Tensor], spent: Counter[str], *, entropy: bool) -> Timed:
    hidden_TD, head_VD, target_T = tensors
    return Timed(hidden_TD, head_VD, None, target_T, 0, Transform(), entropy, WORKSPACE["cpu"], spent)


def parts(spent: Counter[str], whole: float) -> dict[str, float]:
    return {**spent, "the loop": whole - sum(spent.values()), "whole": whole}


def compiled(tensors: tuple[Tensor, Tensor, Tensor]) -> Callable[[], dict[str, float]]:
    """Forward with entropy, and the way back of log-probabilities, of torch.compile over all logits."""
    run = torch.compile(materialised, dynamic=False)

    def once() -> dict[str, float]:
        with torch.no_grad():
            start = process_time()
            run(*tensors, True)
            ahead = process_time() - start
        leaves = [tensor.detach().requires_grad_() for tensor in tensors[:2]]
        logprob_T = run(*leaves, tensors[2], False)
        start = process_time()
        logprob_T.backward(torch.ones_like(logprob_T))
        return {"forward": ahead, "way back": process_time() - start}

    return once


def bare(tensors: tuple[Tensor, Tensor, Tensor]) -> dict[str, float]:
    start = process_time()
    tensors[0] @ tensors[1].T
    return {"whole": process_time() - start}


def measure(dtype: torch.dtype, vocabulary: int, rounds: int) -> dict[str, Any]:
    torch.manual_seed(0)
    torch.compiler.reset()
    tensors = (
        torch.randn(TOKENS, WIDTH).to(dtype), (torch.randn(vocabulary, WIDTH) / 30).to(dtype), torch.randint(vocabulary, (TOKENS,)),
    )  # fmt: skip
    ways: dict[str, Callable[[], dict[str, float]]] = {
        "bare product": lambda: bare(tensors), "forward": lambda: forward(tensors), "way back": lambda: way_back(tensors),
        "torch.compile": compiled(tensors),
    }  # fmt: skip
    found: dict[str, list[dict[str, float]]] = {name: [] for name in ways}
    for way in ways.values():
        way()
    for number in range(rounds):
        for name in random.Random(number).sample(list(ways), len(ways)):
            found[name].append(ways[name]())
    least = {name: {part: min(row[part] for row in rows) for part in rows[0]} for name, rows in found.items()}
    return {"dtype": str(dtype).removeprefix("torch."), "seconds": found, "least": least}


def page(result: dict[str, Any]) -> str:
    about = result["machine"]
    lines = [
        f"{about['device']}, one thread, torch {about['versions']['torch']}; T = {TOKENS}, D = {WIDTH}, V = {result['vocabulary']}; "
        f"processor time, the least of {result['rounds']} rounds, as multiples of the bare product's in the same type.",
        "",
        "| part | " + " | ".join(one["dtype"] for one in result["types"]) + " |",
        "| --- " * (1 + len(result["types"])) + "|",
    ]

    def row(name: str, *path: str) -> None:
        cells = [f"{one['least'][path[0]][path[1]] / one['least']['bare product']['whole']:.2f}" for one in result["types"]]
        lines.append(f"| {name} | {' | '.join(cells)} |")

    for way, names in PARTS.items():
        title = "forward, with entropy" if way == "forward" else "way back, of three products"
        row(f"**{title}**", way, "whole")
        for name in names:
            row(name, way, name)
        row("torch.compile", "torch.compile", way)
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--quick", action="store_true")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    size, rounds = (QUICK, 2) if asked.quick else (VOCABULARY, asked.rounds)
    types = [measure(dtype, size, rounds) for dtype in (torch.float32, torch.bfloat16)]
    result = {"machine": machine("cpu"), "vocabulary": size, "rounds": rounds, "types": types}
    print(page(result))
    if not asked.quick:
        (RESULTS / "head_profile_cpu.json").write_text(json.dumps(result, indent=1) + "\n")
        (RESULTS / "head_profile_cpu.md").write_text(page(result))


if __name__ == "__main__":
    main()
