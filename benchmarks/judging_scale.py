"""Memory, first results and overhead of judging at scale: ``python benchmarks/judging_scale.py``, this build beside an earlier one.

Many pairs go through ``judge``, ``eval`` and ``bench``, and groups of 16 through ``rank``, each call in a process of its own on one core.
The engine is ``replay`` with 1,000 recorded prompts, so that nearly all of the time, and all of the memory that grows, is adjudge's own.
Both builds take turns within one run. A rate is judgements per second of the process's processor time, start included, which other work
on the machine disturbs little; *first result* is the time to the first byte on standard output, or to the first record where the result is
a table. Every call is made with a quarter of the rows too: memory that is flat is the same for both. Writes
``results/judging_scale.json`` and ``.md``.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

from bench import RESULTS, ROOT, save, table

from adjudge import Plugins, Problem, find_model, load_judge

PROMPTS, SIZE = 1000, 16
MODEL = "adjudge_arithmetic:model"
NOTE = "The sum is part of a longer exercise about shopping lists, of which only the total matters here. " * 4
EVERY = 0.1
"""Seconds between two looks at the memory."""
CALLS: dict[str, tuple[str, list[str]]] = {
    "judge": ("pairs", ["--json"]),
    "judge --out": ("pairs", ["--json", "--out", "{out}"]),
    "judge --out, again": ("pairs", ["--json", "--out", "{out}"]),
    "eval": ("pairs", []),
    "eval --out": ("pairs", ["--out", "{out}"]),
    "bench": ("pairs", ["--out", "{out}"]),
    "rank": ("groups", ["--json"]),
    "rank --out": ("groups", ["--json", "--out", "{out}"]),
}


def sums(index: int, answers: int) -> tuple[str, list[str]]:
    """One of `PROMPTS` sums with its answers, the first of which is right."""
    one, other = 100 + index % PROMPTS, 100 + index * 7 % PROMPTS
    return f"{NOTE}\n{one}+{other}", [str(one + other + place) for place in range(answers)]


def write_inputs(folder: Path, pairs: int, groups: int) -> None:
    """Rows of every command in these sizes, and the texts that answer all of them."""
    judge = load_judge(find_model(MODEL), Plugins.load(autoload=False))
    work = "First the units, then the tens and the hundreds, each with what is carried over. " * 4
    with (folder / "replay.jsonl").open("w") as out:
        asked: dict[str, None] = {}
        for index in range(PROMPTS):
            asked.update(dict.fromkeys(_prompts(judge, *sums(index, 2))))
        for index in range(PROMPTS // 50):
            prompt, answers = sums(index, SIZE)
            for place in range(SIZE):
                for other in range(place):
                    asked.update(dict.fromkeys(_prompts(judge, prompt, [answers[other], answers[place]])))
        for prompt in asked:
            first, second = (int(line.split(":")[1]) for line in prompt.splitlines()[-2:])
            out.write(json.dumps({"prompt": prompt, "texts": [f"{work}\\boxed{{Assistant {1 if first < second else 2}}}"]}) + "\n")
    with ExitStack() as stack:
        rows, labelled, bench = (stack.enter_context((folder / f"{name}.jsonl").open("w")) for name in ("judge", "eval", "bench"))
        for index in range(pairs):
            prompt, (right, wrong) = sums(index, 2)
            rows.write(json.dumps({"id": f"p{index}", "prompt": prompt, "answers": [right, wrong]}) + "\n")
            labelled.write(json.dumps({"id": f"p{index}", "prompt": prompt, "chosen": right, "rejected": wrong}) + "\n")
            row = {"pair_id": f"p{index}", "source": "mmlu-pro-law", "response_model": "gpt-4o", "question": prompt}
            bench.write(json.dumps({**row, "response_A": right, "response_B": wrong, "label": "A>B"}) + "\n")
    with (folder / "rank.jsonl").open("w") as rows:
        for index in range(groups):
            prompt, answers = sums(index % (PROMPTS // 50), SIZE)
            rows.write(json.dumps({"id": f"g{index}", "prompt": prompt, "answers": answers}) + "\n")


def _prompts(judge: Any, prompt: str, answers: Sequence[str]) -> list[str]:
    problem = Problem("p", prompt, tuple(answers))
    return [judge.render(problem, order)[-1]["content"] for order in ("given", "swapped")]


def command(call: str, rows: Path, out: Path) -> list[str]:
    name, (_, options) = call.split(maxsplit=1)[0].rstrip(","), CALLS[call]
    engine = f"{{use: replay, file: {rows / 'replay.jsonl'}}}"
    data = ["judgebench", "--data", str(rows / "bench.jsonl")] if name == "bench" else [str(rows / f"{name}.jsonl")]
    return [name, *data, "--engine", engine, "--no-cache", *(option.format(out=out) for option in options)]


def measured(build: Path, call: str, rows: Path, out: Path) -> dict[str, Any]:
    """One call in a process of its own."""
    paths = f"{build / 'core'}{os.pathsep}{build / 'plugins'}"
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "adjudge", *command(call, rows, out)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=rows,
        env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    os.sched_setaffinity(process.pid, {max(os.sched_getaffinity(0))})
    first: list[float] = []
    records = out / "records" / ("rankings.jsonl" if call.startswith("rank") else "judgements.jsonl")
    before = records.stat().st_size if records.exists() else 0

    def read() -> None:
        assert process.stdout is not None
        while process.stdout.read1(1 << 16):
            if not first:
                first.append(time.monotonic() - began)

    reader = Thread(target=read)
    reader.start()
    curve: list[float] = []
    while True:
        pid, status, used = os.wait4(process.pid, os.WNOHANG)
        if pid:
            break
        if not first and records.exists() and records.stat().st_size > before:
            first.append(time.monotonic() - began)
        curve.append(resident(process.pid))
        time.sleep(EVERY)
    process.returncode = os.waitstatus_to_exitcode(status)
    reader.join()
    if process.returncode:
        raise SystemExit(f"{call} of {build} ended with {process.returncode}")
    step = max(1, len(curve) // 40)
    return {
        "first_s": first[0],
        "wall_s": time.monotonic() - began,
        "processor_s": used.ru_utime + used.ru_stime,
        "peak_mb": used.ru_maxrss / 1024,
        "curve_mb": curve[::step],
        "curve_step_s": EVERY * step,
    }


def resident(pid: int) -> float:
    """Memory of a process now, in MB; 0 where it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (OSError, ProcessLookupError):
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS")), 0.0)


