"""A judge whose biases are known, because they were planted: what the report on its health is tested with.

Its verdicts are made from the pairs themselves, go through a real judge's prompt and reader, and depend on the request's seed alone. In a
share of them, one for each bias, it goes by the bias; in the rest it names the right answer as often as `accuracy` says.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from adjudge import Completion, Judge, Message, Order, Problem, ReasoningPath, build_requests, coin, sample_paths
from adjudge_judges import Rrm

from .leans import first_word

WORDS = ("Certainly", "The", "Perhaps", "It")
AUTHORS = ("north", "south", "east")


@dataclass(frozen=True, slots=True)
class Biases:
    """Shares of verdicts that go by something else than the answers; together at most 1."""

    position: float = 0.0
    """To the answer shown first."""
    length: float = 0.0
    """To the longer answer, in characters."""
    first_word: float = 0.0
    """To the answer that begins with `word`, where just one does."""
    own: float = 0.0
    """To the answer that `author` wrote, where just one is: self-preference."""
    accuracy: float = 0.75
    """How often the right answer is named in all other verdicts."""
    word: str = "certainly"
    author: str = "north"

    def choice(self, problem: Problem, order: Order, rng: random.Random) -> int:
        """Index of the answer that is named, in the problem's own order."""
        features = (
            (self.position, 0 if order == "given" else 1),
            (self.length, _only([len(one) > len(other) for one, other in (problem.answers, problem.answers[::-1])])),
            (self.first_word, _only([first_word(answer) == self.word for answer in problem.answers])),
            (self.own, _only([author == self.author for author in problem.meta.get("models", ())])),
        )
        drawn = rng.random()
        for share, named in features:
            if drawn < share and named is not None:
                return named
            drawn -= share
            if drawn < 0:
                break
        return (problem.label or 0) if rng.random() < self.accuracy else 1 - (problem.label or 0)


def _only(marks: Sequence[bool]) -> int | None:
    return list(marks).index(True) if sum(marks) == 1 else None


@dataclass
class PlantedSession:
    """Answers a real judge's prompts about these pairs, as a judge with these biases."""

    problems: Sequence[Problem]
    judge: Judge
    biases: Biases

    def __post_init__(self) -> None:
        orders: tuple[Order, ...] = ("given", "swapped")
        self.asked = {self.judge.render(one, order)[-1]["content"]: (one, order) for one in self.problems for order in orders}

    def sample(self, prompts: Sequence[list[Message]], *, seeds: Sequence[int], **_: object) -> Iterator[tuple[int, Completion]]:
        for index, (prompt, seed) in enumerate(zip(prompts, seeds, strict=True)):
            problem, order = self.asked[prompt[-1]["content"]]
            named = self.biases.choice(problem, order, random.Random(seed))
            place = named if order == "given" else 1 - named
            yield index, Completion(f"<think>Both were read.</think> \\boxed{{Assistant {place + 1}}}")

    def logprobs(self, prompt: list[Message], continuations: Sequence[Sequence[int]]) -> list[list[float]]:
        raise NotImplementedError("planted verdicts have no tokens")


def planted_pairs(size: int, seed: int = 0) -> list[Problem]:
    """Labelled pairs in which length, first word and author say nothing about which answer is right."""
    found = []
    for index in range(size):
        rng = random.Random(f"{seed} {index}")
        words, models = rng.sample(WORDS, 2), rng.sample(AUTHORS, 2)
        lengths = rng.sample(range(4, 30), 2)
        answers = tuple(f"{word} {'so ' * length}{index}" for word, length in zip(words, lengths, strict=True))
        found.append(Problem(f"{seed}-{index}", f"question {seed}-{index}", answers, int(coin(rng)), {"models": models}))
    return found


def planted_paths(problems: Sequence[Problem], biases: Biases, *, samples: int = 1, seed: int = 0) -> list[ReasoningPath]:
    """What a judge with these biases says of the pairs, each in both orders."""
    judge = Rrm(order="both")
    requests = build_requests(problems, judge, samples=samples, seed=seed, purpose="health")
    return list(sample_paths(PlantedSession(problems, judge, biases), judge, requests))  # type: ignore[arg-type]
