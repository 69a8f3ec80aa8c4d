"""Writes files so that they are there whole or not at all."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path as FilePath
from typing import TextIO

from adjudge.api.values import Json
from adjudge.errors import JobError


def write_whole(file: FilePath, text: str) -> None:
    """Write a file so that it is there complete or not at all."""
    with written_whole(file) as out:
        out.write(text)


@contextmanager
def written_whole(file: FilePath) -> Iterator[TextIO]:
    """A file to write to that is there, complete, once the context ends without an error, or else not at all."""
    partial = file.with_name(file.name + ".partial")
    with told_if_full(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            with partial.open("w", encoding="utf-8") as out:
                yield out
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


def append_whole(out: FileIO, data: bytes) -> None:
    """Append to a file that is open without a buffer, all or nothing."""
    done = 0
    try:
        while done < len(data):
            done += out.write(data[done:])
    except OSError:
        out.seek(out.truncate(os.fstat(out.fileno()).st_size - done))
        raise
