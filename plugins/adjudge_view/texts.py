"""Where words occur among many texts, which lie lower-cased in a file without a name; marks say which texts need not be read.

Every three bytes that follow each other in a text leave one of 4096 marks. A text that lacks a mark of the words does not have the words;
the others are looked through. So a rare word costs next to nothing, and a frequent one is found early in each text.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from tempfile import TemporaryFile
from threading import Lock
from typing import IO, Any

import numpy as np

PIECE, MOST = 1 << 22, 1 << 12
"""Bytes that are searched at once, and texts at most among them."""
MARKS = 4096
FEW = 8
"""Marks of the words that are asked for."""
END = b"\0"


@dataclass(frozen=True, slots=True)
class Piece:
    """Some texts that follow each other."""

    place: int
    size: int
    starts: list[int]
    marks: Any
    """A row of bits for each text."""

    def may_have(self, marks: list[int]) -> Any:
        """For each text whether it has all these marks."""
        found: Any = np.ones(len(self.starts), bool)
        for mark in marks:
            found &= (self.marks[:, mark >> 3] >> (7 - (mark & 7)) & 1).astype(bool)
        return found


class Texts:
    """Texts by number, in the order in which they are added."""

    def __init__(self) -> None:
        self._file: IO[bytes] = TemporaryFile()  # noqa: SIM115 - it lives as long as this
        self._pieces: list[Piece] = []
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
            self._new += _searched(text) + END
            self._count += 1
            if len(self._new) >= PIECE or len(self._starts) >= MOST:
                self._put_away()

    def _put_away(self) -> None:
        self._file.seek(self._end)
        self._file.write(self._new)
        self._pieces.append(Piece(self._end, len(self._new), self._starts, _marks_of(bytes(self._new), self._starts)))
        self._end += len(self._new)
        self._new, self._starts = bytearray(), []

    def search(self, words: str) -> Any:
        """For each text whether it contains these words, in any case."""
        wanted = _searched(words)
        marks = sorted(set(_marks(wanted).tolist()))[:FEW]
        with self._lock:
            pieces, new, starts, count = list(self._pieces), bytes(self._new), list(self._starts), self._count
        found: Any = np.zeros(count, bool)
        first = 0
        for piece in pieces:
            may, here = piece.may_have(marks), found[first : first + len(piece.starts)]
            first += len(piece.starts)
            if 2 * np.count_nonzero(may) > len(may):
                _search(self._read(piece), piece.starts, wanted, here)
            elif may.any():
                data, ends = self._read(piece), [*piece.starts[1:], piece.size]
                for number in np.flatnonzero(may).tolist():
                    here[number] = data.find(wanted, piece.starts[number], ends[number]) >= 0
        _search(new, starts, wanted, found[first:])
        return found

    def _read(self, piece: Piece) -> bytes:
        with self._lock:
            self._file.seek(piece.place)
            return self._file.read(piece.size)


def _searched(text: str) -> bytes:
    return text.lower().encode("utf-8", "surrogatepass").replace(END, b" ")


def _marks(data: bytes) -> Any:
    """The mark of every three bytes."""
    one = np.frombuffer(data, np.uint8).astype(np.uint32)
    return ((one[:-2] * 961 + one[1:-1] * 31 + one[2:]) * 2654435761 >> 20) % MARKS if len(one) > 2 else np.zeros(0, np.uint32)


def _marks_of(data: bytes, starts: list[int]) -> Any:
    """The marks of each text, as bits."""
    marks = _marks(data)
    of: Any = np.repeat(np.arange(len(starts)), np.diff([*starts, len(data)]))[: len(marks)]
    held: Any = np.zeros((len(starts), MARKS), bool)
    held[of, marks] = True
    return np.packbits(held, axis=1)


def _search(data: bytes, starts: list[int], wanted: bytes, found: Any) -> None:
    """Set `found` for each text that has what is wanted."""
    place, index = data.find(wanted), 0
    while place >= 0:
        index = bisect_right(starts, place, index) - 1
        found[index] = True
        if (index := index + 1) >= len(starts):
            return
        place = data.find(wanted, starts[index])
