"""A run whose data has no labels, from the command line to the report; and what happens where a rule needs them."""

from __future__ import annotations

import json
from pathlib import Path as FilePath
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from adjudge import Plugins
from adjudge.cli.app import app_of
from adjudge_arithmetic import ArithmeticDataset


def rows(file: FilePath, part: Any, size: int, labelled: bool) -> FilePath:
    problems = ArithmeticDataset(levels=[1], size=size, part=part).load()
    made = [{"id": one.id, "prompt": one.prompt, "answers": one.answers, "label": one.label if labelled else None} for one in problems]
    file.write_text("".join(json.dumps(row) + "\n" for row in made))
    return file


def run_file(folder: FilePath, *stages: dict[str, Any], labelled: bool = False, tested: bool = False) -> FilePath:
    data, test = rows(folder / "train.jsonl", "train", 24, labelled), rows(folder / "test.jsonl", "test", 12, tested)
    file = folder / "run.yaml"
    config = {
        "out": str(folder / "out"), "model": "adjudge_arithmetic:model", "data": {"use": "jsonl", "file": str(data)},
        "stages": list(stages), "evaluation": {"sets": {"held-out": {"use": "jsonl", "file": str(test)}}, "measures": ["sound"]},
        "reporters": ["html", "card"],
    }  # fmt: skip
    file.write_text(yaml.safe_dump(config))
    return file


def call(*arguments: object) -> Any:
    return CliRunner().invoke(app_of(Plugins.load(autoload=False)), list(map(str, arguments)))


SFT = {"use": "sft", "scorer": "rstar", "paths": 4, "batch": 8, "learning_rate": 1e-4}
SHORT = {"use": "length", "target": 20, "limit": 100}
MAJORITY = {**SFT, "eligible": "majority"}


def metrics(folder: FilePath, stage: str) -> dict[str, Any]:
    return dict(json.loads((folder / "out" / "stages" / stage / "result.json").read_text()))


@pytest.mark.slow
def test_a_run_without_any_label(tmp_path: FilePath) -> None:
    hard = {"use": "grpo", "only": "hard", "eligible": "majority", "rules": [SHORT], "steps": 1, "prompts_per_step": 2, "group": 4}
    done = call("run", run_file(tmp_path, MAJORITY, hard))
    assert done.exit_code == 0, done.output
    sft, grpo = metrics(tmp_path, "1-sft"), metrics(tmp_path, "2-grpo")
    found = sft["metrics"]["eligibility"]
    assert (found["rule"], found["paths"], found["labelled"]) == ("majority", 96, 0)
    assert 0 < found["share"] < 1
    assert [found[name] for name in ("agreement", "false", "false_share", "missed")] == [None] * 4
    assert sft["evaluation"]["held-out"]["accuracy"] is None
    assert sft["evaluation"]["held-out"]["sound"] is not None, "a measure that needs no label"
    assert 0 < grpo["metrics"]["problems"] < 24
    assert grpo["metrics"]["eligibility"]["rule"] == "majority"
    assert "final_accuracy" not in grpo["metrics"]
    page = (tmp_path / "out" / "report.html").read_text()
    assert "What the accuracy on held-out cannot know" in page
    assert "so there is no accuracy" in page
    assert "<h2>Eligible paths</h2>" in page


@pytest.mark.slow
def test_with_labels_it_is_told_how_far_the_rule_agrees_with_them(tmp_path: FilePath) -> None:
    done = call("run", run_file(tmp_path, MAJORITY, labelled=True, tested=True))
    assert done.exit_code == 0, done.output
    found = metrics(tmp_path, "1-sft")["metrics"]["eligibility"]
    paths = [json.loads(line) for line in (tmp_path / "out" / "records" / "1-sft-paths.jsonl").read_text().splitlines()]
    scored = {json.loads(line)["id"] for line in (tmp_path / "out" / "records" / "1-sft-scores.jsonl").read_text().splitlines()}
    wrong = sum(not path["right"] for path in paths if path["id"] in scored)
    agreeing = sum((path["id"] in scored) == path["right"] for path in paths)
    assert wrong > 0, "the embedded judge is often wrong, so a majority of its paths sometimes is, too"
    assert (found["eligible"], found["false"], found["labelled"]) == (len(scored), wrong, len(paths))
    assert found["agreement"] == agreeing / len(paths)
    assert "cannot know" not in (tmp_path / "out" / "report.html").read_text()


@pytest.mark.parametrize(
    "stages",
    [[SFT], [MAJORITY, {"use": "grpo", "only": "hard"}], [{"use": "grpo", "only": "hard", "rules": ["format"]}]],
    ids=["label", "verdict", "hard"],
)
def test_a_rule_that_needs_labels_names_the_others(tmp_path: FilePath, stages: list[dict[str, Any]]) -> None:
    done = call("run", run_file(tmp_path, *stages))
    assert done.exit_code == 2
    assert "adjudge: data: problem " in done.stderr
    assert "has no label, so nothing can be right about it" in done.stderr
    assert "eligible: majority" in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_plan_needs_no_labels_either(tmp_path: FilePath) -> None:
    done = call("run", run_file(tmp_path, MAJORITY), "--dry-run")
    assert done.exit_code == 0, done.output
    assert "0-base → 1-sft" in done.output


def test_both_orders_and_a_judge_of_one_order_is_a_mistake_of_the_run_file(tmp_path: FilePath) -> None:
    file = run_file(tmp_path, {**SFT, "eligible": "both-orders"})
    done = call("run", file, "--set", "judge={use: arithmetic, order: fixed}")
    assert done.exit_code == 2
    assert "stages.0.eligible: 'both-orders' compares what is said in both orders" in done.stderr


def test_the_default_is_not_written_down(plugins: Plugins) -> None:
    """So no earlier run folder changes its options."""
    from adjudge import StageTrainer, dump
    from adjudge_rstar import RStar

    sft = plugins.pick(StageTrainer, "sft")(scorer=RStar())
    assert "eligible" not in dump(sft)
    assert "eligible" not in dump(plugins.pick(StageTrainer, "grpo")())
