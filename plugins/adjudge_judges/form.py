"""The lines with which a judgement of ratings ends, as a form: each blank is filled with the most probable of its choices.

A judge whose verdict follows from ratings has no two texts that say it, so behind the cut of a `thinking_budget` it is asked line by line.
A choice's probability is that of all its tokens and the line's end, so that ``1`` and ``10`` are told apart and long choices are not
preferred for their common beginnings; what was filled in so far stands before the next line, as if the judge had written it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from adjudge import Completion, Message, Span

from .asking import Asking, check_finite, check_room, joined, until
from .marks import read_statement


@dataclass(frozen=True, slots=True)
class Blank:
    """One line of a form."""

    before: str
    """What the line begins with, such as ``Answer A: ``."""
    choices: tuple[str, ...]
    """What can stand behind it: one or more, none twice."""
    pattern: re.Pattern[str]
    """Finds what a text states here, as the judge reads it."""

    def stated(self, text: str, between: str) -> tuple[str, Span] | None:
        """What a text states here, in capitals and without spaces, and where, once its thinking is ended by `between`."""
        return read_statement(text + between, (self.pattern,), str)

    def going_on(self, begun: str) -> list[str]:
        """The choices that what was written of one may become: ``1`` and ``10`` of ``1``; all where it is the beginning of none."""
        return [one for one in self.choices if re.sub(r"\s", "", one).upper().startswith(begun)] or list(self.choices)


def fill(session: Any, prompt: list[Message], form: Sequence[Blank], made: Completion, between: str) -> Asking[Completion]:
    """The judgement that goes on behind what was `made` and `between` with every line of a form that it does not state yet.

    A line that was cut off in its rating is written anew, as one that begins with what stood there. Asks once for each line, about all of
    its choices. Raises `NoRoom` where a line does not fit into the model's context."""
    text = made.opened + made.text
    found = [blank.stated(text, between) for blank in form]
    cut = [one[1][0] for one in found if one is not None and one[1][1] == len(text)]
    before = until(made, min(cut) - len(made.opened)) if cut else made
    whole, written = replace(before, truncated=False), between
    for blank, one in zip(form, found, strict=True):
        if one is not None and one[1][0] not in cut:
            continue
        choices = blank.going_on(one[0] if one else "")
        ends = [session.tokenize(f"{written}{blank.before}{choice}\n") for choice in choices]
        rows = [(*before.token_ids, *end.token_ids) for end in ends]
        check_room(session, prompt, rows)
        known = yield prompt, rows
        sums = [math.fsum(row[len(before.token_ids) :]) for row in known]
        check_finite(sums)
        best = sums.index(max(sums))
        whole, written = joined(before, ends[best], known[best]), f"{written}{blank.before}{choices[best]}\n"
    return whole
