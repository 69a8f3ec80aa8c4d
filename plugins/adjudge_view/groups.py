"""Groups of completions that were rewarded together: rollouts of a judge, answers of a policy, and what ``adjudge serve --state`` keeps."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from statistics import fmean
from typing import Any

from .reading import short
from .texts import Texts

Place = tuple[int, int, int]
SAME = 1e-9
"""Rewards that differ by less are equal."""


@dataclass
class Group:
    """One group, and where its members stand."""

    id: str
    stage: str
    step: int | None
    problem: str | None
    prompt: str
    rewards: list[float | None] = field(default_factory=list)
    right: list[bool | None] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)
    size: int | None = None
    """How many were to come; None = as many as came."""

    @property
    def known(self) -> list[float]:
        return [reward for reward in self.rewards if reward is not None]

    def light(self) -> dict[str, Any]:
        known, labelled = self.known, [one for one in self.right if one is not None]
        return {
            "id": self.id, "stage": self.stage, "step": self.step, "problem": self.problem, "prompt": short(self.prompt),
            "size": self.size or len(self.rewards), "reward": self.reward,
            "low": min(known, default=None), "high": max(known, default=None), "spread": self.spread,
            "undecided": len(self.rewards) - len(known), "right": sum(labelled) if labelled else None, "skipped": self.skipped,
        }  # fmt: skip

    @property
    def reward(self) -> float | None:
        """The mean of those that are known."""
        known = self.known
        return sum(known) / len(known) if known else None

    @property
    def spread(self) -> float | None:
        """The standard deviation of those that are known."""
        known, mean = self.known, self.reward
        return None if mean is None else math.sqrt(sum((one - mean) ** 2 for one in known) / len(known))

    @property
    def skipped(self) -> bool:
        """Whether it teaches nothing, as all its rewards are equal."""
        known = self.known
        return len(known) < 2 or max(known) - min(known) < SAME


class GroupIndex:
    """Groups by their ids, in the order in which they began."""

    def __init__(self) -> None:
        self.groups: dict[str, Group] = {}
        self._texts, self._owners = Texts(), list[str]()

    def with_words(self, words: str) -> set[str]:
        """The ids of the groups that have these words in their prompt or in a completion, in any case."""
        return {self._owners[number] for number in self._texts.search(words).nonzero()[0].tolist()}

    def add(self, file: str, stage: str, row: Mapping[str, Any], place: Place) -> None:
        """Count a rollout of a judge, or an answer of a policy."""
        step, problem, order = row.get("step"), str(row.get("problem_id")), row.get("order")
        ident = f"{file}/{step}/{problem}{f'-{order}' if order else ''}"  # a step may have a problem in both orders, as two groups
        group = self.groups.get(ident)
        if group is None:
            group = self.groups[ident] = Group(ident, stage, step, problem, short(str(row.get("prompt", "")), 400))
        self._owners.append(ident)
        self._texts.add(f"{row.get('prompt', '')}\n{row.get('text', '')}")
        group.rewards.append(row.get("reward"))
        group.right.append(row.get("right"))
        group.places.append(place)


def advantage(reward: float | None, known: list[float]) -> float | None:
    """How much better than the mean of its group; None for what is undecided."""
    return None if reward is None else reward - fmean(known)


def member(row: Mapping[str, Any], known: list[float], ident: str | None) -> dict[str, Any]:
    """A rollout or an answer as a member of its group."""
    reward = row.get("reward")
    return {
        "id": ident, "text": str(row.get("text", "")), "reward": reward, "absolute": row.get("absolute"),
        "advantage": advantage(reward, known), "parts": row.get("parts") or {}, "right": row.get("right"), "tokens": row.get("tokens"),
        "outcome": row.get("outcome"), "order": row.get("order"), "reason": row.get("reason") or "",
    }  # fmt: skip


def served_groups(file: FilePath) -> tuple[list[Group], dict[str, list[dict[str, Any]]]]:
    """The groups that a server keeps in this file, and the members of each. Raises `sqlite3.Error`, also while a server uses it."""
    disk = sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=1)
    try:
        found = [
            Group(f"groups/{ident}", "served", None, None, str(prompt), size=size)
            for ident, size, prompt in disk.execute("SELECT id, size, prompt FROM groups ORDER BY id")
        ]
        members: dict[str, list[dict[str, Any]]] = {group.id: [] for group in found}
        rows = disk.execute('SELECT "group", text, value, absolute, reason, judged, tokens FROM completions ORDER BY "group", number')
        for ident, text, value, absolute, reason, judged, tokens in rows:
            why = reason or ("" if judged else "not judged yet")
            row = {"text": text, "reward": value, "absolute": absolute, "reason": why, "tokens": round(tokens) if tokens else None}
            members.setdefault(f"groups/{ident}", []).append(row)
    finally:
        disk.close()
    for group in found:
        group.rewards = [row["reward"] for row in members[group.id]]
        group.right = [None] * len(group.rewards)
    return found, members
