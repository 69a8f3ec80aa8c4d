"""Scoring G paths of one prompt, ours beside its peers: ``python benchmarks/path_scoring.py``; on a GPU ``--model 1.5b`` or ``7b``.

In every round each method runs once, in an order drawn anew; a speed-up is the plain loop's time over the method's in the same round,
and its median over the rounds is what counts. Ideal is G(P + R) / (P + GR): the tokens of whole sequences over those of a prompt read
once. It counts what the layers read; a method that also makes fewer logits than the plain loop can be above it. Memory is the peak of
one call beyond the model: on a CPU in a process of its own, at one shape. The model has random weights unless a folder is given.
``--model FOLDER`` takes the weights in a folder. A second table has paths of many prompts, one prompt after the other and in one call.
Needs torch and transformers alone, vLLM for its rows (``.venv-vllm/bin/python`` has it); writes ``results/path_scoring_cpu.*``, with the
folder's name behind it where one is given, or ``results/path_scoring_cuda_MODEL.*``. ``--quick`` tries everything on a tiny model and
writes nothing.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import path_batching
import torch
from logprob_kernel import clock, machine, resident, summary
from path_methods import METHODS, MODELS, ROOT, Run, build, usable

RESULTS = ROOT / "benchmarks" / "results"
PATH_TOKENS = {"cpu": 48, "cuda": 512, "quick": 16}
BATCH_TOKENS = {"cpu": 512, "cuda": 8192, "quick": 256}
SIZES, RATIOS = (1, 4, 16, 64), (0.5, 1, 4)
MIXED = (16, 1)
"""The shape that is measured once more with paths of 1/4 to 7/4 the length."""
MEMORY_SHAPE = (16, 1)


def shapes(where: str) -> list[dict[str, Any]]:
    """Every G and P/R, and one with paths of mixed length."""
    middle = PATH_TOKENS[where]
    found = [
        {"G": size, "P": int(ratio * middle), "paths": [middle] * size, "rounds": 3 if size == max(SIZES) else 5}
        for ratio in RATIOS
        for size in SIZES
    ]
    size, ratio = MIXED
    lengths = [middle // 4 + (middle * 3 // 2) * index // (size - 1) for index in range(size)]
    return [*found, {"G": size, "P": int(ratio * middle), "paths": random.Random(0).sample(lengths, size), "rounds": 5}]


def draw(shape: dict[str, Any], vocabulary: int) -> tuple[list[int], list[list[int]]]:
    """A prompt and paths of random tokens."""
    make = random.Random(0)
    return make.choices(range(vocabulary), k=shape["P"]), [make.choices(range(vocabulary), k=length) for length in shape["paths"]]


def ideal(shape: dict[str, Any]) -> float:
    return (shape["G"] * shape["P"] + sum(shape["paths"])) / (shape["P"] + sum(shape["paths"]))


def measure(shape: dict[str, Any], methods: dict[str, Run], device: str, vocabulary: int, rounds: int | None) -> dict[str, Any]:
    prompt, paths = draw(shape, vocabulary)
    values = {name: run(prompt, paths) for name, run in methods.items()}
    seconds: dict[str, list[float]] = {name: [] for name in methods}
    for number in range(rounds or shape["rounds"]):
        for name in random.Random(number).sample(list(methods), len(methods)):
            seconds[name].append(clock(lambda name=name: methods[name](prompt, paths), device))
    speedup = {name: [base / one for base, one in zip(seconds["plain loop"], seconds[name], strict=True)] for name in methods}
    found = {
        "G": shape["G"],
        "P": shape["P"],
        "paths": shape["paths"],
        "ideal": ideal(shape),
        "seconds": seconds,
        "tokens_per_second": {name: sum(shape["paths"]) / statistics.median(taken) for name, taken in seconds.items()},
        "speedup": {name: summary(ratios) for name, ratios in speedup.items()},
        "share_of_ideal": summary([ratio / ideal(shape) for ratio in speedup["adjudge"]]),
        "share_of_ideal_beside_whole": summary(
            [whole / one / ideal(shape) for whole, one in zip(seconds["adjudge, whole"], seconds["adjudge"], strict=True)]
        ),
        "difference": {name: largest(values[name], values["plain loop"]) for name in methods},
    }
    if device == "cuda":
        found["peak_bytes"] = {name: cuda_peak(lambda name=name: methods[name](prompt, paths)) for name in methods if name != "vLLM"}
    return found


def largest(one: list[list[float]], other: list[list[float]]) -> float:
    """Largest difference of a log-probability, in nats."""
    return max(abs(a - b) for row, base in zip(one, other, strict=True) for a, b in zip(row, base, strict=True))


def cuda_peak(work: Any) -> int:
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    work()
    return torch.cuda.max_memory_allocated() - before


def peak(name: str, where: str, model: str) -> int:
    """Extra bytes at the peak of a method's call on a CPU."""
    command = [sys.executable, __file__, "--peak", name, "--model", model, *(["--quick"] if where == "quick" else [])]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


def peak_here(name: str, where: str, model_name: str) -> int:
    """On Linux the kernel keeps the high-water mark of resident memory, and writing 5 to clear_refs starts it anew."""
    size, ratio = MEMORY_SHAPE
    shape = next(one for one in shapes(where) if (one["G"], one["P"]) == (size, int(ratio * PATH_TOKENS[where])))
    model = build(model_name, "cpu")
    run = METHODS[name].make(model, BATCH_TOKENS[where])
    run([1, 2, 3], [[4], [5, 6]])
    Path("/proc/self/clear_refs").write_text("5")
    before = resident("VmRSS")
    run(*draw(shape, model.config.vocab_size))
    return resident("VmHWM") - before


