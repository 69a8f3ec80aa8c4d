"""Groups of candidates to rank without a model: simulated skills, and real preferences and test results from ``../shared/data``."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench import ROOT

from adjudge import Match, Outcome

DATA = ROOT.parent / "shared" / "data"
SURE = 0.001
"""A recorded preference is taken as at least this far from certainty."""


@dataclass(frozen=True)
class Group:
    """Candidates of one question, with what is true about them."""

    name: str
    worth: tuple[float, ...]
    """What one wants most of, and loses by choosing wrongly."""
    skill: tuple[float, ...] | None = None
    """Skills in nats, the judge being a Bradley-Terry judge; None when it is right with a fixed probability instead."""
    right: float = 0.5
    """Without skills: how often the judge prefers the candidate of higher worth; between equals it tosses a coin."""

    def chance(self, one: int, other: int) -> float:
        """Probability that the judge prefers the one to the other."""
        if self.skill is not None:
            return 1 / (1 + math.exp(self.skill[other] - self.skill[one]))
        if self.worth[one] == self.worth[other]:
            return 0.5
        return self.right if self.worth[one] > self.worth[other] else 1 - self.right


class Judgements:
    """One group's verdicts: the k-th time a pair meets has the same outcome for every scheme, whoever asks and whenever."""

    def __init__(self, group: Group) -> None:
        self.group = group
        self.meetings: dict[tuple[int, int], int] = {}

    def __call__(self, one: int, other: int) -> Outcome:
        low, high = sorted((one, other))
        meeting = self.meetings[low, high] = self.meetings.get((low, high), -1) + 1
        drawn = random.Random(f"{self.group.name}/{low}/{high}/{meeting}").random()
        winner = low if drawn < self.group.chance(low, high) else high
        return Outcome.FIRST if winner == one else Outcome.SECOND


def simulated(scale: float, count: int, size: int = 16) -> list[Group]:
    """Skills from a normal distribution with this standard deviation in nats."""
    groups = []
    for number in range(count):
        name = f"bradley-terry-{scale:g}-{number}"
        rng = random.Random(name)
        skill = tuple(rng.gauss(0, scale) for _ in range(size))
        groups.append(Group(name, skill, skill))
    return groups


def rows(file: str) -> list[dict[str, Any]]:
    with (DATA / file).open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def gpt4_preferences() -> list[Group]:
    """Answers that GPT-4 compared with one reference answer: 11 of 16, the others' annotations being absent. Shuffled, because a
    higher index is a longer answer. The judge prefers by Bradley-Terry, each answer as skilled as its recorded odds."""
    groups = []
    for row in rows("reward_bench/derived_bon16_first200.jsonl"):
        chances = [min(1 - SURE, max(SURE, value - 1)) for value in row["gpt4t_pref"] if value is not None]
        random.Random(row["id"]).shuffle(chances)
        skill = tuple(math.log(chance / (1 - chance)) for chance in chances)
        groups.append(Group(f"reward-bench-{row['id']}", tuple(chances), skill))
    return groups


def programs(right: float, count: int) -> list[Group]:
    """A hundred programs each, with at least one that passes its tests and one that does not."""
    found = []
    for row in rows("humaneval_bo100/derived_pass_matrix.jsonl"):
        if 0 < sum(row["pass"]) < len(row["pass"]):
            found.append(Group(f"humaneval-{right}-{row['i']}", tuple(map(float, row["pass"])), None, right))
    return random.Random(0).sample(found, min(count, len(found)))


def solutions(right: float) -> list[Group]:
    """Four models' solutions of a question, some of them right and some wrong."""
    models = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")
    found = []
    for number, row in enumerate(rows("gsm8k_solutions/sample.jsonl")):
        correct = tuple(float(row[model]["is_correct"]) for model in models)
        if len(set(correct)) > 1:
            found.append(Group(f"gsm8k-{right}-{number}", correct, None, right))
    return found


def panel_votes(prefix: str = "") -> list[tuple[int, list[int]]]:
    """LLMBar's 419 pairs: the label, and the votes of all its judges (of those whose name starts so), both orders, each 0 or 1."""
    found = []
    for row in rows("llmbar/derived_votes_panel.jsonl"):
        votes = [int(vote) - 1 for judge, cast in row["votes"].items() if judge.startswith(prefix) for vote in cast if vote]
        if len(row["votes"]) == 65:
            found.append((int(row["label"]) - 1, votes))
    return found


def results_of(played: Sequence[Match], group: Group) -> list[tuple[Match, Outcome]]:
    """The same matches with their outcomes, as they went."""
    judge = Judgements(group)
    return [(match, judge(match.first, match.second)) for match in played]
