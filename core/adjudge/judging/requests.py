"""Which judgements are asked for: problems that a judge can take, their orders, and a seed for each."""

from collections.abc import Iterable, Sequence

from adjudge.api.kinds import Judge
from adjudge.api.options import dump
from adjudge.api.values import Json, JudgeRequest, Order, Problem, coin, stable_id, stable_seed
from adjudge.errors import ConfigError


def check_pairs(problems: Sequence[Problem], where: str, *, labelled: bool) -> None:
    """Raise `ConfigError` unless every problem has an id of its own, two answers and, where asked for, a label."""
    seen: set[str] = set()
    for problem in problems:
        if problem.id in seen:
            raise ConfigError(f"{where}: two problems have the id {problem.id!r}.\n  Remedy: give every problem an id of its own.")
        seen.add(problem.id)
        if len(problem.answers) != 2 or problem.label not in (None, 0, 1):
            raise ConfigError(
                f"{where}: problem {problem.id} has {len(problem.answers)} answers and the label {problem.label}; a judge takes two"
                " answers.\n  Remedy: leave it out, or rank its answers with 'adjudge rank'."
            )
        if labelled and problem.label is None:
            raise ConfigError(
                f"{where}: problem {problem.id} has no label, so nothing can be right about it.\n  Remedy: label it, leave it out,"
                " or choose paths without labels in every stage, for example by eligible: majority (docs/choosing-paths.md)."
            )


def build_requests(problems: Iterable[Problem], judge: Judge, *, samples: int = 1, seed: int = 0, purpose: Json = "") -> list[JudgeRequest]:
    """Every judgement of these problems under the judge's order policy, with ids that depend on inputs, options and seed."""
    options = dump(judge)
    requests = []
    for problem in problems:
        key = [problem.id, problem.prompt, problem.answers, options, seed, purpose]
        for index in range(samples):
            for order in _orders(judge, coin("order", *key, index)):
                ident = stable_id(*key, order, index)
                requests.append(JudgeRequest(ident, stable_seed("sample", ident), problem, order, index))
    return requests


def count_requests(problems: int, judge: Judge, samples: int = 1) -> int:
    """How many judgements so many problems take under the judge's order policy."""
    return problems * samples * (2 if judge.order == "both" else 1)


def _orders(judge: Judge, swapped: bool) -> tuple[Order, ...]:
    chance: Order = "swapped" if swapped else "given"
    return {"both": ("given", "swapped"), "random": (chance,), "fixed": ("given",)}[judge.order]
