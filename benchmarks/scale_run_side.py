"""The run that `scale_run.py` measures: sampling, R⋆, selection and rows for SFT, evaluation and report, on completions that take no time.

It is `adjudge run` with two parts of its own: an engine whose completions are there already, and a stage that is `sft` up to where TRL
would begin to train. Each phase's first record, and the end, is told on standard output with the time.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from scale_side import Replay

from adjudge import Engine, Plugins, Run, RunConfig, RunInfo, StageContext, StageResult, StageTrainer, hookimpl, validate
from adjudge.host.plugins import Source
from adjudge_sft import Sft

WORDS = (
    "carry",
    "the",
    "tens",
    "and",
    "add",
    "what",
    "is",
    "left",
    "over",
    "before",
    "hundreds",
    "are",
    "written",
    "down",
    "under",
    "line",
)


def tell(phase: str) -> None:
    print(json.dumps({"phase": phase, "at": time.monotonic()}), flush=True)


class Rows(Sft):
    """The stage `sft` without its training: what is chosen becomes rows, and the model stays as it is."""

    use: Literal["sft-rows"] = "sft-rows"

    def train(self, stage: StageContext) -> StageResult:
        from adjudge_sft.select import select

        chosen, metrics = select(self, stage)
        tell("libraries of training")
        from adjudge_engines import load_tokenizer
        from adjudge_sft.train import rows_of

        tell("rows for SFT")
        rows = rows_of(chosen, stage, load_tokenizer(stage.model, chat=stage.engine))
        file = sum(one.stat().st_size for one in stage.folder.glob("rows-*.arrow"))
        return StageResult(stage.model, {**metrics, "rows": len(rows), "rows_bytes": file})


class Phases:
    """Tells of a phase when its first record is written."""

    def __init__(self) -> None:
        self.told = ""

    @hookimpl
    def register_engines(self) -> Iterable[type[Engine]]:
        return [Replay]

    @hookimpl
    def register_stage_trainers(self) -> Iterable[type[StageTrainer]]:
        return [Rows]

    @hookimpl
    def record_written(self, stage: StageContext, name: str, record: Mapping[str, Any]) -> None:
        phase = {"paths": "sampling", "scores": "scoring and selection", "selected": self.told}.get(name)
        phase = phase or ("evaluation before" if stage.index == 0 else "evaluation after")
        if phase != self.told:
            self.told = phase
            tell(phase)

    @hookimpl(tryfirst=True)
    def run_finished(self, run: RunInfo) -> None:
        tell("report")


def problems(count: int, start: int = 0) -> Iterator[dict[str, Any]]:
    """Questions of about 500 characters with answers of 1,000."""
    for number in range(start, start + count):
        draw = random.Random(number)
        answers = [f"{' '.join(draw.choices(WORDS, k=210))} {word}" for word in ("so it is even", "so it is odd")]
        yield {
            "id": f"problem-{number}",
            "prompt": f"{' '.join(draw.choices(WORDS, k=105))}: is it even, number {number}?",
            "answers": answers,
            "label": draw.randrange(2),
        }


def write_problems(file: Path, count: int, start: int = 0) -> None:
    with file.open("w", encoding="utf-8") as out:
        out.writelines(json.dumps(row) + "\n" for row in problems(count, start))


def main() -> None:
    folder, count, paths, tests = Path(sys.argv[1]), *map(int, sys.argv[2:])
    write_problems(folder / "train.jsonl", count)
    write_problems(folder / "test.jsonl", tests, count)
    tell("reading the problems")
    plugins = Plugins.load(autoload=False)
    plugins.add(Phases(), Source("scale_run_side", "benchmarks", "0"))
    run_file = {
        "out": folder / "run",
        "model": "adjudge_arithmetic:model",
        "judge": {"use": "rrm", "order": "random", "max_new_tokens": 600},
        "engine": {"use": "scale"},
        "data": {"use": "jsonl", "file": folder / "train.jsonl"},
        "evaluation": {"sets": {"held-out": {"use": "jsonl", "file": folder / "test.jsonl"}}},
        "stages": [{"use": "sft-rows", "scorer": {"use": "rstar"}, "paths": paths, "keep": 1}],
        "reporters": ["html", "card"],
    }
    Run(validate(RunConfig, run_file, plugins, "the run"), plugins).execute()
    tell("end")


if __name__ == "__main__":
    main()
