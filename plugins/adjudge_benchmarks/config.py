"""What a call of ``adjudge bench`` sets: a judge, and a data set that has to be a benchmark."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from adjudge import Dataset, Engine, Judge, Options, Plugins, override, validate

from .benchmark import Benchmark

NO_METRIC = "{!r} is a data set without a metric of its own.\n  Remedy: use 'adjudge eval' for its accuracy."


def _has_metric(data: Dataset) -> Dataset:
    if not isinstance(data, Benchmark):
        raise ValueError(NO_METRIC.format(data.use))
    return data


MeasuredOn = Annotated[Dataset, AfterValidator(_has_metric)]
"""A data set that is a benchmark; named as such in a call, and picked like every data set."""


class BenchmarkAlone(Options):
    """A benchmark without a judge, to score what is recorded."""

    data: MeasuredOn

    @property
    def benchmark(self) -> Benchmark:
        assert isinstance(self.data, Benchmark)
        return self.data


class BenchConfig(BenchmarkAlone):
    """A judge to be measured, and the benchmark that it is measured on."""

    model: str
    judge: Judge
    engine: Engine
    seed: Annotated[int, Field(ge=0)] = 0


class Job(Options):
    """What a benchmark's records depend on: the configuration of the folder that they are in."""

    model: str
    judge: Judge
    engine: Engine
    data: Dataset
    seed: int = 0
    limit: int | None = None


def benchmark_of(asked: dict[str, Any], sets: Sequence[str]) -> Benchmark:
    """The benchmark without a judge; settings of anything but the data set are refused."""
    return validate(BenchmarkAlone, override({"data": asked}, sets), Plugins.load(), "the call").benchmark
