"""Curves hold what steps and judgements recorded, what never changed is said in words, and several runs stand on one axis."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path as FilePath
from typing import Any

import pytest
from typer.testing import CliRunner

from adjudge import ConfigError, Run
from adjudge.cli.app import app_of
from adjudge.host.plugins import Plugins
from adjudge_report import Html
from adjudge_report.curves import Quantity, curves_of, drawn
from adjudge_report.gather import RunFiles, StageFiles
from adjudge_report.plots import outcome_plot
from adjudge_report.ran import command_line
from adjudge_report.several import differences, names_of
from adjudge_report.siblings import families


def stage_with(folder: FilePath, **records: Sequence[Mapping[str, Any]]) -> StageFiles:
    """A stage whose record files hold these rows."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in records.items():
        (folder / f"1-grpo-{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return StageFiles("1-grpo", folder / "stage", folder)


def titles(stage: StageFiles) -> dict[str, list[tuple[int, float]]]:
    return {quantity.title: points for quantity, points in curves_of(stage).items()}


def test_every_quantity_that_a_step_recorded_is_a_curve_in_the_order_of_steps(tmp_path: FilePath) -> None:
    logged = {"grad_norm": 0.5, "learning_rate": 1e-5}
    row = {"reward": 0.1, "accuracy": None, "skipped_groups": 0.25, "tokens": 9.0, "loss": float("inf"), "entropy": 0.2, "kl": None}
    stage = stage_with(tmp_path, steps=[{"step": step, **row, "logged": {**logged, "entropy": 7}} for step in (2, 1)])
    found = titles(stage)
    assert list(found) == ["reward", "skipped groups", "length", "entropy", "gradient norm", "learning rate"], (
        "nothing of what is not there"
    )
    assert found["entropy"] == [(1, 0.2), (2, 0.2)]
    assert found["learning rate"] == [(1, 1e-5), (2, 1e-5)]


def test_a_stage_without_rewards_has_its_loss_in_nats(tmp_path: FilePath) -> None:
    stage = stage_with(tmp_path, steps=[{"step": 1, "loss": 0.4, "logged": {"entropy": 0.3, "mean_token_accuracy": 0.9}}])
    assert {(one.title, one.unit) for one in curves_of(stage)} == {
        ("loss", "nats per token"), ("entropy", "nats per token"), ("tokens predicted", "% of tokens"),
    }  # fmt: skip


def test_rules_and_readable_verdicts_are_means_of_the_judgements_to_which_they_apply(tmp_path: FilePath) -> None:
    rollouts = [
        {"step": 1, "outcome": "first", "parts": {"verdict": 1.0, "length": None}},
        {"step": 1, "outcome": "unreadable", "parts": {"verdict": -1.0, "length": -0.5}},
        {"step": 2, "outcome": "tie", "parts": {"verdict": 1.0, "length": -1.0}},
        {"step": 2, "outcome": "second", "parts": {"verdict": 1.0, "length": 0.0}},
    ]
    found = titles(stage_with(tmp_path, rollouts=rollouts))
    assert found == {
        "rule verdict": [(1, 0.0), (2, 1.0)],
        "rule length": [(1, -0.5), (2, -0.5)],
        "readable verdicts": [(1, 0.5), (2, 1.0)],
    }
    alone = titles(stage_with(tmp_path / "alone", rollouts=[{**row, "parts": {"verdict": 1.0}} for row in rollouts]))
    assert list(alone) == ["readable verdicts"], "one rule alone is the reward"


def test_what_never_changed_is_told_and_not_drawn() -> None:
    rate, loss, reward = Quantity("learning rate", "learning rate"), Quantity("loss", "loss"), Quantity("reward", "mean reward")
    by_run = {
        "one": {rate: [(1, 1e-6), (2, 1e-6)], loss: [(1, 0.5), (2, 0.25)], reward: [(1, 0.0), (2, 3e-17)]},
        "other": {rate: [(1, 2e-6), (2, 2e-6)], loss: [(1, 0.5)]},
    }
    found = drawn("1-grpo", by_run)
    assert found is not None
    assert len(found.plots) == 1
    assert 'aria-label="Loss over the steps of 1-grpo"' in found.plots[0]
    assert found.constant == ["learning rate 1e-06 in one and 2e-06 in other", "reward 0"]
    assert drawn("1-grpo", {"one": {}}) is None


def test_a_small_learning_rate_that_falls_is_a_curve() -> None:
    found = drawn("1-sft", {"": {Quantity("learning rate", "learning rate"): [(1, 2e-7), (2, 1e-7)]}})
    assert found is not None
    assert len(found.plots) == 1
    assert not found.constant


def test_a_long_training_is_drawn_by_few_points(tmp_path: FilePath) -> None:
    stage = stage_with(tmp_path, steps=[{"step": step, "loss": step % 7} for step in range(1, 20001)])
    found = drawn("1-grpo", {"": curves_of(stage)})
    assert found is not None
    assert len(found.plots[0]) < 60_000


def test_a_plot_keeps_its_size_and_a_fifth_of_it_for_what_is_drawn_however_long_a_label_is() -> None:
    rates = {"first": 0.5, "second": 0.5}
    for name in ("1-sft", "a-stage-with-a-name-of-its-own", "a-stage-whose-name-goes-on-and-on" * 4):
        drawn = outcome_plot("held-out", {name: rates, "0-base": rates})
        assert 'viewBox="0 0 316.8 90.72"' in drawn, "4.4 inches of 72 points"
        assert name in drawn
        bars = "".join(re.findall(r'd="([^"]*)" clip-path', drawn))
        places = [float(place) for place in re.findall(r"[ML] ([\d.]+) ", bars)]
        assert 0 < min(places) < max(places) < 316.8
        assert max(places) - min(places) > 0.19 * 316.8, name


def test_the_page_of_a_run_says_which_of_its_quantities_never_changed(finished: Run) -> None:
    page = (finished.folder / "report.html").read_text()
    assert page.count("<b>The same at every step:</b> skipped groups 20.0%; length 41; loss 0.1.") == 2
    assert len(re.findall(r'aria-label="Loss over the steps of 2-sft"', page)) == 1


def test_several_runs_stand_on_one_axis_and_what_differs_is_told(
    finished: Run, make_run: Callable[..., Run], tmp_path: FilePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = make_run(stages=[{"use": "grpo", "skill": 0.9, "steps": 12}], seed=3)
    other.execute()
    file = tmp_path / "page.html"
    monkeypatch.setattr(Plugins, "load", lambda **_: other.plugins)  # with the toy world, which is not installed
    called = CliRunner().invoke(app_of(other.plugins), ["report", str(finished.folder), str(other.folder), "--out", str(file)])
    assert called.stdout == f"{file}\n"
    page = file.read_text()
    reward = re.search(r'<svg[^>]*aria-label="Reward over the steps of 1-grpo".*?</svg>', page, re.DOTALL)
    assert reward is not None
    assert len(set(re.findall(r"stroke: var\(--(s\d)\)", reward[0]))) == 2
    assert re.search(r"<th scope=\"row\">seed</th><td class=\"value\">0</td><td class=\"value\">3</td>", page)
    for run in (finished, other):
        found = json.loads((run.folder / "stages/1-grpo/result.json").read_text())["evaluation"]["standard"]
        assert f'<td class="strong">{100 * found["accuracy"]:.1f}%</td>' in page


def test_only_one_run_has_a_page_of_its_own_place(tmp_path: FilePath) -> None:
    (tmp_path / "config.yaml").touch()
    called = CliRunner().invoke(app_of(Plugins.load(autoload=False)), ["report", str(tmp_path), "--out", "page.html"])
    assert called.exit_code == 2
    assert "--out is for the page of several runs" in called.output
    with pytest.raises(ConfigError, match="not a run folder"):
        Html().write_several([tmp_path / "none"], tmp_path / "page.html")


def test_folders_of_one_name_are_told_apart() -> None:
    assert names_of([FilePath("runs/one"), FilePath("runs/two")]) == ["one", "two"]
    assert names_of([FilePath("here/demo"), FilePath("there/demo")]) == ["here/demo", "there/demo"]
    assert names_of([FilePath("/demo"), FilePath("/demo")]) == ["/demo (1)", "/demo (2)"]


def test_differences_name_the_smallest_part_that_is_not_the_same() -> None:
    one = {"out": "a", "seed": 0, "data": {"use": "x", "size": 1}, "stages": [{"use": "sft", "lora": None}], "judge": {"use": "p"}}
    other = {
        "out": "b",
        "seed": 0,
        "data": {"use": "x", "size": 2},
        "stages": [{"use": "sft", "lora": {"r": 8}}],
        "judge": {"use": "q", "k": [1]},
    }
    assert dict(differences([one, other])) == {
        "data.size": ["1", "2"], "stages.0.lora": ["none", "r 8"], "judge": ["p", "q (k [1])"],
    }  # fmt: skip


def test_the_command_can_be_given_to_a_shell() -> None:
    assert command_line(["/opt/venv/bin/adjudge", "run", "my run.yaml"]) == "adjudge run 'my run.yaml'"
    assert command_line(["/src/core/adjudge/__main__.py", "run", "a.yaml"]) == "python -m adjudge run a.yaml"
    assert command_line([]) == ""


def test_a_stage_that_left_the_judge_as_it_was_is_named(finished: Run, tmp_path: FilePath) -> None:
    assert RunFiles.read(finished.folder).unchanged == {}
    copy = tmp_path / "run"
    shutil.copytree(finished.folder, copy)
    file = copy / "stages/3-grpo/result.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "model": "../2-sft/model"}))
    assert RunFiles.read(copy).unchanged == {"3-grpo": "2-sft"}
    assert "<b>3-grpo left the judge as it was after 2-sft.</b>" in Html().write(copy).read_text()


def test_a_text_that_was_sampled_twice_takes_one_place(finished: Run, tmp_path: FilePath) -> None:
    copy = tmp_path / "run"
    shutil.copytree(finished.folder, copy)
    [family, *_] = families(RunFiles.read(finished.folder), 1)
    kept = family.members[0].judgement.record
    scores, paths = (copy / "records" / f"2-sft-{name}.jsonl" for name in ("scores", "paths"))
    score = next(row for row in map(json.loads, scores.read_text().splitlines()) if row["path_id"] == kept["id"])
    with scores.open("a") as lines:
        lines.write(json.dumps({**score, "id": "twin", "path_id": "twin", "value": score["value"] + 1e-9, "kept": False}) + "\n")
    with paths.open("a") as lines:
        lines.write(json.dumps({**kept, "id": "twin"}) + "\n")
    first, twin, *_ = next(one for one in families(RunFiles.read(copy), 40) if one.problem == family.problem).members
    assert first.why.startswith("kept: place 1 of the")
    assert re.search(r"the same text as \d others?; 1 is kept", first.why)
    assert twin.why.startswith("dropped: place 1 of the")
    assert re.search(r"the same text as \d others?, one of which is kept", twin.why)
