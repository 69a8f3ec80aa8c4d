"""Which checkpoint a stage goes on from, and when checkpoints go."""

from __future__ import annotations

from pathlib import Path as FilePath

import pytest

from adjudge import Plugins, Stage, StageTrainer
from adjudge_engines import HfEngine
from adjudge_judges import ArithmeticJudge
from adjudge_trl import checkpoint_folder, newest_checkpoint


@pytest.fixture
def stage(tmp_path: FilePath) -> Stage:
    return Stage(1, "grpo", tmp_path / "1-grpo", tmp_path / "records", tmp_path, tmp_path, ArithmeticJudge(), HfEngine())


def add_checkpoint(stage: Stage, step: int, state: str = "{}") -> FilePath:
    folder = checkpoint_folder(stage) / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    (folder / "trainer_state.json").write_text(state)
    return folder


def test_a_stage_without_checkpoints_starts_at_its_first_step(stage: Stage) -> None:
    assert newest_checkpoint(stage) == (None, 0)


def test_the_last_step_counts_and_not_the_order_of_names(stage: Stage) -> None:
    add_checkpoint(stage, 9)
    last = add_checkpoint(stage, 10)
    assert newest_checkpoint(stage) == (last, 10)


def test_torn_checkpoints_are_removed_and_told(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    whole, torn = add_checkpoint(stage, 1), [add_checkpoint(stage, step, '{"half') for step in (2, 3)]
    assert newest_checkpoint(stage) == (whole, 1)
    assert not any(folder.exists() for folder in torn)
    assert [record.getMessage() for record in caplog.records] == [
        f"stage 1-grpo: {folder} was cut short and is removed" for folder in reversed(torn)
    ]


@pytest.mark.parametrize("name", ["grpo", "sft"])
def test_trainers_let_go_of_their_checkpoints_and_of_nothing_else(stage: Stage, plugins: Plugins, name: str) -> None:
    add_checkpoint(stage, 1)
    (stage.folder / "model").mkdir()
    trainer = plugins.pick(StageTrainer, name)
    trainer.model_construct().clean_up(stage)
    trainer.model_construct().clean_up(stage)
    assert [entry.name for entry in stage.folder.iterdir()] == ["model"]


@pytest.mark.parametrize("name", ["grpo", "sft"])
def test_no_result_depends_on_how_often_checkpoints_are_saved(plugins: Plugins, name: str) -> None:
    assert "save_every" in plugins.pick(StageTrainer, name).without_effect
