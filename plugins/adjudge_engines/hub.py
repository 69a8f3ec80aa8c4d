"""Models by their id on the Hugging Face hub, such as ``Qwen/Qwen2.5-0.5B-Instruct``: found in its local cache, and never downloaded."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path as FilePath

from adjudge import ConfigError

ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
"""Owner and name of a model."""
WEIGHTS = ("*.safetensors", "*.gguf")


def find_cached_model(name: str, folder: FilePath) -> FilePath:
    """The folder that the cache keeps a model of the hub in; `folder` is where it was looked for before, as a path.

    Raises `ConfigError` where it is not there, or not whole, with the command that fetches it.
    """
    if folder.is_file():
        raise ConfigError(
            f"model: {name!r} is a file, and no GGUF file.\n  Remedy: name the folder of a model, or a file whose name ends in .gguf."
        )
    if not ID.fullmatch(name):
        remedy = "models are local folders or GGUF files, or ids of the Hugging Face hub (OWNER/NAME) whose files are in its cache here"
        raise ConfigError(f"model: {name!r}: no such folder ({folder}).\n  Remedy: {remedy}; nothing is downloaded.")
    fetch = f"\n  Remedy: check the path; if it is an id of the hub, fetch it once: hf download {name} (nothing is downloaded by itself)."
    found = _cached(name)
    if found is None:
        raise ConfigError(f"model: {name!r}: no such folder, and the Hugging Face cache here has no model of this id.{fetch}")
    if not any(file for pattern in WEIGHTS for file in found.glob(pattern)):
        raise ConfigError(f"model: {name!r}: the Hugging Face cache here has only a part of it, without weights ({found}).{fetch}")
    return found


def _cached(name: str) -> FilePath | None:
    """The newest snapshot in the cache; no network is asked."""
    if find_spec("huggingface_hub") is None:
        return None
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return FilePath(snapshot_download(name, local_files_only=True))
    except LocalEntryNotFoundError:
        return None
