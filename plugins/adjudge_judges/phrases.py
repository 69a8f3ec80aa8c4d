r"""What people write around a mark that states no verdict: denials, suppositions, others' words, thoughts on the way.

Each list has a phrase on a line, as a regular expression. They were collected from texts of real judges and from situations that readers
of verdicts go wrong on (``docs/readers.md``). Phrases of a few languages besides English stand among them where judges use them.
"""

from __future__ import annotations

import re


def _any(phrases: str) -> str:
    """One pattern for all the phrases of a list."""
    return "(?:" + "|".join(line.strip() for line in phrases.strip().splitlines()) + ")"


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE)


_CLOSE = r"[\s\"'`“”‘’«»()\[\]{}<>$:,.…–—-]{0,12}"
"""What may stand between a phrase and the mark after it."""
_OPEN = r"[^\w\n.!?]{0,12}"
"""What may stand between a mark and the phrase after it."""
_REST = r"(?P<between>[^.!?\n]*)$"

# Sentences -----------------------------------------------------------------------------------------------------------------

SENTENCE_END = _pattern(r"(?<=[.!?…])[\"')\]”]?\s|\n|(?<=[。！？])")
CONCLUDING = r"\b(?:so(?! far| much)|therefore|thus|hence|but)\b"
TURN = _pattern(
    rf"{CONCLUDING}|\b(?:because|since|yet|consequently|accordingly|which is why|making|overall)\b"
    r"|,\s(?:and\s)?(?:I|my|we|it|this|the verdict)\b|\sand\s(?:I|my)\b|[;:]\s|\s[–—-]\s"
)
"""Where a sentence turns: what was denied before says nothing of what comes then."""
STATED = _pattern(
    r"^(?:\W|\b[A-Z]\b)*$|[:,=>|–—-]\W*$|\bor rather\W*$|(?:<\w{1,20}>|\\?[a-z]*box\w*\{)\W*$|[^\x00-\u024f]"
    r"|\b(?:I|I['’](?:d|ll|m|ve)|my|we|our|so|therefore|thus|hence|verdict|decision|decide|judge?ment|choice|winner|better|best|stronger|superior"
    r"|final\w*|overall"
    r"|conclusion|conclude|ultimately|end|answer|result|favou?r|goes? (?:to|with)|Urteil\w*|Ergebnis|veredicto|verdetto)\b"
)
"""What a sentence has before a mark that is stated: nothing, a colon or the like, or words that announce a verdict."""
ANNOUNCES_ITSELF = _pattern(r"<|box|[^\W\d_]{4}")
"""What a mark has that is a tag, a box or a sentence, and no bare sign."""
VERDICT_WORD = _pattern(r"\b(?:verdict|decision|judge?ment|choice|winner|better|best|answer|conclusion|result)\b")
VERDICT_HEADING = re.compile(r"\b(?:final|my)\s(?:verdict|decision|judge?ment)\b(?: is)?\W*$|^\W*verdict\W*$", re.IGNORECASE | re.MULTILINE)

# Denied --------------------------------------------------------------------------------------------------------------------

_NO = _any(r"""
    \b(?:not|never|cannot|hardly|without|nobody|no one|none would)\b
    \b(?:no longer|by no means|in no way|under no|on no account|at no|far from|rather than|instead of)\b
    \bno way\b
    \bno (?:basis|reason|grounds?|case|argument) (?:to|for)\b
    \b(?:wrong|unfair|incorrect|mistaken?|absurd) to\b
    \brefus\w+ to\b
    n['’]t\b
    \b(?:nicht|niemals|kein\w*)\b
    不
    没
""")
_TO_STATE = (
    _any(r"""
    writ(?:e|ing)
    say(?:ing)?
    giv(?:e|ing)
    choos(?:e|ing)
    stat(?:e|ing)
    conclud(?:e|ing)
    declar(?:e|ing)
    vot(?:e|ing)
    decid(?:e|ing)
    judg(?:e|ing)
    rul(?:e|ing)
    (?:pick|award|answer|call|assign|select|output|go|end)
""")
    + r"(?: (?:it|this|that|for|on|with|in|a|the|here|down|my|verdict|as|of))*"
)
DENIAL_IN_FORM_ONLY = _pattern(
    _any(r"""
    \bnot (?:only|just|hesitate|doubt)
    n['’]t (?:hesitate|doubt|help but)
    without (?:a |any )?(?:doubt|hesitation|question)
    cannot (?:but|help)
""")
)
DENIED_BEFORE = _pattern(_NO + _REST)
DENIED_TO_STATE = _pattern(rf"{_NO}[^.!?\n]{{0,80}}\b(?:{_TO_STATE}|be)[^\w.!?]{{0,8}}$")
TO_STATE = _pattern(rf"\b{_TO_STATE}\b")
ONE_OF_SEVERAL = _pattern(rf"(?<!\w)(?:neither|nor|or|either|versus|vs\.?){_CLOSE}$")
CORRECTED = _pattern(r"\bor rather\W*$")
_WRONG = r"(?:wrong|incorrect|inaccurate|mistaken|a mistake|unfair|out of the question|too\s\w+)"
DENIED_AFTER = _pattern(
    f"^{_OPEN}"
    + _any(rf"""
    (?:is|was|are|do|does|did|would|will|can|could|should|seems|has|have)(?:\s(?:also|clearly))?(?:n['’]t|\s(?:not|never|{_WRONG}))
    (?:as (?:a|the) verdict )?would (?:be|have been|seem) (?:not )?{_WRONG}
    would (?:reward|ignore|contradict|overlook|mean)\b
    (?:would|might|could) (?:be|have been) (?:my|the|a)\b[^.!?\n]*?\b(?:if|had|were|but)\b
    can(?:not|['’]t)\b
""")
)

