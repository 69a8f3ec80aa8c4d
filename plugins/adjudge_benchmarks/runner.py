"""Judges the problems of a benchmark and scores recorded judgements.

Judging and scoring are two steps. The first writes one line per judgement (`Judgement`) or per problem (`Scores`, of a model that gives
every answer a number); the second reads such lines, whoever made them, so another metric later needs no model.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import islice
from typing import Any

from adjudge import (
    ConfigError,
    DataError,
    Judge,
    Match,
    Metrics,
    Outcome,
    Problem,
    ReasoningPath,
    Records,
    Session,
    boundary,
    build_requests,
    consistency,
    count_requests,
    mean_tokens,
    outcome_rates,
    sample_paths,
    succeeded,
)  # fmt: skip
from adjudge_figures import Unit, cohen_kappa, joined, unit

from .benchmark import Benchmark
from .judgements import Judged, Judgement, Scores, TextsLeftOut, tokens_of
from .statistics import Metric

# Judging ------------------------------------------------------------------------------------------------------------------


def judge_problems(
    benchmark: Benchmark, problems: Iterable[Problem], judge: Judge, session: Session, records: Records, *, seed: int = 0,
    at_once: int = sys.maxsize,
) -> None:  # fmt: skip
    """Ask about every pair of every problem, so many judgements at once, and record each as it finishes; those recorded before are not
    made again, but for failed calls."""
    records.keep(succeeded)
    pairs = ((problem.pair(match.first, match.second), problem, match) for problem in problems for match in benchmark.pairs(problem))
    while some := {pair.id: (pair, problem, match) for pair, problem, match in islice(pairs, at_once // count_requests(1, judge))}:
        requests = build_requests([pair for pair, _, _ in some.values()], judge, seed=seed, purpose="bench")
        for path in sample_paths(session, judge, [request for request in requests if request.id not in records.ids]):
            pair, problem, match = some[path.problem_id]
            records.append(_record(path, pair, problem, match, benchmark.better(problem, match)))


def _record(path: ReasoningPath, pair: Problem, problem: Problem, match: Match, right: Outcome | None) -> Judgement:
    """A judgement with all that it was about, so that a reader of the records needs nothing else."""
    made, answers = path.completion, pair.answers
    shown = answers if path.order == "given" else answers[::-1]
    return Judgement(
        problem.id, path.outcome, match.first, match.second, path.order, path.index, made.text, tokens_of(made), made.error, path.id,
        problem.prompt, shown, None if right is None else right.value,
    )  # fmt: skip


# Scoring ------------------------------------------------------------------------------------------------------------------


def join(problems: Sequence[Problem], said: Iterable[Judgement | Scores], *, texts: bool = True) -> tuple[list[Judged], int]:
    """Every problem with what was said about it, and how many records are about none of them; without `texts`, these are not held."""
    shorter = TextsLeftOut()
    held = list(problems if texts else map(shorter.problem, problems))
    sizes = {problem.id: len(problem.answers) for problem in held}
    judgements: dict[str, tuple[Judgement, ...]] = {}
    scores: dict[str, tuple[float, ...]] = {}
    unmatched = 0
    for one in said:
        if one.problem_id not in sizes:
            unmatched += 1
        elif isinstance(one, Scores):
            _check_answers(one.problem_id, len(one.scores) == sizes[one.problem_id], f"{len(one.scores)} scores", sizes)
            scores[one.problem_id] = one.scores
        else:
            legal = 0 <= min(one.first, one.second) < max(one.first, one.second) < sizes[one.problem_id]
            _check_answers(one.problem_id, legal, f"a judgement of answers {one.first} and {one.second}", sizes)
            judgements[one.problem_id] = (*judgements.get(one.problem_id, ()), one if texts else shorter.judgement(one))
    return [Judged(problem, judgements.get(problem.id, ()), scores.get(problem.id)) for problem in held], unmatched


def _check_answers(problem: str, legal: bool, found: str, sizes: Mapping[str, int]) -> None:
    if not legal:
        raise DataError(
            f"the records have {found} for problem {problem}, which has {sizes[problem]} answers.\n"
            "  Remedy: score records of this very data set; --export writes its problems."
        )


def score_records(benchmark: Benchmark, problems: Sequence[Problem], said: Iterable[Judgement | Scores]) -> Metrics:
    """The benchmark's figures, each with n, interval and whether it is official, and beside them coverage and outcome rates."""
    everything, unmatched = join(problems, said, texts=benchmark.reads_texts)
    if not any(one.judgements or one.scores for one in everything):
        raise ConfigError(
            "none of the records is about a problem of this data set.\n  Remedy: check that data and records belong together."
        )
    judged, outcomes, units = list[Judged](), Counter[Outcome](), Counter[Unit]()

    def samples() -> Iterator[tuple[Outcome, ...]]:
        for problem, one in zip(problems, everything, strict=True):
            matches = list(dict.fromkeys(benchmark.pairs(problem)))
            if _answered(one, matches):
                judged.append(one)
                units.update(_units(benchmark, problem, one, matches))
            for match in matches:
                for sample in one.samples(match.first, match.second):
                    outcomes.update(sample)
                    yield sample

    agreement = consistency(samples())
    with boundary(benchmark, "score"):
        figures = list(benchmark.score(judged))
    groups = _coverage(benchmark, everything, judged, figures)
    returned = (one for item in everything for one in item.judgements if one.outcome != Outcome.FAILED)
    return {
        "figures": [_told(figure, groups) for figure in figures],
        "groups": groups,
        "problems": len(judged),
        "judgements": outcomes.total(),
        "outcomes": outcome_rates(outcomes),
        "consistency": agreement,
        "kappa": cohen_kappa(units),
        "mean_tokens": mean_tokens(one.tokens or 0 for one in returned),
        "unmatched_records": unmatched,
    }


