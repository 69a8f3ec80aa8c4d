"""Groups under way on disk, in a file of SQLite's: what a client was told, or would have been, is told again by the next process.

One thread writes, in the order in which it is asked to, so an event loop never waits for a disk and what was written first is there first.
A process that is killed loses nothing that was written; the file is locked for as long as a process uses it.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from adjudge import ConfigError

from .cohort import Cohort
from .group_reward import SampleReward

VERSION = 2
TABLES = """
CREATE TABLE reward (fingerprint TEXT);
CREATE TABLE groups (id INTEGER PRIMARY KEY, name TEXT, size INTEGER, prompt TEXT);
CREATE TABLE completions (
    "group" INTEGER, number INTEGER, slot TEXT, text TEXT, anchors TEXT,
    judged INTEGER DEFAULT 0, value REAL, absolute REAL, reason TEXT, answered INTEGER DEFAULT 0,
    tokens REAL DEFAULT 0, seconds REAL DEFAULT 0,
    PRIMARY KEY ("group", number)
) WITHOUT ROWID;
"""
SINCE_1 = ("ALTER TABLE completions ADD COLUMN tokens REAL DEFAULT 0", "ALTER TABLE completions ADD COLUMN seconds REAL DEFAULT 0")
"""What makes a file of version 1 one of this version."""
Write = Callable[[sqlite3.Connection], None]


class CohortStore:
    """A file of groups. `reward` is a fingerprint of the reward that judged them: rewards of another are none."""

    def __init__(self, file: Path, reward: str) -> None:
        self.file = file
        self._later: list[tuple[str, tuple[Any, ...]]] = []
        self._soon: asyncio.TimerHandle | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="cohorts")
        try:
            file.touch(mode=0o600)  # it holds what a policy wrote
            self._disk = sqlite3.connect(file, check_same_thread=False, isolation_level=None, timeout=1)
            self._disk.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._disk.execute("PRAGMA journal_mode = WAL")
            self._disk.execute("PRAGMA synchronous = NORMAL")
            self._begin(reward)
        except (OSError, sqlite3.Error) as error:
            if "locked" in str(error):
                raise ConfigError(f"{file}: another server uses it.\n  Remedy: stop that one, or name another file.") from None
            raise ConfigError(f"{file}: cannot keep groups there: {error}.\n  Remedy: name a file of a folder that is there.") from None

    def _begin(self, reward: str) -> None:
        self._disk.execute("BEGIN IMMEDIATE")
        version = self._disk.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, 1, VERSION) or (version == 0 and self._disk.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]):
            raise ConfigError(f"{self.file}: it is no file of groups of this version.\n  Remedy: name another file.")
        if version == 0:
            for statement in TABLES.split(";"):
                self._disk.execute(statement)
            self._disk.execute(f"PRAGMA user_version = {VERSION}")
            self._disk.execute("INSERT INTO reward VALUES (?)", (reward,))
        elif self._disk.execute("SELECT fingerprint FROM reward").fetchone() != (reward,):
            raise ConfigError(f"{self.file}: its groups were judged by another reward.\n  Remedy: name another file, or delete this one.")
        elif version == 1:
            for statement in SINCE_1:
                self._disk.execute(statement)
            self._disk.execute(f"PRAGMA user_version = {VERSION}")
        self._disk.execute("COMMIT")

    def close(self) -> None:
        """Write what is left, and let go of the file."""
        self._write(_nothing)
        self._thread.shutdown()
        self._disk.close()

    async def flush(self) -> None:
        """Wait until all is written."""
        await asyncio.wrap_future(self._write(_nothing))

    async def load(self) -> list[tuple[Cohort, list[int]]]:
        """Every group, with the numbers of those completions of a complete one that came without a slot and may not have been answered."""
        return await asyncio.wrap_future(self._thread.submit(self._load))

    def add(self, cohort: Cohort, numbers: Sequence[int]) -> None:
        """Keep completions of a group."""
        known, slots = _key(cohort.group), {number: slot for slot, number in cohort.slots.items()}
        rows = [
            (cohort.id, number, _key(slots[number]) if number in slots else None, cohort.texts[number], json.dumps(cohort.anchors[number]))
            for number in numbers
        ]
        group = (cohort.id, known, cohort.size, cohort.prompt)

        def write(disk: sqlite3.Connection) -> None:
            disk.execute("INSERT OR IGNORE INTO groups VALUES (?, ?, ?, ?)", group)
            disk.executemany('INSERT OR IGNORE INTO completions ("group", number, slot, text, anchors) VALUES (?, ?, ?, ?, ?)', rows)

        self._write(write)

    async def complete(self, cohort: Cohort) -> None:
        """Keep all completions of a group, before it is judged."""
        self.add(cohort, list(cohort.texts))
        await self.flush()

    async def judged(self, cohort: Cohort, rewards: Sequence[SampleReward]) -> None:
        """Keep the rewards of a group, before anybody is told."""
        rows = [
            (one.value, one.absolute, one.reason, one.tokens, one.seconds, cohort.id, number)
            for number, one in zip(cohort.texts, rewards, strict=True)
        ]
        said = "UPDATE completions SET judged = 1, value = ?, absolute = ?, reason = ?, tokens = ?, seconds = ?"
        await asyncio.wrap_future(self._write(lambda disk: _discard(disk.executemany(f'{said} WHERE "group" = ? AND number = ?', rows))))

    def answered(self, cohort: Cohort, number: int) -> None:
        """Note that a completion without a slot was told its reward; written soon, with whatever else is."""
        if self._soon is None:
            self._soon = asyncio.get_running_loop().call_later(0.5, self._write, _nothing)
        self._later.append(('UPDATE completions SET answered = 1 WHERE "group" = ? AND number = ?', (cohort.id, number)))

    def drop(self, cohort: Cohort) -> None:
        """Forget a group; written with the next thing that is."""
        self._later.append(('DELETE FROM completions WHERE "group" = ?', (cohort.id,)))
        self._later.append(("DELETE FROM groups WHERE id = ?", (cohort.id,)))

    def _write(self, write: Write) -> Future[None]:
        later, self._later = self._later, []
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None
        return self._thread.submit(self._transaction, later, write)

    def _transaction(self, later: list[tuple[str, tuple[Any, ...]]], write: Write) -> None:
        self._disk.execute("BEGIN")
        try:
            for statement, values in later:
                self._disk.execute(statement, values)
            write(self._disk)
        except BaseException:
            self._disk.execute("ROLLBACK")
            raise
        self._disk.execute("COMMIT")

    def _load(self) -> list[tuple[Cohort, list[int]]]:
        found = []
        for ident, name, size, prompt in self._disk.execute("SELECT id, name, size, prompt FROM groups ORDER BY id").fetchall():
            cohort = Cohort(ident, _frozen(json.loads(name)), size, prompt)
            rewards, unanswered = [], []
            said = "SELECT number, slot, text, anchors, judged, answered, value, absolute, reason, tokens, seconds FROM completions"
            of_group = f'{said} WHERE "group" = ? ORDER BY number'
            for number, slot, text, anchors, judged, answered, *reward in self._disk.execute(of_group, (ident,)):
                cohort.texts[number], cohort.anchors[number] = text, json.loads(anchors)
                if slot is not None:
                    cohort.slots[_frozen(json.loads(slot))] = number
                elif not answered:
                    unanswered.append(number)
                if judged:
                    rewards.append(SampleReward(*reward))
            if cohort.complete and len(rewards) == size:
                cohort.judged(rewards)
            found.append((cohort, unanswered))
        return found


def _nothing(disk: sqlite3.Connection) -> None:
    """What is put off is written anyway."""


def _discard(_: object) -> None:
    return None


def _key(name: Hashable) -> str:
    return json.dumps(name)


def _frozen(name: Any) -> Hashable:
    """A name as it was: what JSON has as a list was a tuple."""
    return tuple(map(_frozen, name)) if isinstance(name, list) else name
