"""Writes files so that they are there whole or not at all."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path as FilePath

from adjudge.api.values import Json
from adjudge.errors import JobError


def write_whole(file: FilePath, text: str) -> None:
    """Write a file so that it is there complete or not at all."""
    partial = file.with_name(file.name + ".partial")
    with told_if_full(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            partial.write_text(text, encoding="utf-8")
            os.replace(partial, file)
        except OSError:
            partial.unlink(missing_ok=True)
            raise


@contextmanager
def told_if_full(file: FilePath) -> Iterator[None]:
    """Tell of a full disk and the like in one message with the file's name."""
    try:
        yield
    except OSError as error:
        remedy = "Remedy: make room, and run again; finished records are kept."
        raise JobError(f"{file} cannot be written: {error.strerror}.\n  {remedy}") from error


def write_json(file: FilePath, data: Json) -> None:
    write_whole(file, json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
