"""A text as a person sees it: without markup and LaTeX wrappers, in plain characters, each of which knows where it stood in the text.

A reader of verdicts then needs one pattern for ``[[A]]``, and not one for each of ``[[**A**]]``, for ``【【A】】`` and for their like.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate

from adjudge import Span

_WRAPPERS = (
    "text|textbf|textit|textrm|textsf|texttt|mathbf|mathrm|mathit|mathsf|mathtt|boldsymbol|bm|bf|rm|underline|emph|large|Large|huge|Huge"
)
_MARKUP = re.compile(
    rf"""
    (?=[\r\t<*_\\~&\u00a0\u2000-\u200d\u202f\u205f\u2060\u3000\ufeff\uff01-\uff5e【】〔〕〖〗≫≪≻≺]|\ [\ \t]) # few begin anything
    (?:
    (?P<line>\r\n?|<br\ ?/?>)                                           # an end of line
  | (?P<nothing>\*+|(?<!\w)_+|_+(?!\w)                                  # bold and italic
      |</?(?:b|strong|i|em|u|mark|span|p|div|center|big|font)(?:\s[^<>\n]{{0,80}})?>
      |\\(?:{_WRAPPERS})\b\s{{0,3}}(?=\{{)|\\left(?![a-z])|\\right(?![a-z])|\\displaystyle\b
      |[\u200b-\u200d\u2060\ufeff]|\\(?=[\[\]()#>`\-]))                 # what is not seen
  | (?P<space>\\[ ,;:!](?=\S)|\\q?quad\b|(?<!~)~(?!~)|[\ \t]{{2,}}|\t|[\u00a0\u2000-\u200a\u202f\u205f\u3000]|&nbsp;)
  | (?P<more>&gt;|&lt;|&amp;|&quot;|\\gg\b|\\ll\b|\\succ\b|\\prec\b)
  | (?P<other>[\uff01-\uff5e【】〔〕〖〗≫≪≻≺])                            # what stands for another character
    )""",
    re.VERBOSE,
)
_MORE = {"&gt;": ">", "&lt;": "<", "&amp;": "&", "&quot;": '"', r"\gg": ">>", r"\ll": "<<", r"\succ": ">", r"\prec": "<"}
_OTHER = {"【": "[", "】": "]", "〔": "[", "〕": "]", "〖": "[", "〗": "]", "≫": ">>", "≪": "<<", "≻": ">", "≺": "<"}


@dataclass(frozen=True, slots=True)
class PlainText:
    """What a person sees, and where it stood: `begins` says at which character each of its pieces does."""

    text: str
    begins: list[int]
    places: list[tuple[int, int, bool]]
    """Where each piece stood, and whether it is kept as it was; one that is not stands for the whole of its place."""

    @classmethod
    def of(cls, text: str, start: int = 0, *, markup: bool = False) -> PlainText:
        """The text from `start` on, its markup left as it is where that is wanted; places are those of the whole text."""
        pieces, places, seen = list[str](), list[tuple[int, int, bool]](), start
        for found in () if markup else _MARKUP.finditer(text, start):
            pieces += (text[seen : found.start()], _shown(found))
            places += ((seen, found.start(), True), (*found.span(), False))
            seen = found.end()
        pieces.append(text[seen:])
        places.append((seen, len(text), True))
        return cls("".join(pieces), [0, *accumulate(map(len, pieces[:-1]))], places)

    def span(self, start: int, stop: int) -> Span:
        """Where characters of this text, at least one, stood."""
        return self._place(start)[0], self._place(stop - 1)[1]

    def _place(self, at: int) -> Span:
        """Where one character stood; pieces of none begin where the next one does, which is found."""
        piece = bisect_right(self.begins, at) - 1
        start, stop, kept = self.places[piece]
        first = start + at - self.begins[piece]
        return (first, first + 1) if kept else (start, stop)


def _shown(found: re.Match[str]) -> str:
    match found.lastgroup:
        case "line":
            return "\n"
        case "space":
            return " "
        case "more":
            return _MORE[found[0]]
        case "other":
            return _OTHER.get(found[0]) or unicodedata.normalize("NFKC", found[0])
    return ""
