"""New whole lines of a file that somebody may be writing, each with where it begins and how long it is."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

MOST = 1 << 21
"""Bytes that are read at once, so that what was found is shown while more is read."""
FIRST = 1 << 16
"""Bytes of each file that are read before anything is shown at all."""


@dataclass
class Followed:
    """A file of JSON lines, and how far it has been read."""

    file: FilePath
    end: int = 0
    lines: int = 0
    damaged: list[int] = field(default_factory=list)
    """Numbers of the lines that are no JSON objects, from 1."""
    _inode: int = 0
    _open: bool = False
    """Whether what was read last may still get its line's end."""

    def rewritten(self) -> bool:
        """Whether it is another file than the one that was read, or a shorter one."""
        try:
            there = os.stat(self.file)
        except OSError:
            return self.end > 0
        return self.end > 0 and (there.st_ino != self._inode or there.st_size < self.end)

    @property
    def size(self) -> int:
        try:
            return os.stat(self.file).st_size
        except OSError:
            return 0

    def new_rows(self, most: int = MOST) -> Iterator[tuple[dict[str, Any], int, int]]:
        """Rows behind what was read, some `most` bytes of them, each with its offset and its size; a line that is not whole waits.

        A last line that lacks its end alone is whole, as in a file that was written by hand."""
        if self.size <= self.end:
            return
        with self.file.open("rb") as data:
            self._inode = os.fstat(data.fileno()).st_ino
            data.seek(self.end)
            stop = self.end + most
            for line in data:
                if not line.endswith(b"\n") and _object(line) is None:
                    return
                offset, self.end = self.end, self.end + len(line)
                self.lines += not (self._open and line == b"\n")
                self._open = not line.endswith(b"\n")
                row = _object(line)
                if row is not None:
                    yield row, offset, len(line)
                elif line.strip():
                    self.damaged.append(self.lines)
                if self.end >= stop:
                    return


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) else None


def cut_off(file: FilePath) -> bool:
    """Whether its last line is only a part of one: who wrote it was stopped meanwhile, or is at it."""
    try:
        with file.open("rb") as data:
            place = data.seek(0, os.SEEK_END)
            last = b""
            while place and b"\n" not in last:
                size = min(FIRST, place)
                place = data.seek(place - size)
                last = data.read(size) + last
    except OSError:
        return False
    line = last[last.rfind(b"\n") + 1 :]
    return bool(line.strip()) and _object(line) is None


def read_row(file: FilePath, offset: int, size: int) -> dict[str, Any]:
    """The row that stands there."""
    with file.open("rb") as data:
        data.seek(offset)
        found: dict[str, Any] = json.loads(data.read(size))
        return found
