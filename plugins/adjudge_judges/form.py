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

from adjudge import Completion, Message

from .marks import read_statement
from .reading_session import check_finite, check_room, joined


@dataclass(frozen=True, slots=True)
class Blank:
    """One line of a form."""

    before: str
    """What the line begins with, such as ``Answer A: ``."""
    choices: tuple[str, ...]
    """What can stand behind it: one or more, none twice."""
    pattern: re.Pattern[str]
    """Finds what a text states here, as the judge reads it."""

    def stated(self, text: str, between: str) -> bool:
        """Whether a text has this line already, once its thinking is ended by `between`; what it was cut off in does not count."""
        found = read_statement(text + between, (self.pattern,), str)
        return found is not None and found[1][1] < len(text)


def fill(session: Any, prompt: list[Message], form: Sequence[Blank], before: Completion, between: str) -> Completion:
    """The judgement that goes on behind `before` and `between` with every line of a form that it does not state yet.

    Takes one pass for each choice of each line. Raises `NoRoom` where a line does not fit into the model's context."""
    made, written = replace(before, truncated=False), between
    for blank in form:
        if blank.stated(before.opened + before.text, between):
            continue
        ends = [session.tokenize(f"{written}{blank.before}{choice}\n") for choice in blank.choices]
        rows = [(*before.token_ids, *end.token_ids) for end in ends]
        check_room(session, prompt, rows)
        known = session.logprobs(prompt, rows)
        sums = [math.fsum(row[len(before.token_ids) :]) for row in known]
        check_finite(sums)
        best = sums.index(max(sums))
        made, written = joined(before, ends[best], known[best]), f"{written}{blank.before}{blank.choices[best]}\n"
    return made
