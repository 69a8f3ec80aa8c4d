"""Record files: one appended line of JSON with a stable id for each; a torn last line is cut off before anything is appended."""

from __future__ import annotations

import io
import json
import os
import shutil
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from enum import Enum
from functools import cache
from pathlib import Path as FilePath
from typing import Any, TypeVar

from pydantic import TypeAdapter
from pydantic_core import to_json

from adjudge.api.values import Json
from adjudge.errors import ConfigError

from .files import append_whole, told_if_full, written_whole
from .record_index import RecordIndex, in_line
from .token_files import TokenFiles, can_keep_tokens, put_back, taken_out

Record = TypeVar("Record")
WRITTEN = {"token_ends": "ends"}
"""Fields that have another name in record files, which keep the names that they began with."""
EMPTY: dict[str, Any] = {"opened": "", "statistics": {}, "probability": None, "told": {}}
PLAIN = frozenset({str, int, float, bool, tuple, dict, type(None)})
READ = {written: name for name, written in WRITTEN.items()}
adapter_of: Callable[[Any], Any] = cache(TypeAdapter)
fields_of: Callable[[type], list[tuple[str, str, Json]]] = cache(
    lambda cls: [(name, WRITTEN.get(name, name), EMPTY.get(name, ...)) for name in getattr(cls, "__dataclass_fields__", ())]
)
"""A dataclass's fields, what they are called in record files, and when they are left out."""


def succeeded(record: Mapping[str, Json]) -> bool:
    """Whether the call that a record is about came back; `Records.keep` answers this one from its index, without reading the file."""
    made = record.get("completion")
    return (made if isinstance(made, dict) else record).get("error") is None


class Records:
    """One append-only file of records with ids; appending an id that is there already changes nothing.

    Beside ``NAME.jsonl``, whose lines are for people too, ``NAME.tokens`` has the numbers of every token and ``NAME.index`` where each line
    is, which is made again where it is lost. Files of earlier versions, with all numbers in their lines, are read as they are."""

    def __init__(self, file: FilePath, written: Callable[[Mapping[str, Json]], None] = lambda record: None) -> None:
        self.file = file
        self._written = written
        with told_if_full(file):
            file.parent.mkdir(parents=True, exist_ok=True)
            _cut_torn_line(file)
        self.open()

    def open(self, *, write: bool = True) -> None:
        """See what is there; one that does not `write` leaves the index as it is."""
        self.tokens = token_files(self.file)
        self._out: io.FileIO | None = None
        self.ids = RecordIndex(self.file, beside(self.file, "index"), write=write)
        for row, place in _rows(self.file, self.ids.end):
            if row["id"] not in self.ids:
                self.ids.add(row["id"], *place, not succeeded(row))
        self.ids.write()

    def __iter__(self) -> Iterator[dict[str, Json]]:
        """Every record as its line has it: of tokens their count alone."""
        return (row for row, _ in _rows(self.file))

    def append(self, record: Any, **more: Json) -> None:
        """Append a mapping or a record dataclass; it must have an ``id``. Raises `ValueError` for a number that is not finite."""
        row = {**as_row(record), **more}
        if row["id"] in self.ids:
            return
        try:
            if isinstance(made := row.get("completion"), dict) and can_keep_tokens():
                row["completion"] = made = {**made}
                if columns := taken_out(made):
                    made["row"] = self.tokens.append(str(row["id"]), columns)
            line = to_json(row) + b"\n"
            if b"NaN" in line or b"Infinity" in line:
                in_line(row)  # raises, unless a text says so
            self.ids.add(row["id"], self._write(line), len(line), not succeeded(row))
        except OSError:
            with told_if_full(self.file):  # not around all of it: entering costs more than the index
                raise
        self._written(row)

    def _write(self, line: bytes) -> int:
        """Append a line, and return where it begins; the file stays open, unless somebody has put another one in its place."""
        if self._out is None or not (there := os.fstat(self._out.fileno())).st_nlink:
            self._out = self.file.open("ab", buffering=0)
            there = os.fstat(self._out.fileno())
        append_whole(self._out, line)
        return there.st_size

    def keep(self, wanted: Callable[[dict[str, Json]], bool]) -> None:
        """Drop the records that are not wanted, all at once or not at all."""
        if wanted is bool or (wanted is succeeded and not self.ids.failed) or all(map(wanted, self)):
            return
        with written_whole(self.file) as out:
            out.writelines(to_json(record).decode() + "\n" for record in self if wanted(record))
            self.ids.index.unlink(missing_ok=True)
        self.tokens.close()
        self.open()

    def read(self, cls: type[Record], ids: Iterable[Json]) -> Iterator[Record]:
        """The records of these ids as this dataclass, in this order, read one at a time. Raises `KeyError` for one that is not there."""
        return iter(RecordSequence(self, cls, ids))

    def load(self, cls: type[Record]) -> list[Record]:
        """All records as this dataclass; fields it does not have are left out."""
        return [*map(reader_of(cls, self.tokens), self)]

    def close(self) -> None:
        """Make an Arrow file of the newest tokens, and bring the index up to date."""
        self.tokens.close()
        self.ids.write()


