"""Record files: one appended line of JSON with a stable id for each; a torn last line is cut off before anything is appended."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import is_dataclass
from pathlib import Path as FilePath
from typing import Any, TypeVar

from pydantic import TypeAdapter

from adjudge.api.values import Json
from adjudge.errors import ConfigError

from .files import told_if_full, write_whole

Record = TypeVar("Record")
WRITTEN = {"token_ends": "ends"}
"""Fields that have another name in record files, which keep the names that they began with."""
READ = {written: name for name, written in WRITTEN.items()}


class Records:
    """One append-only file of records with ids; appending an id that is there already changes nothing."""

    def __init__(self, file: FilePath, written: Callable[[Mapping[str, Json]], None] = lambda record: None) -> None:
        self.file = file
        self._written = written
        with told_if_full(file):
            file.parent.mkdir(parents=True, exist_ok=True)
            _cut_torn_line(file)
        self.ids = {record["id"] for record in self}

    def __iter__(self) -> Iterator[dict[str, Json]]:
        if not self.file.exists():
            return
        with self.file.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    yield json.loads(line)
                except json.JSONDecodeError as error:
                    told = f"{self.file}: line {number} is damaged ({error})"
                    raise ConfigError(f"{told}.\n  Remedy: delete that line and run again.") from None

    def append(self, record: Any, **more: Json) -> None:
        """Append a mapping or a record dataclass; it must have an ``id``. Raises `ValueError` for a number that is not finite."""
        row = {**as_row(record), **more}
        if row["id"] in self.ids:
            return
        line = json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n"
        with told_if_full(self.file), self.file.open("a", encoding="utf-8") as out:
            out.write(line)
        self.ids.add(row["id"])
        self._written(row)

    def keep(self, wanted: Callable[[dict[str, Json]], bool]) -> None:
        """Drop the records that are not wanted, all at once or not at all."""
        kept = [record for record in self if wanted(record)]
        if len(kept) < len(self.ids):
            write_whole(self.file, "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in kept))
            self.ids = {record["id"] for record in kept}

    def load(self, cls: type[Record]) -> list[Record]:
        """All records as this dataclass; fields it does not have are left out."""
        read = reader_of(cls)
        return [read(row) for row in self]


def as_row(value: Any) -> Any:
    """A record dataclass as it is written, without an empty `opened`, as older files have it; `asdict` would copy every token, too."""
    if not is_dataclass(value):
        return value
    return {WRITTEN.get(one, one): as_row(made) for one in value.__dataclass_fields__ if (made := getattr(value, one)) or one != "opened"}


def reader_of(cls: type[Record]) -> Callable[[Mapping[str, Any]], Record]:
    """Reads a row as this dataclass, fields that it does not have left out; raises pydantic's `ValidationError`."""
    adapter, names = TypeAdapter(cls), set(cls.__dataclass_fields__)  # type: ignore[attr-defined]

    def read(row: Mapping[str, Any]) -> Record:
        named = {name: value for name, value in _by_field(row).items() if name in names}
        if isinstance(completion := named.get("completion"), Mapping):
            named["completion"] = _by_field(completion)
        return adapter.validate_python(named)

    return read


def _by_field(row: Mapping[str, Any]) -> dict[str, Any]:
    return {READ.get(name, name): value for name, value in row.items()}


def _cut_torn_line(file: FilePath) -> None:
    """Drop what follows the last newline: the line that a killed process did not finish."""
    if not file.exists():
        return
    with file.open("rb+") as data:
        content = data.read()
        data.truncate(content.rfind(b"\n") + 1)


def join_parts(file: FilePath) -> None:
    """Add to a record file what processes wrote beside it, each into a part ``FILE.part<rank>``, and which a stop may have left there."""
    for part in sorted(file.parent.glob(f"{file.name}.part*")):
        whole = Records(file)
        for record in Records(part):
            whole.append(record)
        part.unlink()