@contextmanager
def worktree(commit: str, folder: Path) -> Iterator[Path]:
    """The tree of an earlier commit."""
    place = folder / "previous"
    subprocess.run(["git", "worktree", "add", "--detach", "--force", str(place), commit], check=True, cwd=ROOT, capture_output=True)
    try:
        yield place
    finally:
        subprocess.run(["git", "worktree", "remove", "--force", str(place)], check=False, cwd=ROOT, capture_output=True)


def judgements(call: str, size: dict[str, int]) -> int:
    return size["groups"] * (SIZE - 1) if CALLS[call][0] == "groups" else size["pairs"]


def rows_of(found: dict[str, Any], full: dict[str, int]) -> list[list[str]]:
    rows = []
    for call, builds in found.items():
        for build, runs in builds.items():
            whole, part = runs["full"], runs["quarter"]
            rate = judgements(call, full) / whole["processor_s"]
            memory = [f"{part['peak_mb']:.0f}", f"{whole['peak_mb']:.0f}"]
            rows.append([call, build, *memory, f"{whole['first_s']:.1f}", f"{whole['wall_s']:.1f}", f"{rate:,.0f}"])
    return rows


HEAD = ["call", "build", "peak, a quarter (MB)", "peak (MB)", "first result (s)", "all (s)", "judgements/s of processor time"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--groups", type=int, default=10_000)
    parser.add_argument("--previous", default="08e505a", help="the earlier build, as a commit")
    parser.add_argument("--calls", nargs="+", default=list(CALLS), choices=list(CALLS))
    parser.add_argument("--only", choices=["previous", "this"], help="one build alone; nothing is written")
    given = parser.parse_args()
    full = {"pairs": given.pairs, "groups": given.groups}
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        sizes = {"quarter": {name: count // 4 for name, count in full.items()}, "full": full}
        for name, size in sizes.items():
            (folder / name).mkdir()
            write_inputs(folder / name, **size)
        with worktree(given.previous, folder) as previous:
            builds = {name: place for name, place in {"previous": previous, "this": ROOT}.items() if given.only in (None, name)}
            found: dict[str, Any] = {}
            for call in given.calls:
                for name in sizes:
                    for build, place in builds.items():
                        out = folder / name / f"{call.split(',')[0].replace(' ', '')}-{build}"
                        if not call.endswith("again"):
                            shutil.rmtree(out, ignore_errors=True)
                        found.setdefault(call, {}).setdefault(build, {})[name] = measured(place, call, folder / name, out)
                print(table(HEAD, rows_of({call: found[call]}, full)), flush=True)
    if given.only is None:
        save("judging_scale", {"sizes": full, "previous": given.previous, "calls": found})
        (RESULTS / "judging_scale.md").write_text(table(HEAD, rows_of(found, full)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
