"""Checkpoints of a Hugging Face trainer: where a stage keeps them, which one it goes on from, and when they go."""

from __future__ import annotations

import json
import logging
import shutil
import zipfile
from pathlib import Path as FilePath

from adjudge import StageContext
from adjudge_engines import is_whole_safetensors

log = logging.getLogger("adjudge.trl")


def checkpoint_folder(stage: StageContext) -> FilePath:
    """Where a training stage keeps its checkpoints until it is complete."""
    return stage.folder / "checkpoints"


def newest_checkpoint(stage: StageContext) -> tuple[FilePath | None, int]:
    """The last whole checkpoint of a stage, and its step; None and 0 where there is none. A torn one is removed."""
    if stage.process_group.is_main_process:
        while (last := _last(stage)) and not is_whole_checkpoint(last):
            log.warning("stage %s: %s was cut short and is removed", stage.name, last)
            shutil.rmtree(last)
    stage.process_group.barrier()
    last = _last(stage)
    return last, 0 if last is None else _step(last)


def drop_checkpoints(stage: StageContext) -> None:
    """Let go of the checkpoints of a stage; a trainer does so in `clean_up`, once it is on disk that the stage is trained."""
    shutil.rmtree(checkpoint_folder(stage), ignore_errors=True)


def is_whole_checkpoint(folder: FilePath) -> bool:
    """Whether a checkpoint was written to its end: the trainer's state comes last, but a full disk tears any file.

    What torch saves is a zip file, whose table of contents is at its end; a plain pickle is none, and not a checkpoint.
    """
    try:
        json.loads((folder / "trainer_state.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    saved = [*folder.glob("*.pt"), *folder.glob("*.pth"), *folder.glob("*.bin")]
    return all(map(zipfile.is_zipfile, saved)) and all(map(is_whole_safetensors, folder.rglob("*.safetensors")))


def _last(stage: StageContext) -> FilePath | None:
    return max(checkpoint_folder(stage).glob("checkpoint-*"), key=_step, default=None)


def _step(checkpoint: FilePath) -> int:
    return int(checkpoint.name.rpartition("-")[2])
