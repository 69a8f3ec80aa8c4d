"""Groups of answers of the embedded worlds, one right and the others wrong, and what a judge says of every pair of them, recorded once."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from without_labels_worlds import World

from adjudge import Judge, OpenJudge, Plugins, Problem, build_requests, held_out, sample_paths, validate, write_json
from adjudge_arithmetic import TEST_SHARE
from adjudge_judges import probability_of
from adjudge_worlds.code_world import CodeWorld
from adjudge_worlds.instructions_world import InstructionsWorld, breaking, parse
from adjudge_worlds.sums_world import SumsWorld

PLUGINS = Plugins.load(autoload=False)
LEVELS = (2, 3, 4)
"""Easier questions have too few different wrong answers."""
Share = tuple[float, float]
"""Of one judgement, in the order of the pair's answers: the points by its verdict, and the probability of *first*."""


def groups(world: World, count: int, size: int, seed: int, part: str = "test") -> list[Problem]:
    """Questions of a part, each with one right answer and otherwise different wrong ones, shuffled; the label is the right one."""
    rng = random.Random(f"groups {world.name} {seed}{'' if part == 'test' else f' {part}'}")
    made = made_of(world)
    found: list[Problem] = []
    while len(found) < count:
        question = made.draw(LEVELS[len(found) % len(LEVELS)], rng)
        if held_out(question.text, TEST_SHARE) != (part == "test"):
            continue
        answers = {question.right: None, question.wrong: None}
        for _ in range(50 * size):
            if len(answers) == size:
                break
            if (other := another(made, question.text, question.right, question.wrong, rng)) is not None:
                answers[other] = None
        texts = list(answers)
        rng.shuffle(texts)
        if len(texts) == size:
            found.append(Problem(f"{world.name}-{seed}-{len(found)}", question.text, tuple(texts), texts.index(question.right)))
    return found


def made_of(world: World) -> Any:
    """What draws a world's questions."""
    return {"sums": SumsWorld(), "code": CodeWorld(), "instructions": InstructionsWorld()}[world.name]


def another(made: Any, question: str, right: str, wrong: str, rng: random.Random) -> str | None:
    """One more wrong answer, as a slip would give it."""
    if isinstance(made, InstructionsWorld):
        changed = breaking(right.split(), parse(question), 1, rng)
        return None if changed is None else " ".join(changed)
    if isinstance(made, CodeWorld):
        result = made.work(question, (right, wrong), "usual", 0.3, rng)[0][-1].removeprefix("out ")
        return None if result == right else result
    digits = list(rng.choice((right, wrong)))  # a sum has fewer single slips than a group has answers
    place = rng.randrange(1, len(digits))
    digits[place] = str((int(digits[place]) + rng.choice((-1, 1))) % 10)
    return None if "".join(digits) == right else "".join(digits)


@dataclass(frozen=True)
class Table:
    """What a judge says of every pair of a group: for a pair of places (first, second), its judgements in both orders."""

    size: int
    right: int
    said: dict[tuple[int, int], list[Share]]

    def turned(self, first: int, second: int) -> list[Share]:
        """The judgements of a match, in the order of its slots."""
        if first < second:
            return self.said[first, second]
        return [(1 - points, 1 - share) for points, share in self.said[second, first]]


def tables(opened: OpenJudge, problems: Sequence[Problem], way: Any, votes: int) -> list[Table]:
    """All pairs of every group judged so often by this judge in its orders; an undecided judgement is half a point for either."""
    judge = validate(Judge, way, PLUGINS, "judge")
    pairs: dict[str, tuple[int, int, int]] = {}
    asked = []
    for number, group in enumerate(problems):
        for first in range(len(group.answers)):
            for second in range(first + 1, len(group.answers)):
                name = f"{group.id}-{first}-{second}"
                pairs[name] = (number, first, second)
                asked.append(Problem(name, group.prompt, (group.answers[first], group.answers[second])))
    found: list[dict[tuple[int, int], list[Share]]] = [{} for _ in problems]
    requests = build_requests(asked, judge, samples=votes, seed=opened.seed)
    made = {path.id: path for path in sample_paths(opened.session, judge, requests)}
    for request in requests:
        path, (number, first, second) = made[request.id], pairs[request.problem.id]
        points = path.outcome.points if path.outcome.decided else 0.5
        known = probability_of(path)
        found[number].setdefault((first, second), []).append((points, points if known is None else known))
    return [Table(len(group.answers), group.label or 0, said) for group, said in zip(problems, found, strict=True)]


def kept(file: Path, found: Callable[[], list[Table]]) -> list[Table]:
    """The tables in a file, made and written where there is none, so that other tournaments can be played on them later."""
    if not file.exists():
        rows = [[one.size, one.right, [[*pair, said] for pair, said in one.said.items()]] for one in found()]
        write_json(file, {"groups": rows})
    rows = json.loads(file.read_text(encoding="utf-8"))["groups"]
    return [Table(size, right, {(first, second): said for first, second, said in pairs}) for size, right, pairs in rows]


def together(table: Table, orders: bool) -> Table:
    """Several judgements of a pair as one: those of both orders, a tie where they disagree; or all, by their majority or share."""

    def one(said: Sequence[Share]) -> Share:
        points, share = fmean(points for points, _ in said), fmean(share for _, share in said)
        return (0.5 if points == 0.5 else float(points > 0.5), share if orders else points)

    def some(said: Sequence[Share]) -> list[Share]:
        return [one(said[start : start + 2]) for start in range(0, len(said), 2)] if orders else [one(said)]

    return Table(table.size, table.right, {pair: some(said) for pair, said in table.said.items()})
