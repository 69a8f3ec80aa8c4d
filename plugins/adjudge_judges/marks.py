"""Reads verdicts that a judge writes as a mark, the same way for every format: after the thinking, and only one of them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from adjudge import Outcome, Verdict


def read_mark(text: str, mark: re.Pattern[str], outcomes: Mapping[str, Outcome]) -> Verdict:
    """The verdict that every mark in the text states; *unreadable* where there is none, or where two of them differ.

    The mark's first group is what it states, a key of `outcomes`. A mark may be repeated: its last place is the answer's.
    """
    found = list(mark.finditer(text, end_of_thinking(text)))
    if len({one[1] for one in found}) != 1:
        return Verdict(Outcome.UNREADABLE)
    start, stop = found[-1].span()
    return Verdict(outcomes[found[-1][1]], reasoning=(0, start), answer=(start, stop))


def end_of_thinking(text: str) -> int:
    """Where a verdict may stand: after the thinking; nowhere when it was begun and not ended; anywhere in a text that has none."""
    closed = text.rfind("</think>")
    if closed >= 0:
        return closed + len("</think>")
    return len(text) if text.lstrip().startswith("<think>") else 0
