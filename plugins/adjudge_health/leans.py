"""A probe of leans: in which share of its verdicts a judge goes by something other than which answer is better, and by what.

A judge that goes by a feature of the answers in a share s of its verdicts, and by the answers themselves in the rest, leans by s: it
chooses the answer that has the feature with probability s + (1 − s) a where that one is right, and s + (1 − s)(1 − a) where the other is, a
being how often it is right otherwise. So lean = (chosen where right) + (chosen where wrong) − 1, in [−1, 1], whatever a is; a negative one
shuns the feature. It takes labels, and takes pairs where the feature is with the right answer to be as hard as the others. The lean to the
answer shown first needs neither, as each pair is shown both ways: lean = (first place chosen as given) + (first place chosen swapped) − 1.

Features: shown first, longer, begins with a certain word, written by a certain author (`Problem.meta["models"]`, one name for each answer;
self-preference where that is the judge itself). p-values are those of permutation tests, corrected in the findings.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import Field

from adjudge import Probe, Problem, ReasoningPath
from adjudge_benchmarks import proportion, weighted_mean

from .units import WORTH, JudgedPair, judged_pairs, mean_of

PERMUTATIONS = 4999
Has = Callable[[Problem], int | None]
"""Index of the one answer of a pair that has a feature; None where neither has, or both do."""


@dataclass(frozen=True, slots=True)
class Worths:
    """What the decided verdicts of a pair are worth for the answer that stands first in the problem, by order; texts are not held."""

    problem: Problem
    given: tuple[float, ...]
    swapped: tuple[float, ...]

    @classmethod
    def of(cls, pair: JudgedPair) -> Worths:
        decided = [path for path in pair.paths if path.outcome.decided]
        given, swapped = (tuple(WORTH[path.outcome] for path in decided if path.order == order) for order in ("given", "swapped"))
        return cls(pair.problem, given, swapped)


class Leans(Probe):
    """By what a judge goes besides which answer is better: place, length, first words, authors."""

    use: Literal["leans"] = "leans"
    least: Annotated[int, Field(ge=4)] = 20
    """Pairs that a first word or an author must tell apart to be looked at, a fifth of them with either answer right."""
    words: Annotated[int, Field(ge=0)] = 12
    """First words to look at, the most frequent ones."""

    def report(self, problems: Sequence[Problem], paths: Sequence[ReasoningPath], own: Sequence[ReasoningPath]) -> dict[str, Any]:
        """A lean for every feature that tells enough pairs apart, with the p-value of there being none."""
        pairs = [Worths.of(pair) for pair in judged_pairs(problems, paths)]
        found = {"shown first": _to_the_first_place(pairs)}
        for name, has in self._features([pair.problem for pair in pairs]):
            liked = _liked(pairs, has)
            if name == "longer" or (sum(map(len, liked)) >= self.least and min(map(len, liked)) >= self.least / 5):
                found[name] = _lean(*liked)
        return found

    def _features(self, problems: Sequence[Problem]) -> Iterator[tuple[str, Has]]:
        yield "longer", _longer
        words = Counter(word for problem in problems for word in {*map(first_word, problem.answers)} if word)
        for word, _ in words.most_common(self.words):
            yield f"begins with {word!r}", partial(_only, of=_first_words, value=word)
        authors = Counter(author for problem in problems for author in {*_authors(problem)})
        for author, _ in sorted(authors.items(), key=lambda one: (-one[1], one[0])):
            yield f"written by {author}", partial(_only, of=_authors, value=author)


def first_word(answer: str) -> str:
    """The first word of an answer, in small letters; none where it has no letter."""
    found = re.search(r"[^\W\d_]+", answer)
    return found.group().lower() if found else ""


def _authors(problem: Problem) -> list[str]:
    found = problem.meta.get("models")
    return [str(one) for one in found] if isinstance(found, list | tuple) and len(found) == 2 else []


def _longer(problem: Problem) -> int | None:
    first, second = map(len, problem.answers)
    return None if first == second else int(second > first)


def _first_words(problem: Problem) -> list[str]:
    return [first_word(answer) for answer in problem.answers]


def _only(problem: Problem, *, of: Callable[[Problem], list[str]], value: str) -> int | None:
    """The one answer of which this is the value."""
    found = of(problem)
    return found.index(value) if found.count(value) == 1 else None


def _to_the_first_place(pairs: Sequence[Worths]) -> dict[str, Any]:
    """Each pair's mean worth of its first place over both orders, one half being none's."""
    values = []
    for pair in pairs:
        if pair.given and pair.swapped:
            values.append((mean_of(pair.given) + 1 - mean_of(pair.swapped)) / 2)
    found = proportion("", values)
    return _figure(found.value, found.n, found.interval, sign_flip_test([one - 0.5 for one in values]))


def _liked(pairs: Sequence[Worths], has: Has) -> tuple[list[float], list[float]]:
    """How far the answer with the feature was chosen: of pairs where it is the right one, and of those where it is not."""
    right, wrong = list[float](), list[float]()
    for pair in pairs:
        place, preference = has(pair.problem), _preference(pair)
        if place is not None and preference is not None and pair.problem.label is not None:
            (right if place == pair.problem.label else wrong).append(preference if place == 0 else 1 - preference)
    return right, wrong


def _preference(pair: Worths) -> float | None:
    """The worth of the first answer, both orders with the same weight where both decide."""
    found = [mean_of(some) for some in (pair.given, pair.swapped) if some]
    return mean_of(found) if found else None


def _lean(right: Sequence[float], wrong: Sequence[float]) -> dict[str, Any]:
    if not right or not wrong:
        return _figure(None, len(right) + len(wrong), None, None)
    found = weighted_mean("", {"right": right, "wrong": wrong}, {"right": 1.0, "wrong": 1.0})
    return _figure(found.value, found.n, found.interval, permutation_test(right, [1 - one for one in wrong]))


def _figure(share: float | None, n: int, interval: tuple[float, float] | None, p: float | None) -> dict[str, Any]:
    """A lean from the share that it is twice the distance of from one half."""
    ends = None if interval is None else (max(-1.0, 2 * interval[0] - 1), min(1.0, 2 * interval[1] - 1))
    return {"value": None if share is None else 2 * share - 1, "n": n, "interval": ends, "p": None if share is None else p}


def permutation_test(one: Sequence[float], other: Sequence[float]) -> float:
    """The two-sided p-value that two samples have one distribution, from the difference of their means; its draws are seeded."""
    import numpy as np

    values, size = np.asarray([*one, *other], float), len(one)
    rng = np.random.default_rng(0)
    sums = rng.permuted(np.broadcast_to(values, (PERMUTATIONS, len(values))), axis=1)[:, :size].sum(axis=1)
    expected = values.mean() * size
    extreme = np.abs(sums - expected) >= abs(float(values[:size].sum()) - expected) - 1e-9
    return float((extreme.sum() + 1) / (PERMUTATIONS + 1))


def sign_flip_test(values: Sequence[float]) -> float:
    """The two-sided p-value that values lie as often so far above 0 as below it; its draws are seeded."""
    import numpy as np

    known = np.asarray(values, float)
    signs = np.random.default_rng(0).choice((-1.0, 1.0), size=(PERMUTATIONS, len(known)))
    extreme = np.abs(signs @ known) >= abs(float(known.sum())) - 1e-9
    return float((extreme.sum() + 1) / (PERMUTATIONS + 1))
