"""`soft`: any judge as it is, and how probable the verdict was that it came to.

A sampled verdict says which answer is better, and not how nearly it was the other one. Behind the reasoning that was written, the two
verdicts are compared as `direct` compares them behind the prompt: one forward pass more for each judgement. After a finished path that
pass is often nearly sure (the verdict follows from what was written), so shares of several votes may tell more: see docs/soft-verdicts.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from adjudge import Completion, ConfigError, Judge, JudgeRequest, Message, Outcome, ReasoningPath, Session, read_verdict
from adjudge_judges import Asking, NoRoom, Reading, ReadingSession, asked_together, noted, read_paths, read_verdicts, until, verdict_texts

from .inner_judges import JudgeOfJudges, asks_in_words, calibrated


class Soft(JudgeOfJudges):
    """Any judge, sampled as it is; the probability of its verdict is read behind its own reasoning."""

    use: Literal["soft"] = "soft"
    judge: Annotated[Judge, AfterValidator(asks_in_words)]
    """The judge whose verdicts are told with their probabilities; it asks for them in fixed words."""
    calibration: Annotated[float, Field(gt=0)] = 1.0
    """Temperature by which the log-odds are divided, as ``adjudge fit`` finds it on labelled pairs; above 1 it is less sure."""

    def inner(self) -> Sequence[Judge]:
        return (self.judge,)

    @property
    def needs_logprobs(self) -> bool:
        return True

    @model_validator(mode="after")
    def _verdicts_are_known(self) -> Self:
        try:
            verdict_texts(self.judge)
        except ConfigError as error:
            raise ValueError(str(error)) from None
        return self

    def paths(self, session: Session, requests: Sequence[JudgeRequest]) -> Iterator[ReasoningPath]:
        """The judgements of the judge inside, those that decide with their probability."""
        reading = SoftSession(session, self.judge)
        return noted(session, (self._calibrated(path) for path, _ in read_paths(reading, self.judge, requests)), sampled=True)

    def _calibrated(self, path: ReasoningPath) -> ReasoningPath:
        known = path.verdict.probability
        return path if known is None else replace(path, verdict=replace(path.verdict, probability=calibrated(known, self.calibration)))


class SoftSession(ReadingSession):
    """Its completions are the engine's own; behind the reasoning of each that decides, both verdicts are read."""

    def __init__(self, session: Session, judge: Judge) -> None:
        super().__init__(session)
        self.judge, self.texts = judge, verdict_texts(judge)

    def sample(self, prompts: Sequence[list[Message]], *, seeds: Sequence[int], **settings: Any) -> Iterator[tuple[int, Completion]]:
        sampled = self.session.sample(prompts, seeds=seeds, **settings)
        return asked_together(self.session, sampled, lambda index, made: self._read(prompts[index], seeds[index], made))

    def _read(self, prompt: list[Message], seed: int, made: Completion) -> Asking[Completion]:
        """The completion as it is, once it is known how probable its verdict was behind the tokens that reason."""
        verdict = read_verdict(self.judge, made)
        if verdict.outcome is Outcome.TIE:
            self.readings[seed] = Reading(0.5)
        elif verdict.outcome.decided and made.token_ids:
            start = (verdict.answer or (0, 0))[0]
            before = until(made, start)
            try:
                probability, _ = yield from read_verdicts(self.session, prompt, self.texts, before, made.text[len(before.text) : start])
                self.readings[seed] = Reading(probability)
            except NoRoom:  # for the other verdict, which may be longer
                self.readings[seed] = Reading(None, {"no_room": True})
        return made
