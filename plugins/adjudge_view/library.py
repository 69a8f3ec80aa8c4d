"""All sources that are open, with a thread that reads what is there and then what is added, and tells who waits for it."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Sequence
from contextlib import suppress
from importlib import metadata
from itertools import pairwise
from pathlib import Path as FilePath
from typing import Any, TypeAlias

from .compare import compared
from .curves import curves
from .detail import TokenNumbers, detail
from .groups import Group, member, served_groups
from .index import Index
from .lines import FIRST, MOST
from .overview import described
from .query import Searches, Wanted, listed
from .source import open_sources
from .tournaments import in_full

STATIC = FilePath(__file__).parent / "static"
"""The page."""
LOOK = 1.0
"""Seconds between two looks at what has been written."""
Served: TypeAlias = tuple[list[Group], dict[str, list[dict[str, Any]]]]
SORTED_BY = ("spread", "reward")


def as_json(value: Any) -> bytes:
    """A value as the page is told it; half of a character, which no page can show, becomes a question mark."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8", "replace")


class Unknown(KeyError):
    """What is asked for is not here; says what."""


class Library:
    """What `adjudge view` has open; every method gives what the page is told, as API.md says."""

    def __init__(self, paths: Sequence[FilePath]) -> None:
        self.indexes = {source.run: Index(source) for source in open_sources(paths)}
        self.searches, self.numbers = Searches(), TokenNumbers()
        self.changes = {run: {"rows": 0, "progress": 0} for run in self.indexes}
        """How often each source has had new rows, and another state."""
        self.closing = False
        """Whether who waits for changes is to go."""
        self._seen: dict[str, Any] = {}
        self._served_then: dict[str, tuple[tuple[int, int], Served]] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def follow(self) -> None:
        """Read the beginnings, and in the background all the rest and what is added, until `close`."""
        self.look(FIRST)
        self._thread = threading.Thread(target=self._follow, name="adjudge-view", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.closing = True
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _follow(self) -> None:
        warm = False
        while not self._stop.is_set():
            if not self.look():
                warm = warm or self._warm()
                self._stop.wait(LOOK)

    def _warm(self) -> bool:
        """Look at one judgement of each source, so that nobody waits for what the first look imports."""
        for run, index in self.indexes.items():
            if index.idents:
                with suppress(Exception):  # whoever asks for that one is told
                    self.judgement(run, index.idents[-1])
        return True

    def read_all(self) -> None:
        """Read everything that is there now."""
        while self.look():
            pass

    def look(self, most: int = MOST) -> bool:
        """Read some of what has come, about so many bytes of each file; returns whether there was any."""
        more = False
        for name, index in self.indexes.items():
            if self._stop.is_set():
                return False
            try:
                grew = index.extend(most)
            except OSError as error:
                index.source.problems["records"] = f"cannot be read: {error.strerror}"
                grew = False
            self.changes[name]["rows"] += grew
            self.changes[name]["progress"] += self._seen.get(name) != (state := _state(index))
            self._seen[name] = state
            more = more or grew
        return more

    def index(self, run: str) -> Index:
        if run not in self.indexes:
            raise Unknown(f"no run is open under the name {run!r}")
        return self.indexes[run]

    def runs(self) -> dict[str, Any]:
        return {
            "version": metadata.version("adjudge"),
            "runs": [described(index, len(self._served(index)[0])) for index in self.indexes.values()],
        }

    def curves(self, run: str) -> dict[str, Any]:
        return curves(self.index(run))

    def judgements(self, run: str, wanted: Wanted, offset: int = 0, limit: int = 50) -> dict[str, Any]:
        return listed(self.index(run), wanted, self.searches, offset, limit)

    def judgement(self, run: str, ident: str) -> dict[str, Any]:
        if (found := detail(self.index(run), self.numbers, ident)) is None:
            raise Unknown(f"{run} has no judgement {ident!r}")
        return found

    def compare(self, one: str, other: str, **asked: Any) -> dict[str, Any]:
        """Two stages, each as RUN:STAGE."""
        return compared(self._stage(one), self._stage(other), self.searches, **asked)

    def _stage(self, named: str) -> tuple[Index, str]:
        run, _, stage = named.partition(":")
        index = self.index(run)
        if index.stages.known(stage) is None:
            raise Unknown(f"{run} has no judgements of a stage {stage!r}")
        return index, stage

    def comparable(self) -> list[tuple[str, str]]:
        """Pairs of stages that have judged the same problems: neighbours, the first and the last of each run, and of all."""
        of_runs = [
            [f"{run}:{stage}" for stage in sorted(_judging(index)) if index.stages.known(stage) is not None]
            for run, index in self.indexes.items()
        ]
        stages = [stage for some in of_runs for stage in some]
        ends = [(some[0], some[-1]) for some in (*of_runs, stages) if len(some) > 2]
        return [pair for pair in dict.fromkeys([*pairwise(stages), *ends]) if self.compare(*pair, limit=0)["of"]]

    def tournaments(
        self, run: str, *, text: str = "", right: Sequence[str] = (), sort: str = "given", offset: int = 0, limit: int | None = 50
    ) -> dict[str, Any]:
        index = self.index(run)
        known = index.tournaments
        words, wanted = text.lower().strip(), {"yes": True, "no": False, "none": None}
        allowed = [wanted[one] for one in right if one in wanted]
        pairs = list(zip(known.items, known.searched, strict=False))
        found = [item for item, searched in pairs if words in searched and (not right or item["right"] in allowed)]
        if sort.startswith("-"):
            found.sort(key=lambda item: -(item.get(sort[1:]) or 0))
        page = found[offset:] if limit is None else found[offset : offset + limit]
        scheme = (self._scheme(index) or {}).get("use")
        return {"total": len(found), "of": len(known.items), "offset": offset, "scheme": scheme, "items": page}

    def tournament(self, run: str, ident: str) -> dict[str, Any]:
        index = self.index(run)
        if (place := index.tournaments.places.get(ident)) is None:
            raise Unknown(f"{run} has no tournament {ident!r}")
        return in_full(index.read(place), self._scheme(index))

    def _scheme(self, index: Index) -> dict[str, Any] | None:
        found = index.source.config.get("aggregator")
        return found if isinstance(found, dict) and "use" in found else None

    def groups(
        self, run: str, *, stage: Sequence[str] = (), step: Sequence[int] = (), text: str = "", sort: str = "given", offset: int = 0,
        limit: int | None = 50,
    ) -> dict[str, Any]:  # fmt: skip
        index = self.index(run)
        served, members = self._served(index)
        known: list[Group] = [*list(index.groups.groups.values()), *served]
        rows = [one for one in known if (not stage or one.stage in stage) and (not step or one.step in step)]
        if words := text.lower().strip():
            have = index.groups.with_words(words)
            have |= {one.id for one in served if words in "\n".join((one.prompt, *(row["text"] for row in members[one.id]))).lower()}
            rows = [one for one in rows if one.id in have]
        if (key := sort.removeprefix("-")) in SORTED_BY:
            sign = -1 if sort.startswith("-") else 1
            values = {one.id: getattr(one, key) for one in rows}
            rows.sort(key=lambda one: (values[one.id] is None, sign * (values[one.id] or 0)))
        elif sort == "newest":
            rows.reverse()
        page = rows[offset:] if limit is None else rows[offset : offset + limit]
        return {"total": len(rows), "of": len(known), "offset": offset, "items": [one.light() for one in page]}

    def group(self, run: str, ident: str) -> dict[str, Any]:
        index = self.index(run)
        served, members = self._served(index)
        group = index.groups.groups.get(ident) or next((one for one in served if one.id == ident), None)
        if group is None:
            raise Unknown(f"{run} has no group {ident!r}")
        rows = members.get(ident) or [index.read(place) for place in group.places]
        file = ident.split("/", 1)[0]
        idents = [f"{file}/{row.get('id')}" for row in rows]
        first = rows[0] if rows else {}
        return {
            **group.light(), "prompt": str(first.get("prompt") or group.prompt), "answers": _own_order(first), "label": first.get("label"),
            "members": [member(row, group.known, one if one in index.numbers else None) for row, one in zip(rows, idents, strict=True)],
        }  # fmt: skip

    def _served(self, index: Index) -> Served:
        if index.source.kind != "groups":
            return [], {}
        there = os.stat(index.source.path)
        state = (there.st_mtime_ns, there.st_size)
        if (held := self._served_then.get(index.source.run)) is not None and held[0] == state:
            return held[1]
        try:
            found = served_groups(index.source.path)
        except sqlite3.Error as error:
            why = "a server uses it; it can be read once that has ended" if "locked" in str(error) else str(error)
            index.source.problems[index.source.path.name] = f"cannot be read: {why}"
            return [], {}
        index.source.problems.pop(index.source.path.name, None)
        self._served_then[index.source.run] = (state, found)
        return found


def _judging(index: Index) -> set[str]:
    """Stages with an evaluation, or with whatever a command judged."""
    return {stage for stage, name in index.kinds if name.startswith("evaluation-") or index.source.kind != "run"}


def _own_order(row: dict[str, Any]) -> list[str] | None:
    shown = row.get("shown")
    return None if not shown else list(shown) if row.get("order") == "given" else list(shown)[::-1]


def _state(index: Index) -> tuple[Any, ...]:
    """What a page shows beside the rows: results, and the numbers of curves."""
    folder, found = index.source.path, [index.source.is_open()]
    if folder.is_dir():
        for file in sorted([*folder.glob("*.json"), *folder.glob("stages/*/result.json"), *folder.glob("records/*-steps.jsonl")]):
            try:
                found.append((file.name, os.stat(file).st_size, os.stat(file).st_mtime_ns))  # type: ignore[arg-type]
            except OSError:
                continue
    return tuple(found)
