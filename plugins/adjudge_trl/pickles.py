"""Has a checkpoint's pickles read as plain data, whichever library opens them: what else one of them names ends the stage, and is not run.

transformers, accelerate, torch and DeepSpeed open them through `torch.load`, which an environment variable makes strict, whatever they ask
of it themselves. One file goes past it: `.metadata`, the table of contents that torch writes beside shards and hands to Python's unpickler.
"""

from __future__ import annotations

import os
import pickle
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib import import_module
from pathlib import Path as FilePath
from typing import Any

import torch
from transformers import TrainerCallback

from adjudge import ConfigError, JobError, StageContext

from .failures import AGAIN
from .whole_weights import deepspeeds_settings

STRICT, LAX = "TORCH_FORCE_WEIGHTS_ONLY_LOAD", "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"
"""torch reads them in every `torch.load`, and takes no call where both are set."""
OF_DEEPSPEED = {
    "deepspeed.runtime.fp16.loss_scaler": {"LossScaler", "DynamicLossScaler"},
    "deepspeed.runtime.zero.config": {"ZeroStageEnum"},
    "deepspeed.utils.tensor_fragment": {"fragment_address"},
}
"""What ZeRO's checkpoints hold beside tensors, numbers and text: classes by module that hold numbers, and do nothing when they are made."""
OF_CONTENTS = {
    "torch.distributed.checkpoint.metadata": {
        "BytesStorageMetadata", "ChunkStorageMetadata", "Metadata", "MetadataIndex", "StorageMeta", "TensorProperties",
        "TensorStorageMetadata", "_MEM_FORMAT_ENCODING",
    },
    "torch.distributed.checkpoint.filesystem": {"_StorageInfo"},
    "torch.serialization": {"_get_layout"},
    "torch": {"Size", *(name for name, value in vars(torch).items() if isinstance(value, torch.dtype))},
    "pathlib": {"PosixPath", "WindowsPath"},
    "pathlib._local": {"PosixPath", "WindowsPath"},
}  # fmt: skip
"""What a table of contents is made of, by module; `pathlib._local` is where Python 3.13 has its paths."""


def check_reader(trainer: Any) -> None:
    """Raise `ConfigError` where DeepSpeed leaves checkpoints to DataStates, which goes past `torch.load` and unpickles whatever they hold.

    To be called before a stage trains, and not only where it goes on: it could not.
    """
    if deepspeeds_settings(trainer).get("datastates_ckpt", False) is not False:
        raise ConfigError(
            "datastates_ckpt, in DeepSpeed's settings: DataStates unpickles its checkpoints, and runs whatever code one holds.\n"
            "  Remedy: leave it out; then torch writes and reads them."
        )


@contextmanager
def read_as_data(trainer: Any, stage: StageContext, last: FilePath | None) -> Iterator[None]:
    """Train inside of this: until its first step, by when a trainer has read all of `last`, only plain data comes out of pickles.

    From then on `torch.load` is as it was. Raises `JobError` where `last` holds something else.
    """
    if last is None:
        yield
        return
    with ExitStack() as rules:
        rules.enter_context(strict_loads())
        rules.enter_context(torch.serialization.safe_globals(_deepspeeds_own() if trainer.is_deepspeed_enabled else []))
        reading = Reading(rules)
        trainer.add_callback(reading)
        try:
            check_contents(last)
            yield
        except (pickle.UnpicklingError, RuntimeError) as error:
            if not (reading.now and _refused(error)):
                raise
            named = re.search(r"GLOBAL (\S+)", str(error))
            what = f" It names {named[1]}." if named else ""
            raise JobError(
                f"stage {stage.name}: {last} is damaged, or holds something else than numbers, and is not read.{what}\n"
                f"  Remedy: delete that checkpoint, {AGAIN}"
            ) from error


class Reading(TrainerCallback):  # type: ignore[misc]
    """Lifts the rules for reading a checkpoint when the first step begins."""

    now = True

    def __init__(self, rules: ExitStack) -> None:
        self.rules = rules

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        self.now = False
        self.rules.close()


def _refused(error: Exception) -> bool:
    """Whether a pickle was not read for what it holds; of a compiled model, torch says so by a RuntimeError."""
    return isinstance(error, pickle.UnpicklingError) or "TorchScript archives" in str(error)


@contextmanager
def strict_loads() -> Iterator[None]:
    """Every `torch.load` of this process makes only what it knows or `safe_globals` names, whatever the caller and the user set."""
    before = {name: os.environ.pop(name, None) for name in (STRICT, LAX)}
    os.environ[STRICT] = "1"
    try:
        yield
    finally:
        del os.environ[STRICT]
        os.environ.update({name: value for name, value in before.items() if value is not None})


def _deepspeeds_own() -> list[Any]:
    """DeepSpeed's classes of numbers, as far as the installed version has them."""
    found = []
    for module, names in OF_DEEPSPEED.items():
        with suppress(ImportError):
            found += [cls for name, cls in vars(import_module(module)).items() if name in names]
    return found


def check_contents(folder: FilePath) -> None:
    """Raise `pickle.UnpicklingError` for a table of contents in this folder, or below it, that is none, or names anything else as well."""
    below = (FilePath(place) / name for place, _, names in os.walk(folder, followlinks=True) for name in names)
    for file in sorted(file for file in below if file.name.endswith(".metadata")):
        with file.open("rb") as data:
            try:
                Contents(data).load()
            except (OSError, MemoryError, pickle.UnpicklingError):
                raise
            except Exception as error:  # a damaged pickle fails in whatever way its bytes lead to
                raise pickle.UnpicklingError(f"{file}: {type(error).__name__}: {error}") from error


class Contents(pickle.Unpickler):
    """Reads a table of contents of shards, and makes nothing but what one is made of."""

    def find_class(self, module: str, name: str) -> Any:
        if name not in OF_CONTENTS.get(module, ()):
            raise pickle.UnpicklingError(f"GLOBAL {module}.{name} is no part of a table of contents")
        return super().find_class(module, name)
