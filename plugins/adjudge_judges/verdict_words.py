"""The two verdicts of a judge in its own words, for whoever reads how probable each of them is, and what is known of that afterwards."""

from __future__ import annotations

from adjudge import ConfigError, Judge, Outcome, ReasoningPath


def verdict_texts(judge: Judge) -> tuple[str, str]:
    """The words of *first* and those of *second*, the shortest where a judge has several; ties are none of them.

    They come from the judge's attribute ``verdicts``, every verdict as its prompt asks for it. Raises `ConfigError` for a judge
    without them, which asks for no fixed words."""
    known: tuple[str, ...] = getattr(judge, "verdicts", None) or ()
    read = [(judge.parse(text).outcome, text) for text in known]
    found = [[text for outcome, text in read if outcome is wanted] for wanted in (Outcome.FIRST, Outcome.SECOND)]
    if not all(found):
        raise ConfigError(
            f"judge {judge.use!r} asks for a verdict in no fixed words, so there are no two texts to compare.\n"
            '  Remedy: write them as verdicts, for example ["[[A]]", "[[B]]"], or name a judge such as rrm, whose words are known.'
        )
    first, second = (min(texts, key=len) for texts in found)
    return first, second


def needs_logprobs(judge: Judge) -> bool:
    """Whether a judge reads log-probabilities of given tokens, which an engine of texts alone cannot tell."""
    return bool(getattr(judge, "needs_logprobs", False))


def needs_given_tokens(judge: Judge) -> bool:
    """Whether it can do without an engine that tells log-probabilities of given tokens not even where its answers list likely ones."""
    return bool(getattr(judge, "needs_given_tokens", needs_logprobs(judge)))


def probability_of(path: ReasoningPath) -> float | None:
    """The probability that the problem's first answer is better, in whichever order it was shown; None where the judge tells none."""
    known = path.verdict.probability
    return known if known is None or path.order == "given" else 1 - known


def tokens_at_most(judge: Judge) -> int:
    """The most tokens that one judgement takes: its `max_new_tokens`, or what a method of this name says of a judge that may take less."""
    known = getattr(judge, "tokens_at_most", None)
    return judge.max_new_tokens if known is None else int(known())


def longest_judgement(judge: Judge) -> int:
    """Tokens of one text at most: of a judge that has others judge, the longest that any of these writes."""
    return max(map(longest_judgement, judge.inner())) if hasattr(judge, "inner") else tokens_at_most(judge)


def tokens_spent(path: ReasoningPath) -> int:
    """Tokens that a judgement took: those of its text, or those of all texts that went before it too."""
    return int(path.verdict.told.get("tokens", len(path.completion.token_ids)))
