"""`direct`: the verdict without a word of reasoning, its probability read in one forward pass.

A judge that reasons has to earn its tokens: decision models, which write nothing, come near to it on the easy benchmarks. So any judge can
be asked directly: its prompt, and behind it the two verdicts in the judge's own words. What is compared is the log-probability of the first
token in which they differ. A model's liking for one place is as large as its judgement where it does not think, so both orders are read
and averaged, unless `average` says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from adjudge import Completion, ConfigError, Judge, JudgeRequest, Outcome, ReasoningPath, Session, Verdict, read_verdict
from adjudge_judges import (
    DirectSession,
    ListedSession,
    Reading,
    noted,
    probability_of,
    read_paths,
    tells_given_tokens,
    tokens_spent,
    verdict_texts,
)

from .inner_judges import JudgeOfJudges, asks_in_words, calibrated, swapped

Words = Annotated[str, Field(min_length=1)]
OTHER = ":other"
"""Ends the id of the same judgement in the other order."""
UNREAD = "its judge does not read its own verdict behind its prompt"


class Direct(JudgeOfJudges):
    """Any judge without its reasoning: which of its two verdicts is more probable right behind the prompt, and how much more."""

    use: Literal["direct"] = "direct"
    judge: Annotated[Judge, AfterValidator(asks_in_words)]
    """Whose prompt is sent and whose verdicts are compared."""
    verdicts: tuple[Words, Words] | None = None
    """The texts of *first* and of *second*; None = as the judge inside asks for them, which one such as `template` does not know."""
    prefix: str = ""
    """What is put before the verdict, such as ``So my verdict is ``; thinking that the chat template opens is closed before it."""
    average: bool = True
    """Read both orders for each judgement and average them, so that no place is an advantage; otherwise only the order that is shown."""
    top_logprobs: Annotated[int, Field(ge=2, le=20)] = 20
    """Likeliest tokens to ask an endpoint for that tells no others; some list 5 at most. Engines that score given tokens need none."""
    calibration: Annotated[float, Field(gt=0)] = 1.0
    """Temperature by which the log-odds are divided, as ``adjudge fit`` finds it on labelled pairs; above 1 it is less sure."""

    def inner(self) -> Sequence[Judge]:
        return (self.judge,)

    @property
    def needs_logprobs(self) -> bool:
        return True

    @property
    def needs_given_tokens(self) -> bool:
        """Those that an endpoint lists of its own answer will do."""
        return False

    def most_tokens(self) -> int:
        """Of a verdict, generously."""
        return 64

    def tokens_at_most(self) -> int:
        """No more than it has bytes, with what ends a thinking; of an endpoint's own answers, those of both orders."""
        longest = max(len(f"{self.prefix}{text}".encode()) for text in self.texts())
        return max(self.most_tokens() + longest, self.most_tokens() * (1 + self.average))

    @model_validator(mode="after")
    def _verdicts_are_known(self) -> Self:
        try:
            texts = self.texts()
        except ConfigError as error:
            raise ValueError(str(error)) from None
        for text, outcome in zip(texts, (Outcome.FIRST, Outcome.SECOND), strict=True):
            if self.judge.parse(text).outcome != outcome:
                raise ValueError(f"verdicts: judge {self.judge.use!r} does not read {text!r} as {outcome.value}")
        return self

    def texts(self) -> tuple[str, str]:
        """The two verdicts."""
        return self.verdicts or verdict_texts(self.judge)

    def paths(self, session: Session, requests: Sequence[JudgeRequest]) -> Iterator[ReasoningPath]:
        """One judgement for each request, none of them sampled."""
        return noted(session, self._paths(session, requests), sampled=False)

    def _paths(self, session: Session, requests: Sequence[JudgeRequest]) -> Iterator[ReasoningPath]:
        reading = (
            DirectSession(session, self.texts(), self.prefix)
            if tells_given_tokens(session)
            else ListedSession(session, self.texts(), self.prefix, self.top_logprobs)
        )
        others = [replace(one, id=f"{one.id}:other", order=swapped(one.order), seed=one.seed + 1) for one in requests]
        asked = [one for pair in zip(requests, others, strict=True) for one in pair] if self.average else list(requests)
        by_id = {one.id: one for one in requests}
        waiting: dict[str, list[tuple[ReasoningPath, Reading | None]]] = {}
        for path, read in read_paths(reading, self.judge, asked):
            ident = path.id.removesuffix(OTHER)
            waiting.setdefault(ident, []).append((path, read))
            if len(waiting[ident]) == len(asked) // len(requests):
                yield self._judgement(by_id[ident], waiting.pop(ident))

    def _judgement(self, request: JudgeRequest, sample: Sequence[tuple[ReasoningPath, Reading | None]]) -> ReasoningPath:
        """The judgement that one order, or both, come to; failed where one of them did."""
        by_order = {path.order: known for path, _ in sample if (known := probability_of(path)) is not None}
        written = next(read.written if read else None for path, read in sample if path.id == request.id)
        unread = next((path for path, read in sample if read is None and path.completion.error is None), None)
        if unread is not None:  # an answer that does not begin with a verdict
            made, verdict = unread.completion, Verdict(Outcome.UNREADABLE)
        elif written is None or len(by_order) < len(sample):
            errors = [path.completion.error for path, _ in sample if path.completion.error is not None]
            made, verdict = Completion("", error=errors[0] if errors else UNREAD), Verdict(Outcome.FAILED)
        else:
            share = calibrated(sum(by_order.values()) / len(by_order), self.calibration)
            shown = share if request.order == "given" else 1 - share
            made = written[shown < 0.5]
            verdict = read_verdict(self.judge, made)
            outcome = Outcome.TIE if share == 0.5 else verdict.outcome
            told: dict[str, Any] = {"by_order": dict(sorted(by_order.items()))} if self.average else {}
            if any("tokens" in path.verdict.told for path, _ in sample):  # written for it, in both orders
                bounded = any("bounded" in path.verdict.told for path, _ in sample)
                told |= {"tokens": sum(tokens_spent(path) for path, _ in sample), **({"bounded": True} if bounded else {})}
            verdict = replace(verdict, outcome=outcome, probability=shown, told=told)
        return ReasoningPath(request.id, request.problem.id, request.order, request.index, made, verdict)
