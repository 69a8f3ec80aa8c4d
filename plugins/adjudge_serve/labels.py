"""What a row's label may say besides the reference answer: the group, how large it is, a slot in it, and the split."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from adjudge import DataError


@dataclass(frozen=True, slots=True)
class LabelSays:
    """The fields ``group``, ``group_size``, ``slot`` and ``split`` of a label that is an object."""

    group: str | None = None
    size: int | None = None
    slot: Hashable = None
    split: Any = None


NOTHING = LabelSays()


def of_label(label: Any) -> LabelSays:
    """What the label says; nothing where it is no object."""
    if not isinstance(label, dict):
        return NOTHING
    size, slot, group = label.get("group_size"), label.get("slot"), label.get("group")
    if size is not None and (not isinstance(size, int) or isinstance(size, bool) or size < 1):
        raise DataError("label: group_size is no whole number of 1 or more.\n  Remedy: give how many completions the prompt has.")
    if slot is not None and (isinstance(slot, bool) or not isinstance(slot, int | str)):
        raise DataError("label: slot is neither a number nor a text.\n  Remedy: give each completion of a group one of its own.")
    return LabelSays(None if group is None else str(group), size, slot, label.get("split"))


def row_of(prompt: str, label: Any) -> str:
    """What the completions of one row have in common, by which those of no named group find each other."""
    known = json.dumps(label, sort_keys=isinstance(label, dict | list))
    return hashlib.blake2b(f"{known} {prompt}".encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def anchors_in(row: Any, field: str | None) -> list[str]:
    """The reference answers that a reward's `anchor` names: a field of an object, or a label that is a text itself."""
    if field is None:
        return []
    found = row.get(field) if isinstance(row, dict) else row
    some = [found] if isinstance(found, str) else found if isinstance(found, list) else []
    return [text for text in some if isinstance(text, str) and text]