# Supposed ------------------------------------------------------------------------------------------------------------------

_SUPPOSING = _any(r"""
    (?<!even )(?<!as )\bif\b
    \b(?:unless|whether|in case|suppose|assuming|were)\b
    \bhad (?:the|it|they|this|that|an?|assistant|response|answer|both|either)\b(?=[^.!?\n]*\bwould\b)
""")
SUPPOSED_BEFORE = _pattern(rf"{_SUPPOSING}(?!\s(?:only|any|anything|(?:I|we|one)\s(?:had|have|must|am|were|was|may)\b)){_REST}")
SUPPOSED_AFTER = _pattern(
    f"^{_OPEN}"
    + _any(r"""
    (?:means|stands for|denotes|signifies|indicates|is for|is used|would mean|should be|is to be|appears|occurs|shows up)\b
    is (?:mentioned|written|printed|found)\b
    (?:only |exactly )?(?:if|when|whenever|in case|unless|provided|where)\b(?!\s(?:only|anything|any)\b)
    or\b(?!\srather)
    (?:here )?(?:once|depending on|as soon as|after you)\b
    (?:versus|vs)\b
    /\s*\W*\w
""")
)

# Others' words -------------------------------------------------------------------------------------------------------------

_BETWEEN = (
    r"(?:\s+(?:the|a|an|this|string|text|marks?|words?|phrase|token|tag|label|characters|sentence|line|literally|only|just|at|very|end|in|its|own"
    r"|answer|response|with|to|write|output|say|give|print|me|us|also|itself|that|for|either|one|of|like|called|as|is|even|verdict|final))"
)
_OTHERS_WRITE = _any(r"""
    says?
    said
    states
    stated
    writes
    wrote
    written
    contain(?:s|ed|ing)?
    print(?:s|ed)?
    claim(?:s|ed)?
    end(?:s|ed)?
    includ(?:es?|ed|ing)
    quot(?:es?|ed|ing)
    tells
    told
    ask(?:s|ed|ing)?
    demand(?:s|ed)?
    requir(?:es?|ed)
    instruct(?:s|ed)?
    (?:outputs|reads|calls? for|tries|tried)
    mention(?:s|ed|ing)?
    repeat(?:s|ed)?
    return(?:s|ed)
    (?:gave|given|offers?|lists?)
    format (?:is|of)
    (?:supposed|expected|allowed)
    (?:string|token|phrase)
    (?:argues?|argued|thinks?|thought|believes?|believed|maintains?|insists?|insisted)
    append(?:s|ed)?
    insert(?:s|ed)?
    add(?:s|ed)?
""")
WRITTEN_BY_OTHERS = _pattern(rf"\b{_OTHERS_WRITE}\b{_BETWEEN}{{0,7}}{_CLOSE}$")
BY_THE_JUDGE = _pattern(
    r"\b(?:(?:I|we)\b(?!\s(?:was|were|am|are|(?:have|had) been)\b)|my|our|final verdict|verdict is|hereby)\b[^.!?;\n]{0,40}$"
)
EXAMPLE = _pattern(rf"\b(?:for example|for instance|e\.\s?g\.|such as|an example(?: of| is)?){_BETWEEN}{{0,4}}{_CLOSE}$")
SENTENCE_GOES_ON = re.compile(r"^[\"'`”’»]\s+(?!is (?:my|the)\b|as my\b)[a-z]")

# Only considered -----------------------------------------------------------------------------------------------------------

CONSIDERED = _pattern(
    r"\b"
    + _any(r"""
    (?:maybe|perhaps|possibly|might|(?<!I )may be|could be)
    (?:at first|initially|started with|draft verdict)
    first (?:thought|impression|instinct|guess|glance|inclination)
    (?:tempted|considered|leaned|used to think|wanted to)
    was (?:going|inclined|about) to
    (?:some|others|many|people|users?|one|somebody|someone)\s(?:may|might|could|would)
    (?:vielleicht|peut-être|也许|可能)
""")
    + rf"\b{_REST}"
)
TAKEN_BACK = _pattern(
    r"^[^\w\n?]{0,12}\?|^[^\w?]{0,16}"
    + _any(r"""
    (?:wait|hold on|hmm+|scratch that|strike that|correction|nope|or rather|I take that back)\b
    on (?:second thoughts?|reflection)\b
    no(?:[,.]| wait\b)
    actually,? (?:no|wait)\b
    let me (?:check|re|think|look)
    that(?: is|['’]s) (?:wrong|not right|a mistake)\b
""")
)

# Several statements --------------------------------------------------------------------------------------------------------

CHANGED = _pattern(
    _any(r"""
    \b(?:wait|hold on|scratch that|strike that|correction|reconsider\w*|or rather|second look|looking again|after all|no longer)\b
    \bon (?:second thoughts?|(?:further |closer |second )?reflection)\b
    \bchang(?:e|ed|ing) my (?:mind|verdict|answer)\b
    \bI (?:was (?:wrong|mistaken)|take that back)\b
    \b(?:on|upon) (?:closer|further|second|more careful)\b
    \bthinking (?:again|it over)\b
    \b(?:revis(?:e|ed|ing) my|switch(?:ing)? (?:to|my))\b
    \bno[,:]
""")
)
FINAL = _pattern(r"\b(?:final|in conclusion|ultimately)\b[^\n]{0,80}$")
CONTRASTED = _pattern(r"\W*(?:rather than|instead of|(?:and |but )?(?:certainly |clearly )?not|over)\W*")
OWN_WORDS = _pattern(r"\b(?:I|my|so|therefore|thus|hence|choose|choice|verdict|final|conclusion|winner)\b")