def pages(result: dict[str, Any]) -> str:
    """Speeds of every shape, then memory."""
    about, names = result["machine"], list(result["shapes"][0]["seconds"])
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    lines = [
        f"{about['device']}, {about['threads']} threads; {versions}. {result['about']}",
        "",
        "Scored tokens per second; speed-up over the plain loop as median (quartiles).",
        "",
        f"| G | P | R | {' | '.join(names)} | speed-up | ideal | share of ideal | the same beside whole |",
        "| " + " | ".join(["---"] * (7 + len(names))) + " |",
    ]
    for shape in result["shapes"]:
        low, high = min(shape["paths"]), max(shape["paths"])
        cells = [str(shape["G"]), str(shape["P"]), str(low) if low == high else f"{low} to {high}"]
        cells += [f"{shape['tokens_per_second'][name]:,.0f}" for name in names]
        cells += [spread(shape["speedup"]["adjudge"]), f"{shape['ideal']:.2f}", spread(shape["share_of_ideal"])]
        lines.append(f"| {' | '.join([*cells, spread(shape['share_of_ideal_beside_whole'])])} |")
    lines += [
        "",
        *path_batching.page(result["batching"]),
        "",
        *memory(result),
        "",
        *[f"{name} is not measured: {reason}." for name, reason in result["missing"].items()],
    ]
    if about["device_type"] == "cpu":
        lines.append("GPU rows are not measured here.")
    return "\n".join(lines) + "\n"


def spread(found: dict[str, Any]) -> str:
    low, high = found["quartiles"]
    return f"{found['median']:.2f} ({low:.2f} to {high:.2f})"


def memory(result: dict[str, Any]) -> list[str]:
    """Peak memory and difference of each method."""
    shape = next(one for one in result["shapes"] if (one["G"], one["P"]) == (MEMORY_SHAPE[0], result["memory_prompt"]))
    lines = [
        f"At G = {shape['G']}, P = {shape['P']}:",
        "",
        "| method | extra memory, MiB | largest difference, nats |",
        "| --- | --- | --- |",
    ]
    for name, bytes_ in (shape.get("peak_bytes") or result["peak_bytes"]).items():
        lines.append(f"| {name} | {bytes_ / 2**20:,.0f} | {shape['difference'][name]:.1e} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", choices=("cpu", "cuda"))
    parser.add_argument("--model", help=f"a folder, or one of {', '.join(MODELS)}; default: 0.1b on a CPU, 1.5b on a GPU")
    parser.add_argument("--rounds", type=int, help="default: 5, and 3 for the largest group")
    parser.add_argument("--threads", type=int, default=2, help="on a CPU")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument(
        "--batching", action="store_true", help="measure the paths of many prompts alone, beside the other tables as they are"
    )
    parser.add_argument("--peak", choices=list(METHODS), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    where = "quick" if asked.quick else asked.device
    model_name = asked.model or {"quick": "quick", "cpu": "0.1b", "cuda": "1.5b"}[where]
    torch.set_num_threads(asked.threads)
    with torch.inference_mode():
        if asked.peak:
            print(peak_here(asked.peak, where, model_name))
            return
        folder = Path(model_name).name if model_name not in MODELS else ""
        name = f"path_scoring_{asked.device}" + (f"_{folder or model_name}" if folder or asked.device == "cuda" else "")
        if asked.batching:
            result = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
            model = build(model_name, asked.device)
            result["batching"] = batching(where, made(usable(asked.device)[0], model, where), model, asked.rounds)
        else:
            result = run_all(asked.device, where, model_name, asked.rounds)
    if where == "quick":
        return
    (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    (RESULTS / f"{name}.md").write_text(pages(result), encoding="utf-8")


def made(names: Sequence[str], model: Any, where: str) -> dict[str, Run]:
    """The methods, each with what is made, tried or compiled once, which is not timed."""
    methods = {name: METHODS[name].make(model, BATCH_TOKENS[where]) for name in names}
    for run in methods.values():
        run([1, 2, 3], [[4], [5, 6]])
    return methods


def batching(where: str, methods: dict[str, Run], model: Any, rounds: int | None) -> list[dict[str, Any]]:
    """Paths of many prompts."""
    size, device = model.config.vocab_size, model.device.type
    return path_batching.measure(where, methods, device, PATH_TOKENS[where], size, rounds or path_batching.ROUNDS)


def run_all(device: str, where: str, model_name: str, rounds: int | None) -> dict[str, Any]:
    names, missing = usable(device)
    model = build(model_name, device)
    named = f"Qwen2 of shape {model_name} with random weights" if model_name in MODELS else f"The weights of {Path(model_name).name}"
    methods = made(names, model, where)
    result: dict[str, Any] = {
        "machine": {**machine(device), "device_type": device},
        "about": f"{named} in {str(model.dtype).removeprefix('torch.')}, {BATCH_TOKENS[where]} tokens a batch for every method.",
        "model": {"name": Path(model_name).name, **MODELS.get(model_name, {})},
        "missing": missing,
        "memory_prompt": int(MEMORY_SHAPE[1] * PATH_TOKENS[where]),
        "shapes": [],
    }
    for shape in shapes(where):
        result["shapes"].append(measure(shape, methods, device, model.config.vocab_size, rounds))
        print(f"G = {shape['G']}, P = {shape['P']}: {result['shapes'][-1]['share_of_ideal']['median']:.2f} of ideal", flush=True)
    result["batching"] = batching(where, methods, model, rounds)
    if device == "cpu":  # vLLM's is held by a process of its own
        result["peak_bytes"] = {name: peak(name, where, model_name) for name in names if name != "vLLM"}
    print(pages(result))
    return result


if __name__ == "__main__":
    main()
