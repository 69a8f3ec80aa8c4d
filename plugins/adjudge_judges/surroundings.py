"""What stands around a mark, and so whether it states a verdict: not one that is denied, supposed, quoted, asked for or only considered.

A judge writes a mark for other reasons than to give its verdict. It repeats its instructions (``[[A]] if assistant A is better``), quotes an
answer that contains one, denies one (``I would not write [[A]]``), or supposes one (``were B right, it would be [[B]]``).
Precision goes before recall: a mark whose surroundings leave doubt states nothing.
"""

from __future__ import annotations

import re
from functools import cached_property

from adjudge import Span

BEFORE, AFTER = 240, 120
"""Characters around a mark that are looked at."""
_CLOSE = r"[\s\"'`“”‘’«»()\[\]{}<>$:,.…–—-]{0,12}"
_SENTENCE = re.compile(r"(?<=[.!?…])[\"')\]”]?\s|\n|(?<=[。！？])")
_TURN = re.compile(
    r"\b(?:so(?! far| much)|therefore|thus|hence|but|because|since|yet|consequently|accordingly|which is why|making|overall)\b"
    r"|,\s(?:and\s)?(?:I|my|we|it|this|the verdict)\b|\sand\s(?:I|my)\b|[;:]\s|\s[–—-]\s",
    re.IGNORECASE,
)
"""Where a sentence turns: what was denied before says nothing of what comes then."""
_STATES = (
    r"(?:writ(?:e|ing)|say(?:ing)?|giv(?:e|ing)|choos(?:e|ing)|pick|award|stat(?:e|ing)|answer|call|conclud(?:e|ing)|assign|select|output|declar(?:e|ing)"
    r"|vot(?:e|ing)|go|end|decid(?:e|ing)|judg(?:e|ing)|rul(?:e|ing))(?: (?:it|this|that|for|on|with|in|a|the|here|down|my|verdict|as|of))*"
)
_NEGATION = r"(?:\b(?:not|never|cannot|no longer|by no means|in no way|far from|rather than|instead of|hardly|under no|on no account|at no|nobody|no one|none would|no (?:basis|reason|grounds?|case|argument) (?:to|for)|(?:wrong|unfair|incorrect|mistaken?|absurd) to|without|refus\w+ to|nicht|niemals|kein\w*)\b|n['’]t\b|不|没)"
_NOT_NEGATED = re.compile(
    r"\bnot (?:only|just|hesitate|doubt)|n['’]t (?:hesitate|doubt|help but)|without (?:a |any )?(?:doubt|hesitation|question)|cannot (?:but|help)",
    re.IGNORECASE,
)
_DENIED_BEFORE = re.compile(rf"{_NEGATION}(?P<between>[^.!?\n]*)$", re.IGNORECASE)
_DENIED_TO_WRITE = re.compile(rf"{_NEGATION}[^.!?\n]{{0,80}}\b(?:{_STATES}|be)[^\w.!?]{{0,8}}$", re.IGNORECASE)
_NEITHER = re.compile(rf"\b(?:neither|nor|or|either|versus|vs\.?){_CLOSE}$", re.IGNORECASE)
_DENIED_AFTER = re.compile(
    r"^[^\w\n.!?]{0,12}(?:(?:is|was|are|does|do|did|would|will|can|could|should|seems|has|have)(?:\s(?:be|have been|seem|also|clearly))?"
    r"(?:n['’]t|\s(?:not|never|wrong|incorrect|inaccurate|mistaken|unfair|out of the question|no longer|too\s\w+))"
    r"|would (?:reward|ignore|contradict|overlook|mean)\b|can(?:not|['’]t)\b|(?:as (?:a|the) verdict )?would (?:be|have been) (?:wrong|incorrect|a mistake|unfair|too\s\w+))",
    re.IGNORECASE,
)
_SUPPOSED_BEFORE = re.compile(
    r"(?<!even )(?<!as )\b(?:if|unless|whether|in case|suppose|assuming|were|had (?:the|it|they|this|that|an?|assistant|response|answer|both|either)(?=[^.!?\n]*\bwould))\b"
    r"(?!\s(?:only|any|anything|(?:I|we|one)\s(?:had|have|must|am|were|was|may)\b))(?P<between>[^.!?\n]*)$",
    re.IGNORECASE,
)
_SUPPOSED_AFTER = re.compile(
    r"^[^\w\n.!?]{0,12}(?:(?:means|stands for|denotes|signifies|indicates|is for|is used|would mean|should be|is to be|appears|occurs|shows up|is (?:mentioned|written|printed|found))\b"
    r"|(?:only |exactly )?(?:if|when|whenever|in case|unless|provided|where)\b(?!\s(?:only|anything|any)\b)|or\b(?!\srather)|versus\b|vs\b|/\s*\W*\w)",
    re.IGNORECASE,
)
_WORDS_BETWEEN = (
    r"(?:\s+(?:the|a|an|this|string|text|marks?|words?|phrase|token|tag|label|characters|sentence|line|literally|only|just|at|very|end|in|its|"
    r"own|answer|response|with|to|write|output|say|give|print|me|us|also|itself|that|for|either|one|of|like|called|as|is|even|verdict|final))"
)
_SPOKEN_BY_OTHERS = re.compile(
    r"(?:\b(?:says?|said|states|stated|writes|wrote|written|contains?|contained|containing|prints?|printed|claims?|claimed|ends?|ended|includes?"
    r"|included|including|quotes?|quoted|quoting|tells|told|asks?|asked|asking|demands?|demanded|requires?|required|instructs?|instructed"
    r"|outputs|reads|calls? for|tries|tried|mentions?|mentioned|mentioning|repeats?|repeated|returns|returned|gave|given|format is|format of|supposed|expected|allowed"
    r"|string|token|phrase|offers?|lists?|appends?|appended|inserts?|inserted|adds?|added)\b)"
    rf"{_WORDS_BETWEEN}{{0,7}}{_CLOSE}$",
    re.IGNORECASE,
)
_BY_THE_JUDGE = re.compile(r"\b(?:I|we|my|our|final verdict|verdict is|hereby)\b[^.!?;\n]{0,40}$", re.IGNORECASE)
_EXAMPLE = re.compile(
    rf"\b(?:for example|for instance|e\.\s?g\.|such as|an example(?: of| is)?){_WORDS_BETWEEN}{{0,4}}{_CLOSE}$", re.IGNORECASE
)
_CONSIDERED = re.compile(
    r"\b(?:maybe|perhaps|possibly|might|may be|could be|at first|initially|first (?:thought|impression|instinct|guess|glance|inclination)"
    r"|tempted|considered|consider|started with|leaned|leaning (?:to|towards?) at first|was (?:going|inclined|about) to|used to think|wanted to|(?:some|others|many|people|users?|one|somebody|someone)\s(?:may|might|could|would)|vielleicht|peut-être|也许|可能)\b(?P<between>[^.!?\n]*)$",
    re.IGNORECASE,
)
_TAKEN_BACK = re.compile(
    r"^[^\w\n?]{0,12}\?|^[^\w?]{0,16}(?:wait|hold on|hmm+|scratch that|strike that|on second thoughts?|on reflection|correction|no[,.]|nope|no wait"
    r"|actually,? (?:no|wait)|let me (?:check|re|think|look)|that(?: is|['’]s) (?:wrong|not right|a mistake)|I take that back|or rather)\b",
    re.IGNORECASE,
)
_GOES_ON = re.compile(r"^[\"'`”’»]\s+(?!is (?:my|the)\b|as my\b)[a-z]")
_STATEMENT = re.compile(
    r"^\W*$|[:,=>|–—-]\W*$|(?:<\w{1,20}>|\\?[a-z]*box\w*\{)\W*$"
    r"|\b(?:I|I['’](?:d|ll|m|ve)|my|we|our|so|therefore|thus|hence|verdict|decision|decide|judge?ment|choice|winner|better|best|stronger|superior|final\w*"
    r"|overall|conclusion|conclude|ultimately|end|answer|result|favou?r|goes? (?:to|with)|Urteil\w*|Ergebnis|veredicto|verdetto)\b|[^\x00-\u024f]",
    re.IGNORECASE,
)
"""What a sentence has before a mark that is stated: nothing, a colon or the like, or words that announce a verdict."""
_ANNOUNCES = re.compile(r"<|box|[^\W\d_]{4}", re.IGNORECASE)
"""What a mark has that is a tag, a box or a sentence, and no bare sign: it announces itself."""
VERDICT_WORD = re.compile(r"\b(?:verdict|decision|judge?ment|choice|winner|better|best|answer|conclusion|result)\b", re.IGNORECASE)
_VERDICT_HEADING = re.compile(
    r"\b(?:final|my)\s(?:verdict|decision|judge?ment)\b(?: is)?\W*$|^\W*verdict\W*$", re.IGNORECASE | re.MULTILINE
)
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
        sentence = _SENTENCE.split(before)[-1]
        told = (_denied(before, sentence, after), _supposed(sentence, after), _others(sentence), _considered(sentence, after))
        return not any(told) and self._announced(mark, sentence) and not self._quoted_with_more(mark)

    def _announced(self, mark: Span, sentence: str) -> bool:
        """Whether a mark is announced as a verdict, by its own words, by a tag or box around it, or by the sentence before it."""
        return _ANNOUNCES.search(self.text[slice(*mark)]) is not None or _STATEMENT.search(sentence) is not None

    def in_content(self, mark: Span) -> bool:
        """Whether a mark stands in what is no part of the judge's own statement: a solution, a rubric, a quotation in tags, struck out words."""
        return any(kind == "content" for _, kind in self._around(mark))

    def in_quotes(self, mark: Span) -> bool:
        """Whether a mark stands in quotation marks."""
        return any(kind == "quote" for _, kind in self._around(mark))

    def _around(self, mark: Span) -> list[tuple[Span, str]]:
        return [(span, kind) for span, kind in self.regions if span[0] <= mark[0] and mark[1] <= span[1]]

    def _quoted_with_more(self, mark: Span) -> bool:
        """Whether a mark stands among others' words, or in the middle of a sentence as a word that is spoken of."""
        for (start, stop), kind in self._around(mark):
            if kind in ("fence", "block"):
                start, stop = max(start, self.text.rfind("\n", 0, mark[0]) + 1), min(stop, _end_of_line(self.text, mark[1]))
            elif _VERDICT_HEADING.search(self.text[max(0, start - 40) : start]):
                continue
            rest = f"{self.text[start : mark[0]]} {self.text[mark[1] : stop]}"
            if re.search(r"\w", re.sub(r"</?\w+>", "", rest)) and not (kind in ("fence", "block") and VERDICT_WORD.search(rest)):
                return True
            if kind == "quote" and _GOES_ON.match(self.text[stop - 1 : stop + AFTER]):
                return True
        return False


