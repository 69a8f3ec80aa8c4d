"""Verdicts' probabilities from endpoints that list the likeliest tokens of their own answers, and tell nothing of given ones.

The model is asked to write its verdict and nothing before it. At the token with which its answer goes on to *first* and not to *second*,
or the other way round, all that are listed for either are added up, and P(first) is the share of the two; what may be both, and other
words, count for neither. A verdict that is not listed there is taken to be as probable as the least probable token that is: it has no
more, so P(first) is never told surer than it is.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adjudge import Completion, ConfigError, Message, Session

from .reading_session import Reading, ReadingSession

LONGEST = 64
"""Tokens of an answer at most; a verdict has fewer."""


@dataclass(frozen=True, slots=True)
class Listed:
    """An answer with what was listed for each of its tokens, or the reason why there is none."""

    text: str = ""
    rows: tuple[tuple[str, Mapping[str, float]], ...] = ()
    """What each token wrote, and log-probabilities in nats by what the likeliest tokens would have written."""
    error: str | None = None


def tells_given_tokens(session: Session) -> bool:
    """Whether a session tells log-probabilities of given tokens; one that does not lists those of its answers, as `Listed`."""
    return bool(getattr(session, "tells_given_tokens", True))


class ListedSession(ReadingSession):
    """Its completions are the more probable verdict, read from the model's own answer of a verdict alone."""

    def __init__(self, session: Session, texts: tuple[str, str], prefix: str = "", top: int = 20) -> None:
        super().__init__(session)
        self.texts, self.top = texts, top
        if prefix:
            raise ConfigError(
                "judge.prefix: this endpoint writes its answers from the beginning, and nothing can be put before them.\n"
                "  Remedy: leave it out, or name the folder of the served model's tokenizer as engine.tokenizer, where vLLM serves it."
            )

    def sample(self, prompts: Sequence[list[Message]], *, seeds: Sequence[int], **settings: Any) -> Iterator[tuple[int, Completion]]:
        asked = [self._asked(prompt) for prompt in prompts]
        listed: Any = self.session.listed(asked, seeds=seeds, max_new_tokens=LONGEST, top=self.top)  # type: ignore[attr-defined]
        for index, answer in listed:
            yield index, self._read(answer, seeds[index])

    def _asked(self, prompt: list[Message]) -> list[Message]:
        """The prompt with the order to write the verdict alone behind it."""
        first, second = self.texts
        last = {**prompt[-1], "content": f"{prompt[-1]['content']}\n\nDo not explain. Write the verdict alone, either {first} or {second}"}
        return [*prompt[:-1], last]

    def _read(self, answer: Listed, seed: int) -> Completion:
        if answer.error is not None:
            return Completion("", error=answer.error)
        found = read_listed(answer, self.texts)
        if found is None:
            return Completion(answer.text)
        probability, bounded = found
        told = {"tokens": len(answer.rows), **({"bounded": True} if bounded else {})}
        first, second = map(Completion, self.texts)
        self.readings[seed] = Reading(probability, told, (first, second))
        return first if probability >= 0.5 else second


def read_listed(answer: Listed, texts: tuple[str, str]) -> tuple[float, bool] | None:
    """P(first) against *second*, and whether one of the two was not listed; None where the answer does not begin with a verdict."""
    written = ""
    for token, listed in answer.rows:
        if _goes_to(written + token, texts) is not None:
            shares = [(_goes_to(written + one, texts), math.exp(value)) for one, value in listed.items()]
            masses = [math.fsum(share for goes_to, share in shares if goes_to == place) for place in (0, 1)]
            least = math.exp(min(listed.values()))
            first, second = (mass or least for mass in masses)
            return first / (first + second), not all(masses)
        written += token
        if written.strip() and not all(text.startswith(written.lstrip()) for text in texts):
            return None
    return None


def _goes_to(written: str, texts: tuple[str, str]) -> int | None:
    """Which of the two verdicts this begins, or begins with; None where it may be both or is neither."""
    begun = written.lstrip()
    of = [bool(begun) and (text.startswith(begun) or begun.startswith(text)) for text in texts]
    return of.index(True) if sum(of) == 1 else None
