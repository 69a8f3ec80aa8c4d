"""Finds out what a text states by its marks, the same way for every format; a judge says only which marks there are (`marks`).

Candidates are the marks behind the thinking. Those drop out that repeat the instructions, quote, deny or suppose (`surroundings`). What is
left has to agree; where it does not, the last statement counts if the text says that it is one: by a change of mind, or as *final*.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from adjudge import Span

from .marks import Finder, Meaning
from .phrases import CHANGED, CONSIDERED, CONTRASTED, FINAL, OWN_WORDS
from .plain_text import PlainText
from .surroundings import Surroundings
from .thinking import end_of_thinking

_BULLET = r"[\s>]*(?:[-•+]|\(?\w{1,2}[.)])?\s*"


@dataclass(frozen=True, slots=True)
class _Mark:
    """A mark in the plain text, and what it says, as it is written and as it is meant."""

    span: Span
    key: str
    meaning: Hashable


def statement_in(
    text: str, marks: Sequence[re.Pattern[str] | Finder], meaning: Callable[[str], Meaning], *, markup: bool = False
) -> tuple[Meaning, Span] | None:
    """What `read_statement` gives."""
    plain = PlainText.of(text, end_of_thinking(text), markup=markup)
    around = Surroundings(plain.text)
    seen: list[Span] = []
    for tier in marks:
        matches = [(span, key) for span, key in _found(tier, plain.text) if not _overlaps(span, seen)]
        seen += [span for span, _ in matches]
        found = [_Mark(span, key, meaning(key)) for span, key in matches if not around.quoted(span)]
        stated = [mark for mark in _without_lists(plain.text, found) if around.states(mark.span)]
        stated = [mark for mark in stated if not around.in_quotes(mark.span)] or stated
        if stated:
            last = stated[-1]
            agreed = _agree(plain.text, stated)
            return (last.meaning, plain.span(*last.span)) if agreed else None  # type: ignore[return-value]
    return None


def _overlaps(span: Span, others: Sequence[Span]) -> bool:
    return any(span[0] < stop and start < span[1] for start, stop in others)


def _found(tier: re.Pattern[str] | Finder, text: str) -> Iterable[tuple[Span, str]]:
    """Where marks stand and what they state; a match without a character, or without a group that matched, states nothing."""
    if not isinstance(tier, re.Pattern):
        return [(span, key) for span, key in tier(text) if span[0] < span[1]]
    return [(one.span(), _key(one)) for one in tier.finditer(text) if one.group() and any(group is not None for group in one.groups())]


def _key(found: re.Match[str]) -> str:
    return re.sub(r"\s", "", next(group for group in found.groups() if group is not None)).upper()


def _without_lists(text: str, marks: Sequence[_Mark]) -> list[_Mark]:
    """The marks without those that stand in a list of what could be said."""
    groups = [list(marks[:1])]
    for one, other in pairwise(marks):
        if _same_list(text, one, other):
            groups[-1].append(other)
        else:
            groups.append([other])
    return [mark for group in groups if len({mark.key for mark in group}) <= 1 for mark in group]


def _same_list(text: str, one: _Mark, other: _Mark) -> bool:
    """Whether two marks stand side by side, or two that differ in one sentence or in the same place of lines that follow each other."""
    between = text[one.span[1] : other.span[0]]
    if not re.search(r"\w", between[:200]):
        return True
    if one.key == other.key or len(between) > 200 or CHANGED.search(between):
        return False
    if OWN_WORDS.search(between) or CONTRASTED.fullmatch(between):
        return False
    if not re.search(r"[.!?]\s|\n", between):
        return True
    return "\n" in between and _same_place(text, one, other)


def _same_place(text: str, one: _Mark, other: _Mark) -> bool:
    """Whether two marks begin two lines that follow each other, or end them."""
    first, *lines, last = text[one.span[1] : other.span[0]].split("\n")
    begin = text[text.rfind("\n", 0, one.span[0]) + 1 : one.span[0]]
    if any(line.strip() for line in lines) or CONSIDERED.search(begin):
        return False
    if _form(begin) != _form(last):
        return False
    both_begin = re.fullmatch(_BULLET, begin) and re.fullmatch(_BULLET, last)
    both_end = not re.search(r"\w", first) and not re.search(r"[.!?]\W*$", last)
    return bool(both_begin or (both_end and re.match(r"[^\w\n]*(?:\n|\Z)|\W{0,3}[.!?]\s", text[other.span[1] :])))


def _form(begin: str) -> tuple[bool, bool]:
    """What a line begins with before its mark: a number, and words."""
    return re.match(r"\s*\(?\w{1,2}[.)]\s", begin) is not None, re.search(r"\w", begin) is not None


def _agree(text: str, stated: Sequence[_Mark]) -> bool:
    """Whether all marks mean the same, or the last one is told to be what counts."""
    last = stated[-1].meaning
    others = [index for index, mark in enumerate(stated) if mark.meaning != last]
    if not others:
        return True
    run = stated[others[-1] + 1 :]
    if CHANGED.search(text, stated[others[-1]].span[1], run[0].span[0]):
        return True
    return any(_is_final(text, mark) for mark in run) and not any(_is_final(text, stated[index]) for index in others)


def _is_final(text: str, mark: _Mark) -> bool:
    return FINAL.search(text[text.rfind("\n", 0, mark.span[0]) + 1 : mark.span[0]]) is not None
