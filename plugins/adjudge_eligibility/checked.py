"""What any eligibility rule says of a pool, checked where it comes out of its plugin, and mistakes told before anything is sampled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from adjudge import ConfigError, Eligibility, Judge, PluginError, Problem, ReasoningPath, Session, boundary
from adjudge_rstar import ScoringSession

from .combined import Combined
from .majorities import BothOrders


def eligible_paths(
    rule: Eligibility, problems: Mapping[str, Problem], paths: Sequence[ReasoningPath], session: Session, judge: Judge
) -> list[bool]:
    """For each path of a pool, in order, whether it may be chosen. `problems` are those of the pool by their ids."""
    asked: Any = ScoringSession(session, judge, paths)
    with boundary(rule, "eligible"):
        told = list(rule.eligible(problems, paths, asked))
    if len(told) != len(paths) or not all(type(one) is bool for one in told):
        raise PluginError(
            f"eligibility rule {rule.use!r} ({type(rule).__module__}.{type(rule).__qualname__}) returned {len(told)} answers for"
            f" {len(paths)} paths, or some that are neither True nor False.\n  Remedy: return True or False for every path, in order."
        )
    return told


def check_orders(rule: Eligibility, judge: Judge, field: str) -> None:
    """Raise `ConfigError` where a rule compares both orders and the judge is shown one."""
    for one in _within(rule):
        if isinstance(one, BothOrders) and judge.order == "fixed":
            raise ConfigError(
                f"{field}: {one.use!r} compares what is said in both orders, and the judge is shown every pair as given.\n"
                "  Remedy: write judge.order: both (or random), or take another eligibility rule."
            )


def _within(rule: Eligibility) -> Iterator[Eligibility]:
    """The rule, and those that it joins."""
    yield rule
    for inner in rule.rules if isinstance(rule, Combined) else ():
        yield from _within(inner)
