"""What scorers ask a session besides: log-probabilities of continuations that they make up, and a judgement with another verdict."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import Any

from adjudge import ConfigError, Judge, Message, Outcome, PathScorer, Problem, ReasoningPath

SWAPS = (("1", "2"), ("A", "B"), ("a", "b"), ("first", "second"), ("First", "Second"))
"""Pairs of words in which verdicts differ; what is made of them is only used where the judge reads it as the other verdict."""


def judge_of(session: Any, scorer: PathScorer) -> Judge:
    """Who asks; `ConfigError` where the caller did not say."""
    judge: Judge | None = getattr(session, "judge", None)
    if judge is None:
        raise ConfigError(
            f"path scorer {scorer.use!r} writes prompts, so it has to know the judge.\n"
            "  Remedy: hand it on, as in score_paths(scorer, problem, paths, session, judge)."
        )
    return judge


def ids_before(path: ReasoningPath) -> list[int]:
    """The tokens before those that state the verdict."""
    places = path.completion.tokens_in(path.verdict.answer)
    return list(path.completion.token_ids[: places[0] if places else len(path.completion.token_ids)])


def ids_of(session: Any, text: str) -> list[int]:
    """The tokens that write a text, without the end of the turn; `ConfigError` where the model has no tokens for it."""
    made = session.tokenize(text)
    if made.text != text:
        raise ConfigError(f"the model's tokenizer cannot write {text[:60]!r}.\n  Remedy: choose a text in its alphabet, or another scorer.")
    return [token for token, end in zip(made.token_ids, made.token_ends, strict=True) if end > 0]


def last_logprobs(session: Any, prompt: list[Message], continuations: Sequence[Sequence[int]], counted: Sequence[int]) -> list[list[float]]:
    """Of each continuation of a prompt, the log-probabilities of its last so many tokens."""
    rows: list[list[float]] = session.logprobs(prompt, continuations)
    return [row[len(row) - count :] for row, count in zip(rows, counted, strict=True)]


def with_verdict(judge: Judge, path: ReasoningPath, outcome: Outcome) -> str | None:
    """The path's text up to and with a verdict of this outcome, as it was shown; None where no such verdict can be made of it."""
    if path.verdict.answer is None:
        return None
    start, stop = path.verdict.answer
    text = path.completion.text
    before, stated = text[:start], text[start:stop]
    if path.verdict.outcome == outcome:
        return before + stated
    swapped = (stated.replace(one, other) if one in stated else stated.replace(other, one) for one, other in SWAPS)
    known = [*getattr(judge, "verdicts", ()), *swapped]
    return next((before + one for one in known if one != stated and judge.parse(before + one).outcome == outcome), None)


def reference_of(judge: Judge, problem: Problem, path: ReasoningPath, key: str) -> str | None:
    """The reference that stands in a path's answer's place: a text of the problem's `meta`, else the labelled verdict, else None."""
    before = path.completion.text[: path.verdict.answer[0]] if path.verdict.answer is not None else None
    given = problem.meta.get(key)
    if isinstance(given, str) and given:
        return given
    if problem.label is None or before is None:
        return None
    right = (Outcome.FIRST, Outcome.SECOND)[problem.label]
    whole = with_verdict(judge, path, right.mirrored if path.order == "swapped" else right)
    return None if whole is None else whole[len(before) :]


def common(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens two sequences begin alike with."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def prompts(judge: Judge, problem: Problem, paths: Sequence[ReasoningPath]) -> dict[str, list[Message]]:
    """The prompt of each order in which some of the paths were asked for."""
    return {order: judge.render(problem, order) for order in {path.order: None for path in paths}}