def _units(benchmark: Benchmark, problem: Problem, one: Judged, matches: Sequence[Match]) -> list[Unit]:
    """A problem as an item for κ, from all samples of those of its pairs of which the data say what is right."""
    known = [(match, right) for match in matches if (right := benchmark.better(problem, match)) is not None]
    return joined(unit(right, said) for match, right in known for said in one.samples(match.first, match.second))


def _answered(one: Judged, matches: Sequence[Match]) -> bool:
    """Whether a problem can be scored: every answer has a number, or every pair a judgement and no call about it failed."""
    if one.scores is not None:
        return True
    said = [one.outcomes(match.first, match.second) for match in matches]
    return bool(said) and all(outcomes and Outcome.FAILED not in outcomes for outcomes in said)


def _coverage(
    benchmark: Benchmark, everything: Sequence[Judged], judged: Sequence[Judged], figures: Sequence[Metric]
) -> dict[str, dict[str, Any]]:
    """For every group: problems judged in full, and how many there are when it is complete.

    A group that a figure rests on is there too when none of its problems is, as where only a part of the benchmark was judged.
    """
    done, there = Counter(one.group for one in judged), Counter(one.group for one in everything)
    sizes = benchmark.sizes()
    full: Mapping[str, int | None] = sizes or there
    named = {group for figure in figures for group in figure.groups}
    return {group: {"judged": done[group], "of": full.get(group)} for group in sorted({*full, *there, *named})}


def _told(figure: Metric, groups: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """A figure as it is written down: official only when every group it rests on is complete."""
    rests_on = figure.groups or tuple(groups)
    missing = [group for group in rests_on if groups[group]["judged"] != groups[group]["of"]]
    return {**asdict(figure), "groups": list(rests_on), "official": not missing, "incomplete_groups": missing}


def exported(problems: Iterable[Problem]) -> Iterator[dict[str, Any]]:
    """Problems as rows to which another program adds `scores` or an `outcome`."""
    return ({"problem_id": problem.id, "prompt": problem.prompt, "answers": list(problem.answers)} for problem in problems)
