"""Remembers completions between calls in one SQLite file, so that what was asked once of the same model is not asked again.

What is kept is the completion and never the verdict: a judgement is parsed anew each time, so a better parser needs no new call, and
the parser is no part of the key. Docs: decisions/0012.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import sys
import time
from collections.abc import Callable, Mapping
from functools import cache as once
from pathlib import Path as FilePath
from typing import Any

from adjudge import Completion, Json, as_row, reader_of
from adjudge_engines import StoppedEarly, model_below

FORMAT = 1
"""Raised when the tables or what goes into a key change; another number is another file."""
PATIENCE = 10.0
"""Seconds to wait for another process that writes."""
SETTLED = 2.0
"""Seconds since its last change after which a file's times tell whether it changes again."""
LARGE = 2**30
"""Bytes of a file whose reading takes long enough to be told."""
NOT_THE_MODEL = (".md", "judge.json")
"""Ends of names in a model folder that no completion depends on; what ``judge.json`` says is in the prompt and the settings."""
TABLES = """
CREATE TABLE IF NOT EXISTS completions (key TEXT PRIMARY KEY, source TEXT, tokens INTEGER, value TEXT, digest TEXT) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_source ON completions (source, tokens);
CREATE TABLE IF NOT EXISTS files (path TEXT PRIMARY KEY, state TEXT, digest TEXT) WITHOUT ROWID;
"""


def digest(*parts: Json) -> str:
    """SHA-256 of JSON values, in hexadecimal."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def cache_file() -> FilePath:
    """Where completions are kept: in the folder ``ADJUDGE_CACHE``, else in the user's cache folder."""
    chosen = os.environ.get("ADJUDGE_CACHE")
    home = FilePath(os.environ.get("XDG_CACHE_HOME") or FilePath.home() / ".cache")
    return (FilePath(chosen) if chosen else home / "adjudge") / f"completions-{FORMAT}.sqlite"


class Cache:
    """The file. Every completion is a transaction of its own, so a killed process loses none and two may write at once.

    A file that cannot be used is told once on standard error, and everything goes on as if nothing were known.
    """

    def __init__(self, file: FilePath) -> None:
        self.file = file
        self._open: sqlite3.Connection | None = None
        try:
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # A session may be asked from another thread than it was opened in, one call after the other, as an event loop's helpers do.
            self._open = sqlite3.connect(file, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
            self._write_ahead(self._open)
            self._open.execute("PRAGMA synchronous = NORMAL")
            self._open.executescript(TABLES)
        except (sqlite3.Error, OSError) as error:
            self._give_up(error)

    def _write_ahead(self, connection: sqlite3.Connection) -> None:
        """Let readers and a writer work at once. Of those who find a new file together all but one are told at once that it is locked."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise
            time.sleep(0.01)

    @property
    def usable(self) -> bool:
        return self._open is not None

    def close(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None

    def get(self, key: str) -> Completion | None:
        """What is known under a key; a row that is not as it was written is not known."""
        for text, written in self._rows("SELECT value, digest FROM completions WHERE key = ?", key):
            if written == digest(key, text):
                return _reader()(json.loads(text))
        return None

    def put(self, key: str, source: str, completion: Completion) -> None:
        """Remember a completion; one that failed says nothing about the next try and is not remembered."""
        if completion.error is None:
            text = json.dumps(as_row(completion), separators=(",", ":"), default=_plain)
            row = (key, source, len(completion.token_ids), text, digest(key, text))
            self._rows("INSERT OR REPLACE INTO completions VALUES (?, ?, ?, ?, ?)", *row)

    def mean_tokens(self, source: str) -> float | None:
        """Mean tokens of what a source has answered so far; None where it has not, or without tokens."""
        rows = self._rows("SELECT avg(tokens) FROM completions WHERE source = ? AND tokens > 0", source)
        return rows[0][0] if rows else None

    def folder_digest(self, folder: FilePath) -> str:
        """A digest of the files of a model folder that completions depend on: weights, tokenizer, chat template, settings.

        Adapters depend on the model that they are for as well.
        """
        inside = [folder] if folder.is_file() else folder.iterdir()
        files = sorted(file for file in inside if file.is_file() and not file.name.startswith("."))
        found = [[file.name, self._file_digest(file)] for file in files if not file.name.endswith(NOT_THE_MODEL)]
        below = model_below(folder)
        return digest(*found, *([] if below is None else [self.folder_digest(below)]))

    def _file_digest(self, file: FilePath) -> str:
        """A file's SHA-256, read again only when size, inode or times differ: the time of the last change cannot be set by hand."""
        path, state = str(file.resolve()), _state(file)
        for known, found in self._rows("SELECT state, digest FROM files WHERE path = ?", path):
            if known == state:
                return str(found)
        if file.stat().st_size > LARGE:
            print(f"reading {file} once, so that the cache knows this model", file=sys.stderr, flush=True)
        with file.open("rb") as data:
            found = hashlib.file_digest(data, "sha256").hexdigest()
        if _state(file) == state and time.time() - file.stat().st_ctime > SETTLED:
            self._rows("INSERT OR REPLACE INTO files VALUES (?, ?, ?)", path, state, found)
        return found

    def _rows(self, query: str, *values: object) -> list[Any]:
        if self._open is None:
            return []
        try:
            return self._open.execute(query, values).fetchall()
        except sqlite3.Error as error:
            self._give_up(error)
            return []

    def _give_up(self, error: Exception) -> None:
        self.close()
        remedy = "wait for the other process" if "locked" in str(error) else "delete the file"
        print(
            f"warning: the cache {self.file} cannot be used ({error}); going on without it.\n  Remedy: {remedy}, or pass --no-cache.",
            file=sys.stderr,
        )


def _state(file: FilePath) -> str:
    stat = file.stat()
    return f"{stat.st_size} {stat.st_ino} {stat.st_mtime_ns} {stat.st_ctime_ns}"


@once
def _reader() -> Callable[[Mapping[str, Any]], Completion]:
    whole, stopped = reader_of(Completion), reader_of(StoppedEarly)
    return lambda row: stopped(row) if "reason" in row else whole(row)


def _plain(number: Any) -> int | float:
    """A number of numpy's or torch's, of which an engine may have made its completion, as Python's own."""
    found: int | float = number.item()
    return found
