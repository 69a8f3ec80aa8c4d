"""Time, extra memory and error of `token_logprobs` beside its peers and the bare product: ``python benchmarks/logprob_kernel.py``.

In every round each method runs once, in an order drawn anew; a ratio is that round's time over the bare product hidden · headᵀ of the
same round (for the way back: over three of them), and its median over the rounds is what counts. Memory is the peak of a first call in
a process of its own, beyond inputs and results. The error is the largest difference in log-probability to float64 on the same
inputs, whose logits have a standard deviation of 3. Runs on a CPU or a GPU with torch and triton alone; writes
``results/logprob_kernel_cpu.*`` or ``results/logprob_kernel_cuda.*``. ``--quick`` tries everything on small shapes and writes nothing;
``--ours`` measures this build, the one before and torch.compile alone, in some minutes, and writes ``results/token_statistics_*``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from logprob_methods import EVERY, ROOT, Method, Run, usable
from torch import Tensor

RESULTS = ROOT / "benchmarks" / "results"
SHAPES = {
    "cpu": [
        (512, 896, 151936, "float32"),
        (512, 896, 151936, "bfloat16"),
        (256, 2048, 50257, "float32"),
        (2048, 128, 32003, "float32"),
    ],
    "cuda": [
        (8192, 4096, 152064, "bfloat16"),
        (32768, 1536, 151936, "bfloat16"),
        (16384, 5120, 152064, "bfloat16"),
        (8192, 4096, 128257, "bfloat16"),
    ],
    "quick": [(64, 48, 1003, "float32")],
}
PASSES = ("log-probability", "with entropy", "way back")
OURS = ("adjudge", "torch.compile")
SLOW = 5.0
"""A method this many times slower than the bare product in its first round takes part in one more only."""
CHECKED = 128
"""Tokens compared with float64."""


def draw(shape: tuple[int, int, int, str], device: str) -> tuple[Tensor, Tensor, Tensor]:
    tokens, width, vocabulary, dtype = shape
    make = torch.Generator(device).manual_seed(0)
    hidden_TD = torch.randn(tokens, width, generator=make, device=device).to(getattr(torch, dtype))
    head_VD = torch.randn(vocabulary, width, generator=make, device=device).mul_(3 / width**0.5).to(getattr(torch, dtype))
    return hidden_TD, head_VD, torch.randint(vocabulary, (tokens,), generator=make, device=device)


def clock(work: Any, device: str) -> float:
    """Seconds."""
    if device == "cuda":
        torch.cuda.synchronize()
    start = time.perf_counter()
    work()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def one_pass(name: str, run: Run, tensors: tuple[Tensor, Tensor, Tensor], device: str) -> float:
    """Seconds of one pass of a method; of the way back alone for that."""
    if name != "way back":
        with torch.no_grad():
            return clock(lambda: run(*tensors, name == "with entropy"), device)
    leaves = [tensor.detach().requires_grad_() for tensor in tensors[:2]]
    logprob_T = run(*leaves, tensors[2], False)
    return clock(lambda: logprob_T.backward(torch.ones_like(logprob_T)), device)


def able(method: Method, name: str) -> bool:
    return {"with entropy": method.entropy, "way back": method.backward}.get(name, method.plain)


def times(name: str, methods: dict[str, Any], tensors: tuple[Tensor, Tensor, Tensor], device: str, rounds: int) -> dict[str, Any]:
    """Seconds of every method in every round, and ratios to that round's floor."""
    products = 3 if name == "way back" else 1
    hidden_TD, head_VD, _ = tensors

    def floor() -> float:
        return products * clock(lambda: hidden_TD @ head_VD.T, device)

    chosen = [method for method, (options, _) in methods.items() if able(options, name)]
    seconds: dict[str, list[float]] = {method: [] for method in chosen}
    ratios: dict[str, list[float]] = {method: [] for method in chosen}
    floors = []
    floor()
    for method in chosen:
        one_pass(name, methods[method][1], tensors, device)
    for number in range(rounds):
        base = min(floor(), floor())
        floors.append(base)
        for method in random.Random(number).sample(chosen, len(chosen)):
            if number > 1 and ratios[method][0] > SLOW:
                continue
            seconds[method].append(one_pass(name, methods[method][1], tensors, device))
            ratios[method].append(seconds[method][-1] / base)
    found = {"floor_seconds": floors, "seconds": seconds, "ratio": {method: summary(values) for method, values in ratios.items()}}
    if EVERY in chosen:
        pairs = zip(seconds[EVERY], seconds["adjudge hybrid" if device == "cuda" else "adjudge chunked"], strict=False)
        found["every_over_entropy"] = summary([one / other for one, other in pairs])
    return found


