"""Plays tournaments without a judge, to learn before the first call how many matches and judgements one may take.

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

from .budget import Budget
from .components import Aggregator, Engine, Judge
from .plan import Part, Plan, Range, Rates, priced, prompt_tokens, with_tokens
from .records import Completion, Message, Order, Outcome, Problem, Verdict, stable_seed
from .tournament import play
from .voting import Voting

Manner: TypeAlias = Literal["strength", "coin", "tie"]
COURSES: tuple[tuple[Manner, int], ...] = (*(("strength", seed) for seed in range(3)), *(("coin", seed) for seed in range(3)), ("tie", 0))
"""How verdicts are made up, and the seed of each course."""


class Rehearsed(Judge):
    """Asks what another judge asks, with a last turn that says how an `Understudy` is to answer."""

    use: Literal["rehearsed"] = "rehearsed"
    judge: Judge
    """Whose prompts are asked."""
    manner: Manner
    """How the verdicts are made up."""
    seed: int
    """Another seed makes up others."""

    def prompt(self, problem: Problem, order: Order) -> list[Message]:
        return [*self.judge.prompt(problem, order), {"role": "verdict", "content": self._verdict(problem, order)}]

    def _verdict(self, problem: Problem, order: Order) -> str:
        if self.manner != "strength":
            return self.manner
        one, other = (stable_seed(answer, self.seed) for answer in problem.answers)
        outcome = Outcome.FIRST if one > other else Outcome.SECOND
        return outcome.value if order == "given" else outcome.mirrored.value

    def parse(self, text: str) -> Verdict:
        return Verdict(Outcome(text))


class Understudy:
    """A session that says what it is told, at the length of a likely judgement, and keeps what it was asked."""

    def __init__(self, tokens: int) -> None:
        self.tokens = (0,) * tokens
        self.asked: Counter[str] = Counter()

    def sample(self, prompts: Sequence[list[Message]], *, seeds: Sequence[int], **_: Any) -> Iterator[tuple[int, Completion]]:
        for index, ((*prompt, verdict), seed) in enumerate(zip(prompts, seeds, strict=True)):
            self.asked[json.dumps(prompt)] += 1
            said = ("first", "second")[seed % 2] if verdict["content"] == "coin" else verdict["content"]
            yield index, Completion(said, self.tokens)

    def logprobs(self, prompt: list[Message], continuations: Sequence[Sequence[int]]) -> list[list[float]]:
        raise NotImplementedError("a rehearsal has no model")

    def tokenize(self, text: str, token_ids: Sequence[int] = ()) -> Completion:
        raise NotImplementedError("a rehearsal has no model")


@dataclass(frozen=True, slots=True)
class Course:
    """One way that all tournaments may go."""

    matches: int
    """Matches that are judged."""
    prompts: Counter[str]
    """Every prompt, as JSON, and how often it is asked."""


def rehearse(
    problems: Sequence[Problem], aggregator: Aggregator, judge: Judge, *, seed: int, voting: Voting, budget: Budget, tokens: int
) -> list[Course]:
    """Every course; `tokens` is the length that a judgement is taken to have, which a budget of tokens depends on."""
    courses = []
    for manner, luck in COURSES:
        options = {name: getattr(judge, name) for name in Judge.model_fields if name != "use"}
        session = Understudy(tokens)
        played = play(
            problems, aggregator, Rehearsed(judge=judge, manner=manner, seed=luck, **options), session,
            seed=seed, voting=voting, budget=budget,
        )  # fmt: skip
        matches = sum(bool(match.votes) for one in played for match in one.played)
        courses.append(Course(matches, session.asked))
    return courses


def plan_ranking(
    problems: Sequence[Problem], aggregator: Aggregator, judge: Judge, engine: Engine, model: FilePath,
    *, seed: int = 0, voting: Voting | None = None, budget: Budget | None = None, measured: float | None = None, rates: Rates | None = None,
) -> Plan:  # fmt: skip
    """What ranking these problems' answers takes, over the courses rehearsed; matches that are played again because no vote could be read
    come on top. `measured` is the mean tokens of an earlier judgement."""
    tokens = min(judge.max_new_tokens, round(measured)) if measured else judge.max_new_tokens
    courses = rehearse(problems, aggregator, judge, seed=seed, voting=voting or Voting(), budget=budget or Budget(), tokens=tokens)
    judgements = _range(course.prompts.total() for course in courses)
    part = with_tokens(
        Part("ranking", aggregator.use, judgements, None, _range(course.matches for course in courses)), judge, None, measured
    )
    distinct = sorted({prompt for course in courses for prompt in course.prompts})
    counts = prompt_tokens(engine, model, [json.loads(prompt) for prompt in distinct])
    if counts is not None:
        known = dict(zip(distinct, counts, strict=True))
        read = [sum(known[prompt] * times for prompt, times in course.prompts.items()) for course in courses]
        part = replace(part, input_tokens=_range(read))
    return Plan((priced(part, rates or Rates()),))


def _range(values: Iterable[int]) -> Range:
    found = list(values)
    return min(found), max(found)
