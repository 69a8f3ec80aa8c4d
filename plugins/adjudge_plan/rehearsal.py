"""Rehearses tournaments, with verdicts that are made up, to learn before the first call how many matches and judgements they may take.

The driver is the real one, so votes that stop early, budgets and adaptive pairings cost here what they cost there. Only the verdicts are
made up, in several ways: by a strength that every answer has, by a coin, and as ties.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path as FilePath
from typing import Any, Literal, TypeAlias

from adjudge import (
    Aggregator,
    Budget,
    Completion,
    Engine,
    Judge,
    Message,
    Order,
    Outcome,
    Problem,
    Verdict,
    Voting,
    play,
    stable_seed,
)  # fmt: skip
from adjudge_judges import tokens_at_most

from .plan import Part, Plan, Range, Rates, priced, prompt_tokens, with_tokens

Verdicts: TypeAlias = Literal["strength", "coin", "tie"]
REHEARSALS: tuple[tuple[Verdicts, int], ...] = (
    *(("strength", seed) for seed in range(3)),
    *(("coin", seed) for seed in range(3)),
    ("tie", 0),
)
"""How verdicts are made up, and the seed of each rehearsal."""


class RehearsedJudge(Judge):
    """Sends what another judge sends, with a last turn that says which verdict a `RehearsedSession` is to give."""

    use: Literal["rehearsed"] = "rehearsed"
    judge: Judge
    """Whose prompts are sent."""
    verdicts: Verdicts
    """How the verdicts are made up."""
    seed: int
    """Another seed makes up others."""

    def tokens_at_most(self) -> int:
        return tokens_at_most(self.judge)

    def prompt(self, problem: Problem, order: Order) -> list[Message]:
        return [*self.judge.prompt(problem, order), self._verdict(problem, order)]

    def render(self, problem: Problem, order: Order) -> list[Message]:
        return [*self.judge.render(problem, order), self._verdict(problem, order)]

    def _verdict(self, problem: Problem, order: Order) -> Message:
        if self.verdicts != "strength":
            return {"role": "verdict", "content": self.verdicts}
        one, other = (stable_seed(answer, self.seed) for answer in problem.answers)
        outcome = Outcome.FIRST if one > other else Outcome.SECOND
        return {"role": "verdict", "content": (outcome if order == "given" else outcome.mirrored).value}

    def parse(self, text: str) -> Verdict:
        return Verdict(Outcome(text))


class RehearsedSession:
    """A session that gives the verdicts it is told, at the length of a likely judgement, and counts the prompts it is sent."""

    def __init__(self, tokens: int) -> None:
        self.tokens = (0,) * tokens
        self.prompts: Counter[str] = Counter()

    def sample(self, prompts: Sequence[list[Message]], *, seeds: Sequence[int], **_: Any) -> Iterator[tuple[int, Completion]]:
        for index, ((*prompt, verdict), seed) in enumerate(zip(prompts, seeds, strict=True)):
            self.prompts[json.dumps(prompt)] += 1
            text = ("first", "second")[seed % 2] if verdict["content"] == "coin" else verdict["content"]
            yield index, Completion(text, self.tokens)

    def logprobs(self, prompt: list[Message], continuations: Sequence[Sequence[int]]) -> list[list[float]]:
        raise NotImplementedError("a rehearsal has no model")

    def tokenize(self, text: str, token_ids: Sequence[int] = ()) -> Completion:
        raise NotImplementedError("a rehearsal has no model")


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """One way that all tournaments may go."""

    matches: int
    """Matches that are judged."""
    prompts: Counter[str]
    """Every prompt, as JSON, and how often it is sent."""


def rehearse(
    problems: Sequence[Problem], aggregator: Aggregator, judge: Judge, *, seed: int, voting: Voting, budget: Budget, tokens: int
) -> list[Rehearsal]:
    """Every rehearsal; `tokens` is the length that a judgement is taken to have, which a budget of tokens depends on."""
    found = []
    options = {name: getattr(judge, name) for name in Judge.model_fields if name != "use"}
    for verdicts, number in REHEARSALS:
        session = RehearsedSession(tokens)
        results = play(
            problems, aggregator, RehearsedJudge(judge=judge, verdicts=verdicts, seed=number, **options), session,
            seed=seed, voting=voting, budget=budget,
        )  # fmt: skip
        matches = sum(bool(match.votes) for one in results for match in one.played)
        found.append(Rehearsal(matches, session.prompts))
    return found


def plan_ranking(
    problems: Sequence[Problem], aggregator: Aggregator, judge: Judge, engine: Engine, model: FilePath,
    *, seed: int = 0, voting: Voting | None = None, budget: Budget | None = None, measured: float | None = None, rates: Rates | None = None,
) -> Plan:  # fmt: skip
    """What ranking these problems' answers takes, over all rehearsals; matches that are played again because no vote could be read
    come on top. `measured` is the mean tokens of an earlier judgement."""
    most = tokens_at_most(judge)
    tokens = min(most, round(measured)) if measured else most
    rehearsals = rehearse(problems, aggregator, judge, seed=seed, voting=voting or Voting(), budget=budget or Budget(), tokens=tokens)
    judgements = _range(one.prompts.total() for one in rehearsals)
    part = with_tokens(Part("ranking", aggregator.use, judgements, None, _range(one.matches for one in rehearsals)), judge, None, measured)
    distinct = sorted({prompt for one in rehearsals for prompt in one.prompts})
    counts = prompt_tokens(engine, model, [json.loads(prompt) for prompt in distinct])
    if counts is not None:
        known = dict(zip(distinct, counts, strict=True))
        read = [sum(known[prompt] * times for prompt, times in one.prompts.items()) for one in rehearsals]
        part = replace(part, input_tokens=_range(read))
    return Plan((priced(part, rates or Rates()),))


def _range(values: Iterable[int]) -> Range:
    found = list(values)
    return min(found), max(found)
