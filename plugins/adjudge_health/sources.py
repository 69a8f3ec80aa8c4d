"""Where ``adjudge health`` has its judgements from: a model that is asked now, attacks included, or records of earlier judgements."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from adjudge import (
    Completion,
    ConfigError,
    Dataset,
    Engine,
    Judge,
    JudgeRequest,
    Metrics,
    Options,
    Order,
    Outcome,
    Plugins,
    Probe,
    Problem,
    ReasoningPath,
    RecordSequence,
    Verdict,
    build_requests,
    check_pairs,
    dump,
    override,
    sample_paths,
    validate,
)  # fmt: skip
from adjudge_benchmarks import Benchmark, Judgement, evenly, join, loaded, read_recorded, recordings
from adjudge_data import problems_of
from adjudge_judge_commands import AT_ONCE, answered_by, configured, data_set, judged_records, keep, opened

from .report import report_on, requests_of

if TYPE_CHECKING:
    from adjudge_plan import Rates

HELD_OUT = {"use": "arithmetic", "part": "test", "size": 200}
"""What the embedded judge, and a judge trained from it, is asked about when nothing else is said."""


class Recorded(Options):
    """The pairs that records are about, and the probes that report on them."""

    data: Dataset
    probes: dict[str, Probe]


class HealthConfig(Recorded):
    """A judge to be reported on, the pairs that it is asked about, and the probes."""

    model: str
    judge: Judge
    engine: Engine
    seed: Annotated[int, Field(ge=0)] = 0
    limit: Annotated[int, Field(gt=0)] | None = None


def installed_probes(attacked: int | None = None) -> dict[str, Any]:
    """All installed probes as they would stand in a run file, those that attack with as many pairs."""
    entries = Plugins.load().of_kind(Probe).items()
    said = {} if attacked is None else {"attacked": attacked}
    return {name: {"use": name, **(said if "attacked" in entry.cls.model_fields else {})} for name, entry in entries}


def config_of(
    model: str,
    *,
    data: str | None,
    engine: str,
    sets: Sequence[str] | None,
    seed: int,
    attacked: int,
    judge: str | None = None,
    limit: int | None = None,
) -> tuple[HealthConfig, FilePath]:
    """The configuration, its judge asking in both orders; the held-out sums only where the judge can read them."""
    more = {"data": HELD_OUT if data is None else data_set(data), "probes": installed_probes(attacked), "limit": limit}
    config, folder = configured(HealthConfig, model=model, engine=engine, order="both", judge=judge, sets=sets, seed=seed, more=more)
    if data is None and config.data.use == HELD_OUT["use"] and not _reads_sums(config.judge):
        raise ConfigError(
            f"--data: say which pairs the judge {config.judge.use!r} is to be asked about.\n"
            "  Remedy: for example --data '{use: preference, file: pairs.jsonl}'"
        )
    return config, folder


def _reads_sums(judge: Judge) -> bool:
    """Whether it asks in the embedded judge's way, by itself or through all the judges inside."""
    inner = getattr(judge, "inner", None)
    return judge.use == HELD_OUT["use"] if inner is None else all(map(_reads_sums, inner()))


@dataclass(frozen=True, slots=True)
class Asked:
    """What a report asks a judge: the pairs as they are, and what each probe wants judged besides."""

    config: HealthConfig
    samples: int
    problems: Sequence[Problem]
    own: dict[str, list[JudgeRequest]]

    @classmethod
    def of(cls, config: HealthConfig, samples: int) -> Asked:
        problems = evenly(_pairs(config.data), config.limit)
        return cls(config, samples, problems, requests_of(list(config.probes.values()), problems, config.judge, config.seed))

    def plain(self) -> Iterator[JudgeRequest]:
        """Those about the pairs as they are, problem by problem."""
        for problem in self.problems:
            judge, seed = self.config.judge, self.config.seed
            yield from build_requests([problem], judge, samples=self.samples, seed=seed, purpose="health")

    def requests(self) -> Iterator[JudgeRequest]:
        """All of them together, so that the engine stays full."""
        return chain(self.plain(), *self.own.values())