def summary(values: list[float]) -> dict[str, Any]:
    low, _, high = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else values * 3
    return {"median": statistics.median(values), "quartiles": [low, high], "rounds": len(values)}


def expected(hidden_TD: Tensor, head_VD: Tensor, target_T: Tensor) -> Tensor:
    """Float64, a piece of the head at a time."""
    hidden_TD = hidden_TD.double()
    log_sum_T = torch.full((len(hidden_TD),), float("-inf"), dtype=torch.float64, device=hidden_TD.device)
    for head_CD in head_VD.split(8192):
        log_sum_T = torch.logaddexp(log_sum_T, (hidden_TD @ head_CD.double().T).logsumexp(1))
    return (hidden_TD * head_VD[target_T].double()).sum(1) - log_sum_T


def error(run: Run, tensors: tuple[Tensor, Tensor, Tensor]) -> float:
    """Largest difference of a log-probability to float64, in nats."""
    with torch.no_grad():
        found_T = run(*tensors, False)[:CHECKED]
    return float((found_T.double() - expected(tensors[0][:CHECKED], tensors[1], tensors[2][:CHECKED])).abs().max())


def peak(shape: tuple[int, int, int, str], method: str, device: str) -> int:
    """Extra bytes at the peak of a method's first call, measured in a process of its own."""
    command = [sys.executable, __file__, "--peak", method, "--device", device, "--shape", *map(str, shape)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


def peak_here(shape: tuple[int, int, int, str], name: str, device: str) -> int:
    """On Linux the kernel keeps the high-water mark of resident memory, and writing 5 to clear_refs starts it anew."""
    tensors, run = draw(shape, device), usable(device)[0][name][1]
    small = draw((8, *shape[1:2], 64, shape[3]), device)
    with torch.no_grad():
        entropy = not usable(device)[0][name][0].plain
        run(small[0], small[1], small[2] % 64, entropy)
        if device == "cuda":
            torch.cuda.synchronize()
            torch.cuda.reset_peak_memory_stats()
            before = torch.cuda.memory_allocated()
            run(*tensors, entropy)
            return torch.cuda.max_memory_allocated() - before
        Path("/proc/self/clear_refs").write_text("5")
        before = resident("VmRSS")
        run(*tensors, entropy)
        return resident("VmHWM") - before


def resident(field: str) -> int:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) * 1024


def measure(shape: tuple[int, int, int, str], device: str, rounds: int, only: tuple[str, ...] = ("",)) -> dict[str, Any]:
    torch.compiler.reset()  # else it gives up compiling after some shapes
    methods, missing = usable(device)
    methods = {name: method for name, method in methods.items() if name.startswith(only)}
    missing = {name: reason for name, reason in missing.items() if name.startswith(only)}
    tensors = draw(shape, device)
    found: dict[str, Any] = {"shape": dict(zip(("tokens", "width", "vocabulary", "dtype"), shape, strict=True)), "missing": missing}
    found["passes"] = {name: times(name, methods, tensors, device, rounds) for name in PASSES}
    found["error"] = {name: error(run, tensors) for name, (_, run) in methods.items()}
    found["peak_bytes"] = {name: peak(shape, name, device) for name in methods}
    print(table(found), flush=True)
    return found


def machine(device: str) -> dict[str, Any]:
    names = ("torch", "triton", "transformers", "trl", "vllm", "liger-kernel", "cut-cross-entropy")
    versions = {name: metadata.version(name) for name in names if any(d.name == name for d in metadata.distributions())}
    cpu = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "")
    return {
        "device": torch.cuda.get_device_name() if device == "cuda" else cpu or platform.machine(),
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
        "load": os.getloadavg(),
        "python": platform.python_version(),
        "versions": versions,
        "command": ["python", f"benchmarks/{Path(sys.argv[0]).name}", *(Path(word).name if "/" in word else word for word in sys.argv[1:])],
    }


