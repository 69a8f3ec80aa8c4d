"""The files of a data set of the Hub, through the local cache of `huggingface_hub`: ``hub:ID@SPLIT``, or ``hub:ID/CONFIG@SPLIT``.

A local folder that is laid out like one may take the id's place.

Files are read by the reader of all other rows. `datasets` says which of them a split has, and does not read them: of a JSON column of mixed
types it would make numbers of texts such as ``42``.
"""

from __future__ import annotations

import os
from pathlib import Path as FilePath
from typing import Any

from adjudge import ConfigError

from .byte_streams import missing

HUB = "hub:"


def hub_files(name: str) -> list[FilePath]:
    """The files of one split; without ``@SPLIT``, of the only one."""
    found = hub_splits(name)
    if len(found) > 1:
        raise ConfigError(f"data: {name} has several splits ({', '.join(found)}).\n  Remedy: name one, as {name}@{next(iter(found))}.")
    return [file for of_split in found.values() for file in of_split]


def hub_splits(name: str) -> dict[str, list[FilePath]]:
    """The files of the split that is named, or of every split; `ConfigError` for a data set that is not here and cannot be fetched."""
    place, _, split = name.removeprefix(HUB).partition("@")
    if FilePath(place).is_absolute() or FilePath(place).is_dir():
        ident, config = place, ""
    else:
        ident, config = "/".join(place.split("/")[:2]), "/".join(place.split("/")[2:])
    found = _splits(name, ident, config or None)
    if split and split not in found:
        raise ConfigError(f"data: {name}: there is no split {split!r}; it has {', '.join(found)}.\n  Remedy: name one of these.")
    return {split: found[split]} if split else found


def _splits(name: str, ident: str, config: str | None) -> dict[str, list[FilePath]]:
    try:
        import datasets
        from huggingface_hub import snapshot_download
    except ImportError:
        raise missing(f"{name}, a data set of the Hub,", "datasets") from None
    try:
        folder = ident if FilePath(ident).is_dir() else snapshot_download(ident, repo_type="dataset")
    except Exception as error:  # the library raises whatever its transport raises
        raise ConfigError(_offline(name, ident, error)) from None
    try:
        builder: Any = datasets.load_dataset_builder(folder, config)
        files = builder.config.data_files or {}
    except Exception as error:  # or whatever its builders do
        raise ConfigError(f"data: {name}: datasets cannot tell its files: {error}\n  Remedy: name the files in {folder}") from None
    return {str(split): [FilePath(os.fspath(file)) for file in of_split] for split, of_split in files.items()}


def _offline(name: str, ident: str, error: Exception) -> str:
    first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return (
        f"data: {name} cannot be loaded: it is not on this machine, and fetching it fails: {first}\n"
        f"  Remedy: with a network, run 'hf download --repo-type dataset {ident}', which fills the cache that is looked in here;\n"
        f"  or add '--local-dir FOLDER' to it, and name files of that folder."
    )
