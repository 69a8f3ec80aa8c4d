"""Where ``adjudge health`` has its judgements from: a model that is asked now, attacks included, or records of earlier judgements."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path as FilePath
from typing import Any

from adjudge.benchmark import Benchmark, join, read_recorded
from adjudge.components import Dataset, Metrics, Options, Reporter
from adjudge.config import dump, validate
from adjudge.errors import ConfigError, PluginError, blamed_on
from adjudge.health import health, judged_by, plan_probes, probed
from adjudge.jsonl import not_empty
from adjudge.judging import check_pairs, plan_asks, sample_paths
from adjudge.manager import Plugins
from adjudge.records import Problem

from .bench import Bench, from_yaml, opened, set_up

HELD_OUT = {"use": "arithmetic", "part": "test", "size": 200}
"""What the embedded judge, and a judge trained from it, is asked about when nothing else is said."""


def bench_of(model: str, *, data: str | None, engine: str, sets: Sequence[str] | None, seed: int) -> tuple[Bench, FilePath]:
    """The bench, its judge asking in both orders; the held-out sums only where the judge can read them."""
    given = HELD_OUT if data is None else from_yaml("--data", data)
    bench, folder = set_up(model, engine=engine, order="both", sets=sets, seed=seed, data=given)
    if data is None and bench.judge.use != HELD_OUT["use"]:
        raise ConfigError(
            f"--data: say which pairs the judge {bench.judge.use!r} is to be asked about.\n"
            "  Remedy: for example --data '{use: preference, file: pairs.jsonl}'"
        )
    return bench, folder


def of_model(bench: Bench, folder: FilePath, *, samples: int, attacked: int, cache: bool) -> Metrics:
    """Judgements and attacks go to the engine together, so that it stays full."""
    assert bench.data is not None
    problems = _pairs(bench.data)
    asks = plan_asks(problems, bench.judge, samples=samples, seed=bench.seed, purpose="health")
    probes = plan_probes([problem for problem in problems if problem.label is not None][:attacked], bench.judge, bench.seed)
    with opened(bench, folder, cache=cache) as session:
        paths = list(sample_paths(session, bench.judge, [*asks, *probes.asks]))
    attacks = [path for path in paths if path.problem_id in probes.probes]
    plain = [path for path in paths if path.problem_id not in probes.probes]
    spec = {"model": bench.model, "judge": dump(bench.judge), "data": dump(bench.data), "seed": bench.seed}
    return {**spec, **health(judged_by(problems, plain)), "probes": probed(probes, attacks) if attacks else None}


class _Recorded(Options):
    """The pairs that records are about."""

    data: Dataset


def of_records(data: str | None, files: Sequence[FilePath]) -> Metrics:
    """What was recorded about a data set's pairs, as its authors record it where it is a benchmark, or as adjudge does."""
    if data is None:
        raise ConfigError("--replay: it is not said which pairs were judged.\n  Remedy: name their data set with --data.")
    chosen = validate(_Recorded, {"data": from_yaml("--data", data)}, Plugins.load(), "the call").data
    reader = chosen if isinstance(chosen, Benchmark) else Benchmark(use="recorded")
    judged, unmatched = join(_pairs(chosen), read_recorded(reader, files))
    judged = [item for item in judged if item.judgements]
    if not judged:
        raise ConfigError("--replay: no record is a judgement of a pair of --data.\n  Remedy: check that data and records belong together.")
    spec = {"model": None, "judge": None, "data": dump(chosen), "replay": [str(file) for file in files], "unmatched_records": unmatched}
    return {**spec, **health(judged), "probes": None}


def _pairs(data: Dataset) -> list[Problem]:
    with blamed_on(data, "load"):
        problems = not_empty(data.load(), "data")
    check_pairs(problems, "data", labelled=False)
    return problems


def write_page(report: dict[str, Any], file: FilePath) -> FilePath:
    """The report as a page, by the reporter called "html"."""
    chosen = Plugins.load().pick(Reporter, "html")()
    write = getattr(chosen, "write_health", None)
    if write is None:
        raise PluginError(
            f"reporter 'html' ({type(chosen).__module__}.{type(chosen).__qualname__}) has no method write_health(report, file).\n"
            "  Remedy: leave --out away, or use the reporter that comes with adjudge."
        )
    with blamed_on(chosen, "write_health"):
        return FilePath(write(report, file))