def table(found: dict[str, Any]) -> str:
    """One shape: times over the floor, extra memory, error."""
    shape = found["shape"]
    floor = statistics.median(found["passes"]["log-probability"]["floor_seconds"]) * 1000
    lines = [
        f"T = {shape['tokens']}, D = {shape['width']}, V = {shape['vocabulary']}, {shape['dtype']}; the bare product takes {floor:.1f} ms.",
        "",
        "| method | log-probability | with entropy | way back | extra memory, MiB | largest error, nats |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name in found["error"]:
        cells = []
        for one in PASSES:
            ratio = found["passes"][one]["ratio"].get(name)
            cells.append("" if ratio is None else f"{ratio['median']:.2f} ({ratio['quartiles'][0]:.2f} to {ratio['quartiles'][1]:.2f})")
        lines.append(f"| {name} | {' | '.join(cells)} | {found['peak_bytes'][name] / 2**20:.0f} | {found['error'][name]:.1e} |")
    quotient = found["passes"]["with entropy"].get("every_over_entropy")
    lines += [f"| {name} | not measured: {reason} | | | | |" for name, reason in found["missing"].items()]
    if quotient is not None:
        low, high = quotient["quartiles"]
        lines += [
            "",
            f"All statistics over log-probability and entropy, round by round: {quotient['median']:.2f} ({low:.2f} to {high:.2f}).",
        ]
    return "\n".join(lines) + "\n"


def page(result: dict[str, Any]) -> str:
    about = result["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    load = f"{about['device']}, {about['threads']} threads, load {about['load'][0]:.1f} at the start; {versions}."
    head = f"{load} Times as multiples of the bare product, median (quartiles)."
    return "\n".join([head, "", *[table(found) for found in result["shapes"]]])


def plot(result: dict[str, Any], file: Path) -> None:
    """Time against extra memory, the first shape."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    found = result["shapes"][0]
    figure, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
    for name, bytes_ in found["peak_bytes"].items():
        time_ratio = found["passes"]["log-probability"]["ratio"][name]["median"]
        mark = axes.plot(max(bytes_ / 2**20, 0.1), time_ratio, "o" if name.startswith("adjudge") else "s", markersize=9)
        axes.annotate(name, (max(bytes_ / 2**20, 0.1), time_ratio), xytext=(8, 5), textcoords="offset points", color=mark[0].get_color())
    axes.axhline(1, color="grey", linewidth=1, linestyle="--")
    axes.set(xscale="log", yscale="log", xlabel="extra memory, MiB", ylabel="time / bare product")
    axes.margins(x=0.25, y=0.15)
    shape = found["shape"]
    axes.set_title(
        f"log-probabilities of {shape['tokens']} tokens, D = {shape['width']}, V = {shape['vocabulary']}, {shape['dtype']}", fontsize=10
    )
    figure.savefig(file, metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", choices=("cpu", "cuda"))
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--ours", action="store_true", help="this build, the one before and torch.compile alone, on the first two shapes")
    parser.add_argument("--peak", help=argparse.SUPPRESS)
    parser.add_argument("--shape", nargs=4, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.peak:
        tokens, width, vocabulary, dtype = asked.shape
        print(peak_here((int(tokens), int(width), int(vocabulary), dtype), asked.peak, asked.device))
        return
    rounds = asked.rounds or (3 if asked.quick else {"cpu": 9, "cuda": 30}[asked.device])
    shapes = SHAPES["quick" if asked.quick else asked.device]
    only = OURS if asked.ours else ("",)
    shapes = shapes[:2] if asked.ours else shapes
    result = {"machine": machine(asked.device), "shapes": [measure(shape, asked.device, rounds, only) for shape in shapes]}
    if asked.quick:
        return
    name = f"{'token_statistics' if asked.ours else 'logprob_kernel'}_{asked.device}"
    (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")
    (RESULTS / f"{name}.md").write_text(page(result))
    if not asked.ours and "matplotlib" in {d.name for d in metadata.distributions()}:
        plot(result, RESULTS / f"{name}.svg")


if __name__ == "__main__":
    main()
