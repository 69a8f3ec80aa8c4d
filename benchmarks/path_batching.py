"""Paths of many prompts, asked for one prompt after the other and in one call: the batching part of `path_scoring.py`."""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Sequence
from typing import Any

from logprob_kernel import clock, summary
from path_methods import Group, Run

PROMPTS = {"cpu": 24, "cuda": 256, "quick": 6}
SIZES = (1, 2, 4)
ROUNDS = 7
Values = list[list[list[float]]]


def draw(prompts: int, size: int, tokens: int, vocabulary: int) -> list[Group]:
    """Prompts and paths of random tokens and of 3/4 to 5/4 the length."""
    make = random.Random(0)

    def some() -> list[int]:
        return make.choices(range(vocabulary), k=make.randint(3 * tokens // 4, 5 * tokens // 4))

    return [(some(), [some() for _ in range(size)]) for _ in range(prompts)]


def one_after_the_other(run: Run, groups: Sequence[Group]) -> Values:
    return [run(*group) for group in groups]


def together(run: Any, groups: Sequence[Group]) -> Values:
    """By place; ours tells rows of numbers, of which log-probabilities are the first."""
    found = dict(run.each(groups))
    plain = [found[place] for place in range(len(groups))]
    return plain if isinstance(plain[0][0][0], float) else [[rows[0] for rows in some] for some in plain]


def measure(where: str, methods: dict[str, Run], device: str, tokens: int, vocabulary: int, rounds: int) -> list[dict[str, Any]]:
    """Seconds of every way in every round, in an order drawn anew, at each number of paths per prompt."""
    return [one_size(draw(PROMPTS[where], size, tokens, vocabulary), methods, device, rounds) for size in SIZES]


def one_size(groups: Sequence[Group], methods: dict[str, Run], device: str, rounds: int) -> dict[str, Any]:
    ways: dict[str, Callable[[], Values]] = {}
    for name, run in methods.items():
        if hasattr(run, "each"):
            ways[f"{name}, one by one"] = lambda run=run: one_after_the_other(run, groups)  # type: ignore[misc]
            ways[f"{name}, in one call"] = lambda run=run: together(run, groups)  # type: ignore[misc]
    values = {name: way() for name, way in ways.items()}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds):
        for name in random.Random(number).sample(list(ways), len(ways)):
            seconds[name].append(clock(ways[name], device))
    scored = sum(len(path) for _, paths in groups for path in paths)
    base = values[next(iter(values))]
    whole = [name.removesuffix(", in one call") for name in ways if name.endswith(", in one call")]
    return {
        "prompts": len(groups),
        "G": len(groups[0][1]),
        "seconds": seconds,
        "tokens_per_second": {name: scored / statistics.median(taken) for name, taken in seconds.items()},
        "gain": {name: summary(ratios(seconds[f"{name}, one by one"], seconds[f"{name}, in one call"])) for name in whole},
        "difference": {
            name: max(
                abs(a - b)
                for some, others in zip(found, base, strict=True)
                for row, other in zip(some, others, strict=True)
                for a, b in zip(row, other, strict=True)
            )
            for name, found in values.items()
        },
    }


def ratios(alone: Sequence[float], joint: Sequence[float]) -> list[float]:
    return [one / other for one, other in zip(alone, joint, strict=True)]


def page(result: Sequence[dict[str, Any]]) -> list[str]:
    """A row for each number of paths per prompt."""
    names, gains = list(result[0]["seconds"]), list(result[0]["gain"])
    lines = [
        f"Paths of {result[0]['prompts']} prompts: scored tokens per second, and how much faster one call is, as median (quartiles).",
        "",
        f"| G | {' | '.join(names)} | {' | '.join(f'{name}: gain' for name in gains)} | largest difference, nats |",
        "| " + " | ".join(["---"] * (2 + len(names) + len(gains))) + " |",
    ]
    for one in result:
        told = [one["gain"][name] for name in gains]
        cells = [f"{gain['median']:.2f} ({gain['quartiles'][0]:.2f} to {gain['quartiles'][1]:.2f})" for gain in told]
        speeds = [f"{one['tokens_per_second'][name]:,.0f}" for name in names]
        worst = f"{max(one['difference'].values()):.1e}"
        lines.append(f"| {' | '.join([str(one['G']), *speeds, *cells, worst])} |")
    return lines
