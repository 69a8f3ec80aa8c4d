"""Where ``adjudge health`` has its judgements from: a model that is asked now, attacks included, or records of earlier judgements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path as FilePath
from typing import Annotated, Any

from pydantic import Field

from adjudge import (
    Completion,
    ConfigError,
    Dataset,
    Engine,
    Judge,
    Metrics,
    Options,
    Order,
    Outcome,
    Plugins,
    Probe,
    Problem,
    ReasoningPath,
    Verdict,
    boundary,
    build_requests,
    check_pairs,
    dump,
    not_empty,
    override,
    sample_paths,
    validate,
)  # fmt: skip
from adjudge_benchmarks import Benchmark, Judgement, join, read_recorded
from adjudge_judge_commands import configured, from_yaml, opened

from .report import report_on, requests_of

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


def installed_probes(attacked: int | None = None) -> dict[str, Any]:
    """All installed probes as they would stand in a run file, those that attack with as many pairs."""
    entries = Plugins.load().of_kind(Probe).items()
    said = {} if attacked is None else {"attacked": attacked}
    return {name: {"use": name, **(said if "attacked" in entry.cls.model_fields else {})} for name, entry in entries}


def config_of(
    model: str, *, data: str | None, engine: str, sets: Sequence[str] | None, seed: int, attacked: int
) -> tuple[HealthConfig, FilePath]:
    """The configuration, its judge asking in both orders; the held-out sums only where the judge can read them."""
    more = {"data": HELD_OUT if data is None else from_yaml("--data", data), "probes": installed_probes(attacked)}
    config, folder = configured(HealthConfig, model=model, engine=engine, order="both", sets=sets, seed=seed, more=more)
    if data is None and config.data.use == HELD_OUT["use"] != config.judge.use:
        raise ConfigError(
            f"--data: say which pairs the judge {config.judge.use!r} is to be asked about.\n"
            "  Remedy: for example --data '{use: preference, file: pairs.jsonl}'"
        )
    return config, folder


def of_model(config: HealthConfig, folder: FilePath, *, samples: int, cache: bool) -> Metrics:
    """Pairs and what probes ask for go to the engine together, so that it stays full."""
    problems, probes = _pairs(config.data), list(config.probes.values())
    plain = build_requests(problems, config.judge, samples=samples, seed=config.seed, purpose="health")
    asked = requests_of(probes, problems, config.judge, config.seed)
    requests = {request.id: request for request in (*plain, *(request for of_one in asked.values() for request in of_one))}
    with opened(config, folder, cache=cache) as judge:
        made = {path.id: path for path in sample_paths(judge.session, judge.options, list(requests.values()))}
    own = {name: [made[request.id] for request in of_one] for name, of_one in asked.items()}
    spec = {"model": config.model, "judge": dump(config.judge), "data": dump(config.data), "seed": config.seed}
    return {**spec, **report_on(problems, [made[request.id] for request in plain], probes, own)}


def of_records(data: str | None, files: Sequence[FilePath], sets: Sequence[str] | None) -> Metrics:
    """What was recorded about a data set's pairs, as its authors record it where it is a benchmark, or as adjudge does."""
    if data is None:
        raise ConfigError("--replay: it is not said which pairs were judged.\n  Remedy: name their data set with --data.")
    given = override({"data": from_yaml("--data", data), "probes": installed_probes()}, sets or ())
    config = validate(Recorded, given, Plugins.load(), "the call")
    reader = config.data if isinstance(config.data, Benchmark) else Benchmark(use="recorded")
    judged, unmatched = join(_pairs(config.data), read_recorded(reader, files))
    judged = [item for item in judged if item.judgements]
    if not judged:
        raise ConfigError("--replay: no record is a judgement of a pair of --data.\n  Remedy: check that data and records belong together.")
    paths = [path_of(one) for item in judged for one in item.judgements]
    spec = {"model": None, "judge": None, "data": dump(config.data), "replay": [str(file) for file in files]}
    report = report_on([item.problem for item in judged], paths, list(config.probes.values()))
    return {**spec, "unmatched_records": unmatched, **report}


def path_of(one: Judgement) -> ReasoningPath:
    """A recorded judgement of a pair as a path; of its tokens only the number is known."""
    swapped: Mapping[Order, Order] = {"given": "swapped", "swapped": "given"}
    outcome, order = (one.outcome, one.order) if one.first == 0 else (one.outcome.mirrored, swapped[one.order])
    error = (one.error or "it failed") if outcome == Outcome.FAILED else None
    verdict = Verdict(outcome.mirrored if order == "swapped" else outcome)
    return ReasoningPath(one.key, one.problem_id, order, one.index, Completion(one.text, (0,) * one.tokens, error=error), verdict)


def _pairs(data: Dataset) -> list[Problem]:
    with boundary(data, "load"):
        problems = not_empty(data.load(), "data")
    check_pairs(problems, "data", labelled=False)
    return problems
