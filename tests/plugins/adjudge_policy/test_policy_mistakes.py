"""Mistakes in a policy stage are told by a dry run, with the stage's field, before anything is trained."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from adjudge import Plugins, find_model
from adjudge.cli.app import app_of


def dry_run(folder: Path, **stage: Any) -> Any:
    run = {
        "out": str(folder / "run"),
        "model": "adjudge_arithmetic:model",
        "data": {"use": "arithmetic", "size": 20},
        "stages": [{"use": "policy", "model": "adjudge_arithmetic:answerer", "steps": 1, **stage}],
    }
    (folder / "run.yaml").write_text(json.dumps(run))
    return CliRunner().invoke(app_of(Plugins.load(autoload=False)), ["run", str(folder / "run.yaml"), "--dry-run"])


def rows(file: Path, *made: dict[str, Any]) -> dict[str, Any]:
    file.write_text("".join(json.dumps(row) + "\n" for row in made))
    return {"use": "jsonl", "file": str(file)}


LABELLED = {"prompt": "2+3", "answers": ["5", "6"], "label": 0}


def test_a_whole_stage_passes(tmp_path: Path) -> None:
    found = dry_run(tmp_path, test={"use": "arithmetic", "part": "test", "size": 10})
    assert found.exit_code == 0, found.output


def test_a_missing_model_is_the_stages(tmp_path: Path) -> None:
    found = dry_run(tmp_path, model="nowhere/policy")
    assert (found.exit_code, "stages.0.model: " in found.output) == (2, True), found.output


def test_a_model_without_a_chat_template_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "policy"
    shutil.copytree(find_model("adjudge_arithmetic:answerer"), folder)
    (folder / "chat_template.jinja").unlink(missing_ok=True)
    config = json.loads((folder / "tokenizer_config.json").read_text())
    config.pop("chat_template", None)
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    found = dry_run(tmp_path, model=str(folder))
    assert (found.exit_code, "stages.0.model: the tokenizer of" in found.output) == (2, True), found.output


def test_a_judge_that_only_compares_rates_no_answer_by_itself(tmp_path: Path) -> None:
    found = dry_run(tmp_path, reward={"pointwise": True})
    said = " ".join(found.output.split())
    assert (found.exit_code, "stages.0.reward.pointwise: true, judge: 'arithmetic' compares two answers" in said) == (2, True), found.output


@pytest.mark.parametrize(
    ("train", "test", "said"),
    [
        ([LABELLED], [LABELLED], "stages.0.test: 1 of its questions are also in the data"),
        ([{**LABELLED, "prompt": "1+1"}], [{"prompt": "2+3", "answers": ["5", "6"]}], "stages.0.test: questions without a label: 1"),
    ],
)
def test_questions_that_cannot_be_used_are_told(tmp_path: Path, train: Any, test: Any, said: str) -> None:
    found = dry_run(tmp_path, data=rows(tmp_path / "train.jsonl", *train), test=rows(tmp_path / "test.jsonl", *test))
    assert (found.exit_code, said in found.output.replace("\n", " ")) == (2, True), found.output


def test_questions_of_the_runs_own_data_are_told_as_well(tmp_path: Path) -> None:
    """A dry run tells it, and a run before it measures the judge that it begins with."""
    found = dry_run(tmp_path, test={"use": "arithmetic", "size": 20})
    assert (found.exit_code, "stages.0.test: 20 of its questions are also in the data" in found.output.replace("\n", " ")) == (2, True)
    found = CliRunner().invoke(app_of(Plugins.load(autoload=False)), ["run", str(tmp_path / "run.yaml")])
    assert (found.exit_code, "stages.0.test: 20 of its questions" in found.output) == (2, True), found.output
    assert not (tmp_path / "run").exists()
    assert dry_run(tmp_path, test={"use": "arithmetic", "part": "test", "size": 10}).exit_code == 0
