"""What stands around a mark, and so whether it states a verdict: not one that is denied, supposed, quoted, asked for or only considered.

A judge writes a mark for other reasons than to give its verdict. It repeats its instructions (``[[A]] if assistant A is better``), quotes
an answer that contains one, denies one (``I would not write [[A]]``), or supposes one (``were B right, it would be [[B]]``). Precision goes
before recall: a mark whose surroundings leave doubt states nothing. The phrases themselves are in `phrases`.
"""

from __future__ import annotations

import re
from functools import cached_property

from adjudge import Span

from . import phrases

BEFORE, AFTER = 240, 120
"""Characters around a mark that are looked at."""
_REGIONS = re.compile(
    r"(?P<content><(?P<tag>quote\w*|solution|rubric)>.*?</(?P=tag)>|~~[^~\n]+~~)"
    r"|(?P<fence>^[ \t]*```[^\n`]*\n.*?^[ \t]*```)"
    r"|(?P<block>^[ \t]*>(?!>)[^\n]*$)"
    r"|(?P<quote>\"[^\"\n]{1,400}\"|“[^”\n]{1,400}”|«[^»\n]{1,400}»|`[^`\n]{1,400}`|(?<!\w)['‘][^'’\n]{1,400}['’](?!\w))",
    re.DOTALL | re.MULTILINE,
)


class Surroundings:
    """A plain text, asked about the marks in it."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def regions(self) -> list[tuple[Span, str]]:
        """What is quoted, with its kind; a text that is quoted as a whole is not."""
        whole = len(self.text.strip())
        found = ((one.span(), one.lastgroup or "") for one in _REGIONS.finditer(self.text))
        found = (((start, stop), "content" if kind == "tag" else kind) for (start, stop), kind in found)
        return [(span, kind) for span, kind in found if kind == "content" or len(self.text[slice(*span)].strip()) < whole]

    def states(self, mark: Span) -> bool:
        """Whether a mark here states a verdict, as far as its own surroundings say."""
        start, stop = mark
        before = self.text[max(0, start - BEFORE) : start]
        after = self.text[stop : stop + AFTER]
        sentence = phrases.SENTENCE_END.split(before)[-1]
        told = (_denied(before, sentence, after), _supposed(sentence, after), _others(sentence), _considered(sentence, after))
        return not any(told) and self._announced(mark, sentence)

    def _announced(self, mark: Span, sentence: str) -> bool:
        """Whether a mark is announced as a verdict, by its own words, by a tag or box around it, or by the sentence before it."""
        return phrases.ANNOUNCES_ITSELF.search(self.text[slice(*mark)]) is not None or phrases.STATED.search(sentence) is not None

    def in_quotes(self, mark: Span) -> bool:
        """Whether a mark stands in quotation marks."""
        return any(kind == "quote" for _, kind in self._around(mark))

    def _around(self, mark: Span) -> list[tuple[Span, str]]:
        return [(span, kind) for span, kind in self.regions if span[0] <= mark[0] and mark[1] <= span[1]]

    def quoted(self, mark: Span) -> bool:
        """Whether a mark stands among others' words, as a word that is spoken of, or in what is no statement, such as a solution."""
        return any(
            kind == "content" or (self._more_in(region, mark) if kind == "quote" else self._more_in_line(mark))
            for region, kind in self._around(mark)
        )

    def _more_in(self, quote: Span, mark: Span) -> bool:
        start, stop = quote
        if phrases.VERDICT_HEADING.search(self.text[max(0, start - 40) : start]):
            return False
        goes_on = phrases.SENTENCE_GOES_ON.match(self.text[stop - 1 : stop + AFTER])
        return bool(_words(self.text[start : mark[0]] + " " + self.text[mark[1] : stop]) or goes_on)

    def _more_in_line(self, mark: Span) -> bool:
        """The same for a line of a fence or of a quoted block, in which a judge may announce its verdict."""
        start, stop = self.text.rfind("\n", 0, mark[0]) + 1, self.text.find("\n", mark[1])
        rest = self.text[start : mark[0]] + " " + self.text[mark[1] : len(self.text) if stop < 0 else stop]
        return _words(rest) and phrases.VERDICT_WORD.search(rest) is None


def _words(text: str) -> bool:
    """Whether there are words in a text, besides tags."""
    return re.search(r"\w", re.sub(r"</?\w+>", "", text)) is not None


def _denied(before: str, sentence: str, after: str) -> bool:
    if phrases.DENIED_AFTER.match(after):
        return True
    if phrases.ONE_OF_SEVERAL.search(sentence) and not phrases.CORRECTED.search(sentence):
        return True
    if phrases.DENIAL_IN_FORM_ONLY.search(sentence):
        return False
    if phrases.DENIED_TO_STATE.search(phrases.TURN.split(before.rstrip(" :,\n\"'`"))[-1]):
        return True
    found = phrases.DENIED_BEFORE.search(phrases.TURN.split(sentence)[-1])
    return found is not None and ("," not in found["between"] or phrases.TO_STATE.search(found["between"]) is not None)


def _supposed(sentence: str, after: str) -> bool:
    if phrases.SUPPOSED_AFTER.match(after):
        return True
    found = phrases.SUPPOSED_BEFORE.search(sentence)
    return found is not None and re.search(phrases.CONCLUDING, found["between"], re.IGNORECASE) is None


def _others(sentence: str) -> bool:
    """Whether somebody else is said to write the mark, or to ask for it."""
    if phrases.EXAMPLE.search(sentence):
        return True
    found = phrases.WRITTEN_BY_OTHERS.search(sentence)
    return found is not None and phrases.BY_THE_JUDGE.search(sentence[: found.start()]) is None


def _considered(sentence: str, after: str) -> bool:
    """Whether the mark is a thought on the way, a question, or taken back at once."""
    if phrases.TAKEN_BACK.match(after):
        return True
    found = phrases.CONSIDERED.search(sentence)
    return found is not None and phrases.TURN.search(found["between"].rstrip(" :")) is None