class RecordSequence(Sequence[Record]):
    """Records as a dataclass, in an order of their own, each read when it is asked for; slices are such sequences too."""

    def __init__(self, records: Records, cls: type[Record], ids: Iterable[Json] = (), numbers: Any = None, read: Any = None) -> None:
        self.records, self.cls = records, cls
        self._numbers = array("I", map(self._number, ids)) if numbers is None else numbers
        self._read = read or reader_of(cls, records.tokens)

    def _number(self, ident: Json) -> int:
        if (found := self.records.ids.number(ident)) is None:
            raise KeyError(ident)
        return found

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, int):
            return self._read(self.records.ids.row(self._numbers[index]))
        return RecordSequence(self.records, self.cls, numbers=self._numbers[index], read=self._read)

    def without_tokens(self) -> RecordSequence[Record]:
        """The same, with the numbers of no token: for what only asks about texts and outcomes."""
        return RecordSequence(self.records, self.cls, numbers=self._numbers, read=reader_of(self.cls))


def as_row(value: Any) -> Any:
    """A record dataclass as it is written, without what is in `EMPTY` where it is empty; `asdict` would copy every token, too."""
    if (kind := type(value)) in PLAIN or not (fields := fields_of(kind)):
        return value.value if isinstance(value, Enum) else value
    return {
        name: made if type(made) in PLAIN else as_row(made) for field, name, empty in fields if (made := getattr(value, field)) != empty
    }


def reader_of(cls: type[Record], tokens: TokenFiles | None = None) -> Callable[[Mapping[str, Any]], Record]:
    """Reads a row as this dataclass, fields that it does not have left out; raises pydantic's `ValidationError`.

    With `tokens`, a row whose completion has its numbers there gets them back."""
    adapter, names = adapter_of(cls), set(cls.__dataclass_fields__)  # type: ignore[attr-defined]

    def read(row: Mapping[str, Any]) -> Record:
        named = {name: value for written, value in row.items() if (name := READ.get(written, written)) in names}
        if not isinstance(completion := named.get("completion"), Mapping):
            return adapter.validate_python(named)  # type: ignore[no-any-return]
        named["completion"] = {READ.get(name, name): value for name, value in completion.items() if name not in ("tokens", "row")}
        made: Any = adapter.validate_python(named)
        if tokens is not None and (number := completion.get("row")) is not None:
            made = replace(made, completion=replace(made.completion, **put_back(tokens.read(number))))
        return made  # type: ignore[no-any-return]

    return read


def _rows(file: FilePath, start: int = 0) -> Iterator[tuple[dict[str, Json], tuple[int, int]]]:
    """The records of a file from a place on, each with where its line begins and how long it is."""
    with suppress(FileNotFoundError), file.open("rb") as lines:
        lines.seek(start)
        for line in lines:
            if not line.endswith(b"\n"):  # somebody is writing it
                return
            try:
                yield json.loads(line), (start, len(line))
            except ValueError as error:
                number = file.read_bytes()[:start].count(b"\n") + 1
                raise ConfigError(f"{file}: line {number} is damaged ({error}).\n  Remedy: delete that line and run again.") from None
            start += len(line)


def beside(file: FilePath, kind: str) -> FilePath:
    """What lies beside a record file: its ``index``, its ``tokens``."""
    return file.with_name(f"{file.name.replace('.jsonl', '')}.{kind}")


def token_files(file: FilePath) -> TokenFiles:
    """The numbers of the tokens of a record file's completions."""
    return TokenFiles(beside(file, "tokens"))


def tokens_back(file: FilePath) -> Callable[[Mapping[str, Json]], dict[str, Json]]:
    """Gives a row of this record file the numbers of its tokens, as rows of earlier versions have them in their line."""
    tokens = token_files(file)

    def joined(row: Mapping[str, Json]) -> dict[str, Json]:
        if not isinstance(made := row.get("completion"), Mapping) or made.get("row") is None:
            return dict(row)
        back = {WRITTEN.get(name, name): value for name, value in put_back(tokens.read(made["row"])).items()}
        return {**row, "completion": {**{name: one for name, one in made.items() if name != "row"}, **back}}

    return joined


def _cut_torn_line(file: FilePath) -> None:
    """Drop what follows the last newline: the line that a killed process did not finish."""
    with suppress(FileNotFoundError), file.open("rb+") as data:
        end = size = data.seek(0, os.SEEK_END)
        while end and (data.seek(end - 1), data.read(1))[1] != b"\n":
            end -= 1
        if end < size:
            data.truncate(end)


def join_parts(file: FilePath) -> None:
    """Add to a record file what processes wrote beside it, each into a part ``FILE.part<rank>``, and which a stop may have left there."""
    for part in sorted(file.parent.glob(f"{file.name}.part*")):
        whole, records = Records(file), Records(part)
        for row in map(tokens_back(part), records):
            whole.append(row)
        whole.close()
        part.unlink()
        beside(part, "index").unlink(missing_ok=True)
        shutil.rmtree(beside(part, "tokens"), ignore_errors=True)
