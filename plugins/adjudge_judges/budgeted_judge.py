"""`thinking_budget` on any judge that asks for its verdict in fixed words: where it has not come to one, it is asked for it there and then.

Budget forcing (s1, arXiv 2501.19393) closes a model's thinking at a token limit and lets it answer. Different here: what is written behind
the cut is the more probable of the judge's two verdicts, read in one forward pass, and not sampled, so that it is always a verdict and its
probability is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator

from adjudge import Completion, ConfigError, Judge, JudgeRequest, Message, ReasoningPath, Session

from .reading_session import NoRoom, Reading, ReadingSession, closed, noted, read_paths, read_verdicts
from .verdict_words import verdict_texts


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

    @model_validator(mode="after")
    def _verdict_can_be_asked_for(self) -> Self:
        if self.thinking_budget is not None:
            try:
                verdict_texts(self)
            except ConfigError:
                raise ValueError("thinking_budget: this judge asks for no fixed words, so its verdict cannot be asked for") from None
        return self

    def paths(self, session: Session, requests: Sequence[JudgeRequest]) -> Iterator[ReasoningPath] | None:
        """The judgements, those that think too long ended by force; None without a budget: they are then made as any judge's are."""
        if self.thinking_budget is None:
            return None
        forcing = ForcingSession(session, verdict_texts(self), self.thinking_budget)
        free = self.model_copy(update={"thinking_budget": None})
        return noted(session, (path for path, _ in read_paths(forcing, free, requests)), sampled=True)


class ForcingSession(ReadingSession):
    """Its completions have a verdict behind so many tokens at the latest; one that was put there is told as ``forced``."""

    def __init__(self, session: Session, texts: tuple[str, str], budget: int) -> None:
        super().__init__(session, texts)
        self.budget = budget

    def sample(self, prompts: Sequence[list[Message]], *, seeds: Sequence[int], **settings: Any) -> Iterator[tuple[int, Completion]]:
        settings["max_new_tokens"] = min(self.budget, settings["max_new_tokens"])
        for index, made in self.session.sample(prompts, seeds=seeds, **settings):
            yield index, self._forced(prompts[index], seeds[index], made) if made.truncated else made

    def _forced(self, prompt: list[Message], seed: int, made: Completion) -> Completion:
        if not made.token_ids:  # an endpoint that tells texts alone
            return replace(made, truncated=False, error="its thinking cannot be continued: the endpoint tells no tokens")
        between = closed(made.opened + made.text) or "\n\n"
        try:
            probability, written = read_verdicts(self.session, prompt, self.texts, made, between)
        except NoRoom:
            return made
        self.readings[seed] = Reading(probability, {"forced": True})
        return written[probability < 0.5]
