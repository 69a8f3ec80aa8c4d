"""One side of `scale.py`: a build does a piece of work on synthetic paths, and says what it took. Runs with that build on its path."""

from __future__ import annotations

import json
import random
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from typing import Any, Literal

from adjudge import Completion, Engine, Outcome, Plugins, ReasoningPath, Records, Stage, Verdict, validate
from adjudge import Judge as JudgeKind

TOKENS = 500
VERDICT = "\\boxed{Assistant 1}"
POOL = 512
"""Different completions; a path is one of them."""


def completions() -> list[Completion]:
    """Texts of 500 tokens whose numbers are spread as those of a language model."""
    found = []
    for number in range(POOL):
        draw, ends, pieces = random.Random(number), [], []
        for _ in range(TOKENS - 1):
            pieces.append("".join(draw.choices("abcdefghijklmnop ", k=draw.choice((1, 2, 3, 4, 5, 6, 7)))))
        pieces.append(f" <think>.</think> {VERDICT}" if number % 4 else " no verdict")
        end = 0
        for piece in pieces:
            end += len(piece)
            ends.append(end)
        ids = tuple(min(49_151, int(draw.paretovariate(0.5))) for _ in range(TOKENS))
        # single precision, as every engine computes them
        logprobs = tuple(round(-draw.expovariate(3) * 2**20) / 2**20 for _ in range(TOKENS))
        found.append(Completion("".join(pieces), ids, tuple(ends), logprobs))
    return found


def paths(count: int, start: int = 0) -> Iterator[ReasoningPath]:
    pool = completions()
    for number in range(start, count):
        made = pool[number % POOL]
        verdict = Verdict(Outcome.FIRST, (0, len(made.text) // 2), (len(made.text) // 2, len(made.text)))
        yield ReasoningPath(f"{number:016x}", f"problem-{number // 8}", "given", number % 8, made, verdict)


class Replay(Engine):
    """Completions that are there already."""

    use: Literal["scale"] = "scale"

    @contextmanager
    def open(self, model: Path) -> Iterator[Any]:
        yield _Session()


class _Session:
    def __init__(self) -> None:
        self.pool = completions()

    def sample(self, prompts: Sequence[Any], *, seeds: Sequence[int], **settings: Any) -> Iterator[tuple[int, Completion]]:
        for index, seed in enumerate(seeds):
            yield index, self.pool[seed % POOL]


def select(folder: Path, count: int) -> dict[str, Any]:
    """What the stage `sft` does before it trains: sampling, R⋆, the best path of every problem."""
    from adjudge import Dataset, StageTrainer, load_set
    from adjudge_sft.select import select as chosen_of

    plugins = Plugins.load(autoload=False)
    judge: Any = validate(JudgeKind, {"use": "rrm", "order": "fixed", "max_new_tokens": 600}, plugins, "judge")
    options: Any = validate(StageTrainer, {"use": "sft", "scorer": {"use": "rstar"}, "paths": 8, "keep": 1}, plugins, "stage")
    with (folder / "problems.jsonl").open("w") as rows:
        for number in range(count // 8):
            row = {"id": f"problem-{number}", "prompt": f"Which of both is right, number {number}?", "answers": ["12", "13"], "label": 0}
            rows.write(json.dumps(row) + "\n")
    dataset: Any = validate(Dataset, {"use": "jsonl", "file": str(folder / "problems.jsonl")}, plugins, "data")
    problems = load_set(dataset, "data")  # as a run has them
    stage = Stage(2, "sft", folder / "stage", folder / "records", folder, folder, judge, Replay(), problems)
    chosen, metrics = chosen_of(options, stage)  # type: ignore[arg-type]
    return {"chosen": len(chosen), "right": metrics["right"]}


def write(folder: Path, count: int) -> dict[str, Any]:
    made = list(paths(count))
    (first := Records(folder / "first" / "paths.jsonl")).append(made[0])  # what is imported once is not counted
    getattr(first, "close", lambda: None)()
    rmtree(folder / "first")
    file = folder / "paths.jsonl"
    records, began = Records(file), time.perf_counter()
    for path in made:
        records.append(path)
    getattr(records, "close", lambda: None)()
    seconds = time.perf_counter() - began
    size = sum(one.stat().st_size for one in folder.rglob("*") if one.is_file() and one.suffix != ".index")
    text = sum(len(json.dumps(path.completion.text)) for path in made)
    return {"seconds": seconds, "bytes_per_token": (size - text) / (TOKENS * count)}


def scan(folder: Path, count: int) -> dict[str, Any]:
    """The sum of all log-probabilities."""
    file, began = folder / "paths.jsonl", time.perf_counter()
    if (folder / "paths.tokens").exists():
        from adjudge import token_files

        total = sum(float(columns["logprobs"].sum()) for _, columns in token_files(file))
    else:
        total = sum(sum(record["completion"]["logprobs"]) for record in Records(file))
    return {"seconds": time.perf_counter() - began, "total": total}


def write_many(folder: Path, count: int) -> dict[str, Any]:
    """Records without tokens, such as scores."""
    began = time.perf_counter()
    if count > 50_000:  # as lines, or the earlier build would take long; then once as its own
        with (folder / "many.jsonl").open("w") as out:
            row = {"problem_id": "p", "value": 0.5, "parts": {"validity": 0.7, "self_consistency": 0.6}, "text": "so it is " * 20}
            out.writelines(json.dumps({"id": f"{number:016x}", **row}) + "\n" for number in range(count))
    Records(folder / "many.jsonl")
    return {"seconds": time.perf_counter() - began}


def opened(folder: Path, count: int) -> dict[str, Any]:
    """Open the file, and see which of as many records are missing."""
    began = time.perf_counter()
    records = Records(folder / "many.jsonl")
    missing = sum(f"{number:016x}" not in records.ids for number in range(0, count + 1000, 100))
    assert missing == 10, missing
    return {"seconds": time.perf_counter() - began}


def write_told(folder: Path, count: int) -> dict[str, Any]:
    records = Records(folder / "paths.jsonl")
    for number, path in enumerate(paths(count, len(records.ids)), len(records.ids)):
        records.append(path)
        print(number, flush=True)
    return {}


def check(folder: Path, last: int) -> dict[str, Any]:
    """What is there, beside what was told to be there."""
    found = Records(folder / "paths.jsonl").load(ReasoningPath)
    wrong = sum(one != made for one, made in zip(found, paths(len(found)), strict=True))
    return {
        "records": len(found),
        "lost": max(0, last + 1 - len(found)),
        "twice": len(found) - len({one.id for one in found}),
        "wrong": wrong,
    }


WORK = {"select": select, "write": write, "scan": scan, "write-many": write_many, "open": opened, "write-told": write_told, "check": check}


def main() -> None:
    what, folder, count = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    began = time.perf_counter()
    told = WORK[what](folder, count)
    told.setdefault("seconds", time.perf_counter() - began)
    told["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(told))


if __name__ == "__main__":
    main()
