"""What a folder has kept, read along with the rows that it is about, so that going on takes no more memory than beginning."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from adjudge import Records, tokens_back


class Stored:
    """Kept records by id, from one pass over the file.

    Records are appended nearly in the order in which a call asks for them, so that few are read before they are wanted; those wait here.
    """

    def __init__(self, records: Records | None, failed: Callable[[Mapping[str, Any]], bool]) -> None:
        """Records of calls that failed are dropped, to be made again."""
        if records is not None and any(map(failed, records)):
            records.keep(lambda row: not failed(row))
        self.ids: frozenset[str] = frozenset() if records is None else frozenset(records.ids)
        self.left: Iterator[dict[str, Any]] = iter(()) if records is None else map(tokens_back(records.file), records)
        self.waiting: dict[str, dict[str, Any]] = {}

    def take(self, ids: Collection[str]) -> dict[str, dict[str, Any]]:
        """The records of these ids, as far as there are any, each handed over once."""
        wanted = self.ids.intersection(ids)
        found = {ident: self.waiting.pop(ident) for ident in wanted if ident in self.waiting}
        while len(found) < len(wanted) and (row := next(self.left, None)) is not None:
            (found if row["id"] in wanted else self.waiting)[row["id"]] = row
        return found
