"""A policy stage for real: the embedded policy learns from the embedded judge, and the judge stays what it is."""

from __future__ import annotations

import json
from pathlib import Path as FilePath
from typing import Any

import pytest

from adjudge import Plugins, Stage, StageTrainer, find_model, validate
from adjudge_arithmetic import ArithmeticDataset
from adjudge_engines import HfEngine
from adjudge_judges import ArithmeticJudge
from adjudge_policy import Policy

pytestmark = pytest.mark.slow
SMALL: dict[str, Any] = {
    "use": "policy", "model": "adjudge_arithmetic:answerer", "test": {"use": "arithmetic", "part": "test", "levels": [1], "size": 12},
    "steps": 4, "measure_every": 3, "prompts_per_step": 2, "group": 4, "max_new_tokens": 6, "learning_rate": 1e-3, "save_every": 1,
}  # fmt: skip


def policy(**options: Any) -> Policy:
    return validate(StageTrainer, {**SMALL, **options}, Plugins.load(autoload=False), "stages.0")


def stage(folder: FilePath, model: FilePath) -> Stage:
    problems = list(ArithmeticDataset(size=20, levels=[1]).load())
    return Stage(1, "policy", folder / "stages" / "1-policy", folder / "records", model, model, ArithmeticJudge(), HfEngine(), problems)


def records(made: Stage, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (made.records_folder / f"{made.name}-{name}.jsonl").read_text().splitlines()]


def test_a_stopped_stage_goes_on_and_everything_is_recorded_once(tmp_path: FilePath, embedded: FilePath) -> None:
    made, options = stage(tmp_path, embedded), policy(reward={"aggregator": "knockout", "reward": "rank"})

    class Stopped(Exception):
        pass

    def stop(_: Any, name: str, record: Any) -> None:
        if name == "steps" and record["step"] == 3:
            raise Stopped

    made.written = stop
    with pytest.raises(Stopped):
        options.train(made)
    made.written = lambda *_: None
    result = options.train(made)
    assert result.model == embedded, "the judge is handed on as it came"
    assert [row["step"] for row in records(made, "steps")] == [1, 2, 3, 4]
    assert [row["step"] for row in records(made, "curve")] == [0, 3, 4]
    answers = records(made, "answers")
    assert len(answers) == 4 * 2 * 4
    right = {problem.prompt: problem.answers[problem.label or 0] for problem in made.problems}
    for start in range(0, len(answers), 4):
        group = answers[start : start + 4]
        assert len({one["prompt"] for one in group}) == 1
        for one in group:
            assert one["right"] == (one["text"].strip() == right[one["prompt"]])
            assert {other["reward"] for other in group if other["text"] == one["text"]} == {one["reward"]}
    first, last = records(made, "curve")[0], records(made, "curve")[-1]
    assert result.metrics["right_before"] == first["share_right"]
    assert result.metrics["right_after"] == last["share_right"]
    assert 0 <= last["judge"] <= 1
    saved = made.folder / result.metrics["policy"]
    assert (saved / "model.safetensors").read_bytes() != (find_model(SMALL["model"]) / "model.safetensors").read_bytes()
    assert not (saved / "judge.json").exists()
    options.clean_up(made)
    assert not (made.folder / "policy" / "checkpoints").exists()


def test_labels_teach_the_embedded_policy_to_add(tmp_path: FilePath, embedded: FilePath) -> None:
    made = stage(tmp_path, embedded)
    taught = policy(reward="label", steps=12, prompts_per_step=8, group=8, measure_every=12, save_every=12)
    result = taught.train(made)
    steps = [row["accuracy"] for row in records(made, "steps")]
    assert sum(steps[-3:]) / 3 > sum(steps[:3]) / 3
    assert result.metrics["matches"] == 0


def test_a_policy_that_was_mostly_not_judged_is_told(tmp_path: FilePath, embedded: FilePath, caplog: pytest.LogCaptureFixture) -> None:
    """By a judge that is cut off before it says anything."""
    made = stage(tmp_path, embedded)
    made.judge = ArithmeticJudge(max_new_tokens=1)
    result = policy(reward={"aggregator": "round-robin", "reward": "rank"}, test=None, steps=1, group=8).train(made)
    assert result.metrics["undecided"] > 0.5
    assert "of the policy's answers have no reward" in caplog.text
