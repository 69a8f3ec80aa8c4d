"""What a judge made of judges can learn from pairs: margins of a cascade, weights of a panel, the temperature of probabilities."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from adjudge import ConfigError, Judge, JudgeRequest, Outcome, Problem, ReasoningPath, Session, build_requests, came_back, wilson
from adjudge_judges import tokens_spent

from .agreement import dawid_skene, krippendorff_alpha, weights_of
from .calibration import brier, calibration_error, fit_temperature, forecasts
from .cascade import Cascade
from .direct import Direct
from .inner_judges import calibrated
from .margins import Judged, decider, fit_margins, outcome_of
from .member import Member, named
from .panel import Panel
from .samples import samples_of, share_of
from .soft import Soft


def fit(
    judge: Judge,
    problems: Sequence[Problem],
    session: Session,
    *,
    seed: int = 0,
    accuracy: float | None = None,
    tokens: float | None = None,
) -> dict[str, Any]:
    """The options to set, under ``options``, and what was seen; a panel needs no labels, and a cascade no pairs of which a call failed.

    Raises `ConfigError` for any other judge, and where nothing is left to learn from."""
    if isinstance(judge, Panel):
        return _panel(judge, _asked(judge, judge.judges, problems, session, seed), problems)
    labelled = [problem for problem in problems if problem.label is not None]
    if not labelled:
        raise ConfigError("adjudge fit: no pair has a label.\n  Remedy: give labelled pairs; only a panel is fitted without them.")
    if isinstance(judge, Cascade):
        return _cascade(judge, _asked(judge, judge.judges, labelled, session, seed), labelled, accuracy, tokens)
    if isinstance(judge, Direct | Soft):
        raw = judge.model_copy(update={"calibration": 1.0})
        return _temperature(list(raw.paths(session, build_requests(labelled, judge, seed=seed))), labelled)
    raise ConfigError(
        f"adjudge fit: judge {judge.use!r} has nothing to fit.\n  Remedy: name direct, soft, cascade or panel, for example"
        " --judge '{use: direct, judge: rrm}'."
    )


def _asked(
    judge: Judge, members: Sequence[Member], problems: Sequence[Problem], session: Session, seed: int
) -> list[list[list[ReasoningPath]]]:
    """For every sample, the judgements of every member."""
    requests = build_requests(problems, judge, seed=seed)
    made = [{path.id: path for path in member.paths(session, requests)} for member in members]
    return [[[paths[one.id] for one in sample] for paths in made] for sample in _samples(requests)]


def _samples(requests: Sequence[JudgeRequest]) -> list[list[JudgeRequest]]:
    return samples_of(requests)


def _cascade(
    judge: Cascade, asked: Sequence[Sequence[Sequence[ReasoningPath]]], problems: Sequence[Problem],
    accuracy: float | None, tokens: float | None,
) -> dict[str, Any]:  # fmt: skip
    by_id = {problem.id: problem for problem in problems}
    asked = [members for members in asked if all(came_back(path.outcome for path in sample) for sample in members)]
    if not asked:
        raise ConfigError("adjudge fit: of every pair a call failed.\n  Remedy: see with 'adjudge judge' what became of them.")
    samples = []
    for members in asked:
        shares = [share_of(sample) for sample in members]
        samples.append(
            Judged(
                tuple(None if share is None else abs(share - 0.5) for share in shares),
                tuple(all(path.right(by_id[path.problem_id]) for path in sample) for sample in members),
                tuple(sum(map(tokens_spent, sample)) for sample in members),
            )
        )
    found = fit_margins(samples, accuracy=accuracy, tokens=tokens)
    deciders = [decider(one, found.margins) for one in samples]
    n, last = len(samples), outcome_of(samples, [1.0] * (len(judge.judges) - 1))
    return {
        "options": {"margin": list(found.margins)},
        "n": n,
        "accuracy": found.accuracy,
        "interval": wilson(found.accuracy * n, n),
        "kappa": _kappa((members[place] for members, place in zip(asked, deciders, strict=True)), by_id),
        "tokens": found.tokens,
        "asked": dict(zip(named(judge.judges), found.asked, strict=True)),
        "last_judge_alone": {
            "accuracy": last.accuracy,
            "kappa": _kappa((members[-1] for members in asked), by_id),
            "tokens": sum(one.tokens[-1] for one in samples) / n,
        },
    }


def _kappa(samples: Iterable[Sequence[ReasoningPath]], problems: Mapping[str, Problem]) -> dict[str, Any]:
    """Cohen's κ with the labels, which no accuracy stands without."""
    from adjudge_figures import cohen_kappa, sample_unit

    return cohen_kappa(found for sample in samples if (found := sample_unit(problems[sample[0].problem_id], sample)))


def _panel(judge: Panel, asked: Sequence[Sequence[Sequence[ReasoningPath]]], problems: Sequence[Problem]) -> dict[str, Any]:
    votes = [[_vote(sample) for sample in members] for members in asked]
    right = dawid_skene(votes)
    names = named(judge.judges)
    by_id = {problem.id: problem for problem in problems}
    ids = [members[0][0].problem_id for members in asked]
    known = {
        name: [
            vote.points == 1 - label
            for one, ident in zip(votes, ids, strict=True)
            if (vote := one[place]) and (label := by_id[ident].label) is not None
        ]
        for place, name in enumerate(names)
    }
    return {
        "options": {"weights": weights_of(right)},
        "n": len(votes),
        "alpha": krippendorff_alpha(votes),
        "right_by_dawid_skene": dict(zip(names, right, strict=True)),
        "right_by_labels": {name: sum(marks) / len(marks) for name, marks in known.items() if marks},
        "kappa_by_labels": {
            name: _kappa((members[place] for members, vote in zip(asked, votes, strict=True) if vote[place]), by_id)
            for place, name in enumerate(names)
            if known[name]
        },
    }


def _vote(sample: Sequence[ReasoningPath]) -> Outcome | None:
    """What one judge says of a pair; a tie where its orders disagree, None where it decides nothing."""
    outcomes = {path.outcome for path in sample}
    if not all(outcome.decided for outcome in outcomes):
        return None
    return outcomes.pop() if len(outcomes) == 1 else Outcome.TIE


def _temperature(paths: Sequence[ReasoningPath], problems: Sequence[Problem]) -> dict[str, Any]:
    made = forecasts(problems, paths)
    if not made:
        raise ConfigError("adjudge fit: no judgement tells a probability.\n  Remedy: see with 'adjudge judge' what became of them.")
    temperature = fit_temperature(made)
    mended = [(calibrated(share, temperature), first) for share, first in made]
    return {
        "options": {"calibration": temperature},
        "n": len(made),
        "before": {"brier": brier(made), "calibration_error": calibration_error(made)},
        "after": {"brier": brier(mended), "calibration_error": calibration_error(mended)},
    }
