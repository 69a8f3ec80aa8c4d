"""A text as a person sees it: without markup and LaTeX wrappers, in plain characters, each of which knows where it stood in the text.

A reader of verdicts then needs one pattern for ``[[A]]``, and not one for each of ``[[**A**]]``, for ``【【A】】`` and for their like.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from adjudge import Span

_WRAPPERS = (
    "text|textbf|textit|textrm|textsf|texttt|mathbf|mathrm|mathit|mathsf|mathtt|boldsymbol|bm|bf|rm|underline|emph|large|Large|huge|Huge"
)
_MARKUP = re.compile(
    rf"""
    (?P<line>\r\n?|<br\ ?/?>)                                           # an end of line
  | (?P<nothing>\*+|(?<!\w)_+|_+(?!\w)                                  # bold and italic
      |</?(?:b|strong|i|em|u|mark|span|p|div|center|big|font)(?:\s[^<>\n]{{0,80}})?>
      |\\(?:{_WRAPPERS})\b\s{{0,3}}(?=\{{)|\\left(?![a-z])|\\right(?![a-z])|\\displaystyle\b
      |[\u200b-\u200d\u2060\ufeff]|\\(?=[\[\]()#>`\-]))                 # what is not seen
  | (?P<space>\\[ ,;:!](?=\S)|\\q?quad\b|(?<!~)~(?!~)|[\ \t]{{2,}}|\t|[\u00a0\u2000-\u200a\u202f\u205f\u3000]|&nbsp;)
  | (?P<more>&gt;|&lt;|&amp;|&quot;|\\gg\b|\\ll\b|\\succ\b|\\prec\b)
  | (?P<other>[\uff01-\uff5e【】〔〕〖〗≫≪≻≺])                            # what stands for another character
    """,
    re.VERBOSE,
)
_MORE = {"&gt;": ">", "&lt;": "<", "&amp;": "&", "&quot;": '"', r"\gg": ">>", r"\ll": "<<", r"\succ": ">", r"\prec": "<"}
_OTHER = {"【": "[", "】": "]", "〔": "[", "〕": "]", "〖": "[", "〗": "]", "≫": ">>", "≪": "<<", "≻": ">", "≺": "<"}


@dataclass(frozen=True, slots=True)
class PlainText:
    """What a person sees, and for each of its characters where that stood."""

    text: str
    places: list[Span]

    @classmethod
    def of(cls, text: str, start: int = 0, *, markup: bool = False) -> PlainText:
        """The text from `start` on, its markup left as it is where that is wanted; places are those of the whole text."""
        pieces, places, seen = [], list[Span](), start
        for found in () if markup else _MARKUP.finditer(text, start):
            piece = _shown(found)
            pieces += [text[seen : found.start()], piece]
            places += [(at, at + 1) for at in range(seen, found.start())]
            places += [found.span()] * len(piece)
            seen = found.end()
        pieces.append(text[seen:])
        places += [(at, at + 1) for at in range(seen, len(text))]
        return cls("".join(pieces), places)

    def span(self, start: int, stop: int) -> Span:
        """Where characters of this text, at least one, stood."""
        return self.places[start][0], self.places[stop - 1][1]


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
