"""Where a word occurs among many texts: they lie lower-cased in a file without a name, and are read through in pieces."""

from __future__ import annotations

from bisect import bisect_right
from tempfile import TemporaryFile
from threading import Lock
from typing import IO, Any

import numpy as np

PIECE = 1 << 22
"""Bytes that are searched at once."""
END = b"\0"


class Texts:
    """Texts by number, in the order in which they are added."""

    def __init__(self) -> None:
        self._file: IO[bytes] = TemporaryFile()  # noqa: SIM115 - it lives as long as this
        self._pieces: list[tuple[int, int, list[int]]] = []  # where a piece begins, how long it is, and where its texts begin in it
        self._new = bytearray()
        self._starts: list[int] = []
        self._end = 0
        self._count = 0
        self._lock = Lock()

    def __len__(self) -> int:
        return self._count

    def add(self, text: str) -> None:
        with self._lock:
            self._starts.append(len(self._new))
            self._new += text.lower().encode("utf-8", "surrogatepass").replace(END, b" ") + END
            self._count += 1
            if len(self._new) >= PIECE:
                self._put_away()

    def _put_away(self) -> None:
        self._file.seek(self._end)
        self._file.write(self._new)
        self._pieces.append((self._end, len(self._new), self._starts))
        self._end += len(self._new)
        self._new, self._starts = bytearray(), []

    def search(self, words: str) -> Any:
        """For each text whether it contains these words, in any case."""
        wanted = words.lower().encode("utf-8", "surrogatepass").replace(END, b" ")
        with self._lock:
            pieces, new, starts, count = list(self._pieces), bytes(self._new), list(self._starts), self._count
        found: Any = np.zeros(count, bool)
        first = 0
        for place, size, of_piece in pieces:
            _search(self._read(place, size), of_piece, wanted, found[first : first + len(of_piece)])
            first += len(of_piece)
        _search(new, starts, wanted, found[first:])
        return found

    def _read(self, place: int, size: int) -> bytes:
        with self._lock:
            self._file.seek(place)
            return self._file.read(size)


def _search(data: bytes, starts: list[int], wanted: bytes, found: Any) -> None:
    place, index = data.find(wanted), 0
    while place >= 0:
        index = bisect_right(starts, place, index) - 1
        found[index] = True
        if (index := index + 1) >= len(starts):
            return
        place = data.find(wanted, starts[index])
