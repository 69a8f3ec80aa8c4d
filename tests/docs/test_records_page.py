"""docs/records.md lists every record file of a run and its keys: a run with all trainers writes exactly these."""

from __future__ import annotations

import json
import re
from pathlib import Path as FilePath

import pytest

from adjudge import Plugins, Run, RunConfig, validate

pytest.importorskip("trl", reason="trl is not installed; the extra train has it")
PAGE = (FilePath(__file__).parents[2] / "docs" / "records.md").read_text(encoding="utf-8")
STEPS = ["id", "step", "total", "loss", "logged"]


def told(section: str) -> dict[str, list[str]]:
    """The names in the first column of a section's table, with those in the last."""
    part = PAGE[PAGE.index(f"## {section}\n") :].split("\n## ")[0]
    rows = [line.strip("|").split("|") for line in part.splitlines() if line.startswith("| `")]
    return {name: re.findall(r"`(\w+)`", row[-1]) for row in rows for name in re.findall(r"`([\w-]+)`", row[0])}


@pytest.mark.slow
def test_a_run_with_every_trainer_writes_these_files_with_these_keys(tmp_path: FilePath, plugins: Plugins) -> None:
    sums = {"use": "arithmetic", "levels": [1], "size": 16}
    grpo = {"use": "grpo", "steps": 1, "prompts_per_step": 8, "group": 4, "learning_rate": 1e-4}
    policy = {
        "use": "policy", "model": "adjudge_arithmetic:answerer", "data": sums, "test": {**sums, "part": "test"}, "steps": 1,
        "prompts_per_step": 4, "group": 4, "max_new_tokens": 8, "reward": {"aggregator": "knockout", "reward": "standardised"},
    }  # fmt: skip
    settings = {
        "out": str(tmp_path / "run"), "model": "adjudge_arithmetic:model", "data": {**sums, "levels": [3, 4], "size": 32},
        "stages": [{"use": "sft", "scorer": "rstar", "paths": 4}, {**grpo, "only": "hard"}, policy],
        "evaluation": {"sets": {"standard": sums}},
        "reporters": ["html"],
    }  # fmt: skip
    run = Run(validate(RunConfig, settings, plugins, "run.yaml"), plugins)
    run.execute()
    files, steps = told("Record files"), told("Steps")
    found: dict[str, list[str]] = {}
    for file in run.folder.glob("records/*.jsonl"):
        trainer, name = re.fullmatch(r"\d-(\w+?)-(.+)", file.stem).groups()  # type: ignore[union-attr]
        rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        if name == "steps":
            assert {*rows[0]} == {*STEPS, *steps[trainer]}, file.name
        else:
            found["evaluation-SET" if name.startswith("evaluation-") else name] = list(rows[0])
    assert found == files
    assert steps.keys() == {"sft", "grpo", "policy"}
    folder = set(re.findall(r"`((?:\w+/)?\w+\.(?:yaml|json|html))`", PAGE[: PAGE.index("## Record files")]))
    assert all((run.folder / name).is_file() for name in folder - {"judge.json"})
    assert (run.folder / "stages/1-sft/model/judge.json").is_file()