def _end_of_line(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _denied(before: str, sentence: str, after: str) -> bool:
    if _DENIED_AFTER.match(after) or (_NEITHER.search(sentence) and not re.search(r"\bor rather\W*$", sentence)):
        return True
    if _NOT_NEGATED.search(sentence):
        return False
    if _DENIED_TO_WRITE.search(_TURN.split(before.rstrip(" :,\n\"'`"))[-1]):
        return True
    clause = _TURN.split(sentence)[-1]
    found = _DENIED_BEFORE.search(clause)
    return found is not None and ("," not in found["between"] or re.search(rf"\b{_STATES}\b", found["between"]) is not None)


def _supposed(sentence: str, after: str) -> bool:
    found = _SUPPOSED_BEFORE.search(sentence)
    turned = found is not None and re.search(r"\b(?:so|therefore|thus|hence|but)\b", found["between"], re.IGNORECASE)
    return (found is not None and not turned) or _SUPPOSED_AFTER.match(after) is not None


def _others(sentence: str) -> bool:
    """Whether somebody else is said to write the mark, or to ask for it."""
    if _EXAMPLE.search(sentence):
        return True
    found = _SPOKEN_BY_OTHERS.search(sentence)
    return found is not None and _BY_THE_JUDGE.search(sentence[: found.start()]) is None


def _considered(sentence: str, after: str) -> bool:
    """Whether the mark is a thought on the way, a question, or taken back at once."""
    if _TAKEN_BACK.match(after):
        return True
    found = _CONSIDERED.search(sentence)
    return found is not None and not _TURN.search(found["between"])
