"""`thinking_budget`: a judge that has not come to its verdict by then is asked for it there and then.

Budget forcing (s1, arXiv 2501.19393) closes a model's thinking at a token limit and lets it answer. Different here: what is written behind
the cut is not sampled, so that it always is one. Of a judge with fixed words it is the more probable one of the two, read in one
forward pass, and its probability is known; of a judge of ratings it is a `form`, filled in line by line.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator

from adjudge import Completion, ConfigError, Judge, JudgeRequest, Message, ReasoningPath, Session, read_verdict

from .asking import Asking, NoRoom, asked_together, read_verdicts
from .form import Blank, fill
from .reading_session import Reading, ReadingSession, closed, noted, read_paths
from .verdict_words import verdict_texts

CLOSING = 64
"""Tokens of what ends thinking, at most; no mark in use has as many bytes."""


class BudgetedJudge(Judge):
    """The base of judges whose thinking can be ended after so many tokens."""

    later: ClassVar[frozenset[str]] = Judge.later | {"thinking_budget"}
    thinking_budget: Annotated[int, Field(gt=0)] | None = None
    """Tokens after which the thinking is closed and the verdict asked for, which is then *forced*; None = `max_new_tokens` ends it."""

    @property
    def needs_logprobs(self) -> bool:
        """Whether it reads log-probabilities of given tokens."""
        return self.thinking_budget is not None

    @property
    def judges_by_parts(self) -> bool:
        """Whether what an engine returns is a part of a judgement, which says nothing about the whole."""
        return self.thinking_budget is not None

    def blanks(self) -> tuple[Blank, ...]:
        """The lines with which a judgement ends, for a judge whose verdict follows from several things it says; none for one of words."""
        return ()

    def tokens_at_most(self) -> int:
        """Those until the thinking is ended, and no more than one for each byte that is put behind them."""
        if self.thinking_budget is None:
            return self.max_new_tokens
        lines = [tuple(f"{blank.before}{choice}\n" for choice in blank.choices) for blank in self.blanks()] or [verdict_texts(self)]
        behind = sum(max(len(text.encode()) for text in texts) for texts in lines)
        return min(self.thinking_budget, self.max_new_tokens) + CLOSING + behind

    @model_validator(mode="after")
    def _verdict_can_be_asked_for(self) -> Self:
        check_budget(self)
        return self

    def paths(self, session: Session, requests: Sequence[JudgeRequest]) -> Iterator[ReasoningPath] | None:
        """The judgements, those that think too long ended by force; None without a budget: they are then made as any judge's are."""
        if self.thinking_budget is None:
            return None
        free = self.model_copy(update={"thinking_budget": None, "max_new_tokens": self.tokens_at_most()})  # room is made for as many
        return noted(session, (path for path, _ in read_paths(ForcingSession(session, self), free, requests)), sampled=True)


def check_budget(judge: BudgetedJudge) -> None:
    """Raise `ValueError` where a judge with a budget cannot be asked for its verdict."""
    if judge.thinking_budget is not None and not judge.blanks():
        try:
            verdict_texts(judge)
        except ConfigError as error:
            raise ValueError(f"thinking_budget: {error}") from None


class ForcingSession(ReadingSession):
    """Its completions have a verdict behind so many tokens at the latest; one that was put there is told as ``forced``.

    A judgement that states its verdict before the cut keeps it; one that contradicts itself there stays *unreadable*."""

    def __init__(self, session: Session, judge: BudgetedJudge) -> None:
        super().__init__(session)
        assert judge.thinking_budget is not None
        self.judge, self.form = judge, judge.blanks()
        self.budget = min(judge.thinking_budget, judge.max_new_tokens)
        self.texts = None if self.form else verdict_texts(judge)

    def sample(self, prompts: Sequence[list[Message]], *, seeds: Sequence[int], **settings: Any) -> Iterator[tuple[int, Completion]]:
        sampled = self.session.sample(prompts, seeds=seeds, **{**settings, "max_new_tokens": self.budget})
        return asked_together(self.session, sampled, lambda index, made: self._forced(prompts[index], seeds[index], made))

    def _forced(self, prompt: list[Message], seed: int, made: Completion) -> Asking[Completion]:
        if not made.truncated:
            return made
        if not made.token_ids:  # an endpoint that tells texts alone
            return replace(made, truncated=False, error="its thinking cannot be continued: the endpoint tells no tokens")
        said, between, probability = replace(made, truncated=False), closed(made.opened + made.text) or "\n\n", None
        try:
            if self.texts is None:
                whole = yield from fill(self.session, prompt, self.form, made, between)
            elif read_verdict(self.judge, said).outcome.decided:
                whole = said
            else:
                probability, written = yield from read_verdicts(self.session, prompt, self.texts, made, between)
                whole = written[probability < 0.5]
        except NoRoom:
            return made
        if whole.text != made.text:
            self.readings[seed] = Reading(probability, {"forced": True})
        return whole