def show_plan(config: HealthConfig, folder: FilePath, samples: int, rates: Rates, *, as_json: bool) -> None:
    """Print what a report would ask."""
    from adjudge_plan import show_call_plan

    asked = Asked.of(config, samples)
    each = config.judge.model_copy(update={"order": "fixed"})  # a request is one judgement in one order
    facts = {"data": config.data.use, "pairs": len(asked.problems), "samples": samples}
    problems = [request.problem for request in {one.id: one for one in asked.requests()}.values()]
    show_call_plan(problems, each, config.engine, folder, rates, as_json=as_json, seed=config.seed, facts=facts)


def of_model(config: HealthConfig, folder: FilePath, *, samples: int, cache: bool, out: FilePath | None = None) -> Metrics:
    """The report on judgements that are made now; in the folder `out` they are kept, and those that are there are not made again."""
    asked, probes = Asked.of(config, samples), list(config.probes.values())
    model = answered_by(config.engine, config.model)
    spec = {"model": model, "judge": dump(config.judge), "data": dump(config.data), "seed": config.seed}
    with judged_records(out, "judgements", config, folder, asked.problems) as records:
        with opened(config, folder, cache=cache) as judge:
            at_once, left = sys.maxsize if config.engine.asked_whole() else AT_ONCE, asked.requests()
            while some := {request.id: request for request in islice(left, at_once)}:
                missing = [request for ident, request in some.items() if ident not in records.ids]
                for path in sample_paths(judge.session, judge.options, missing):
                    keep(records, some[path.id].problem, path)
        plain = RecordSequence(records, ReasoningPath, (request.id for request in asked.plain()))
        own = {name: RecordSequence(records, ReasoningPath, (one.id for one in of_one)) for name, of_one in asked.own.items()}
        return {**spec, **report_on(asked.problems, plain, probes, own)}


def of_records(data: str | None, patterns: Sequence[str], sets: Sequence[str] | None, limit: int | None = None) -> Metrics:
    """What was recorded about a data set's pairs, as its authors record it where it is a benchmark, or as adjudge does."""
    if data is None:
        raise ConfigError("--replay: it is not said which pairs were judged.\n  Remedy: name their data set with --data.")
    given = override({"data": data_set(data), "probes": installed_probes()}, sets or ())
    config = validate(Recorded, given, Plugins.load(), "the call")
    reader = config.data if isinstance(config.data, Benchmark) else Benchmark(use="recorded")
    files = recordings(patterns)
    found = loaded(config.data) if isinstance(config.data, Benchmark) else None
    pairs = evenly(_pairs(config.data) if found is None else _checked(found.problems), limit)
    judged, unmatched = join(pairs, read_recorded(reader, files, [] if found is None else found.everything))
    judged = [item for item in judged if item.judgements]
    if not judged:
        raise ConfigError("--replay: no record is a judgement of a pair of --data.\n  Remedy: check that data and records belong together.")
    paths = [path_of(one) for item in judged for one in item.judgements]
    spec = {"model": None, "judge": None, "data": dump(config.data), "replay": [str(one.file) for one in files]}
    report = report_on([item.problem for item in judged], paths, list(config.probes.values()))
    return {**spec, "unmatched_records": unmatched, **report}


def path_of(one: Judgement) -> ReasoningPath:
    """A recorded judgement of a pair as a path; of its tokens only the number is known."""
    swapped: Mapping[Order, Order] = {"given": "swapped", "swapped": "given"}
    outcome, order = (one.outcome, one.order) if one.first == 0 else (one.outcome.mirrored, swapped[one.order])
    error = (one.error or "it failed") if outcome == Outcome.FAILED else None
    verdict = Verdict(outcome.mirrored if order == "swapped" else outcome)
    return ReasoningPath(one.key, one.problem_id, order, one.index, Completion(one.text, (0,) * (one.tokens or 0), error=error), verdict)


def _pairs(data: Dataset) -> Sequence[Problem]:
    return _checked(problems_of(data, "data"))


def _checked(problems: Sequence[Problem]) -> Sequence[Problem]:
    check_pairs(problems, "data", labelled=False)
    return problems
