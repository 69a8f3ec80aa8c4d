"""What ``/metrics`` shows, in the text format of Prometheus: numbers alone, and no text of any request."""

from __future__ import annotations

import collections
from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector, disable_created_metrics, generate_latest
from prometheus_client.core import CounterMetricFamily

from adjudge_rewards import Failure

if TYPE_CHECKING:
    from .service import Service

COUNTED = {
    "groups": "Groups judged.",
    "samples": "Completions judged.",
    "repeated": "Completions that another one of their group equals.",
    "matches": "Matches played.",
    "votes": "Judgements made or looked up.",
    "tokens": "Tokens of judgements.",
    "seconds": "Seconds in which the judge was asked.",
}


class Counts:
    """The counters of one server, in a registry of its own."""

    def __init__(self, service: Service) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._sums = {name: Counter(f"adjudge_{name}", said, registry=self.registry) for name, said in COUNTED.items()}
        self._undecided = Counter("adjudge_undecided", "Completions that nobody could judge.", registry=self.registry)
        self._unreadable = Counter("adjudge_unreadable", "Judgements that could not be read.", registry=self.registry)
        said = "Completions that were told why they have no reward, by the kind of failure."
        self._failures = Counter("adjudge_failures", said, ["kind"], registry=self.registry)
        self._requests: collections.Counter[tuple[str, int]] = collections.Counter()
        self.registry.register(self)
        gauge = Gauge("adjudge_queue_samples", "Completions that somebody waits for.", registry=self.registry)
        gauge.set_function(lambda: service.waiting)
        gauge = Gauge("adjudge_judge_samples", "Completions of whole groups that wait for the judge.", registry=self.registry)
        gauge.set_function(lambda: service.batches.waiting)
        gauge = Gauge("adjudge_cohorts_open", "Groups that wait for completions.", registry=self.registry)
        gauge.set_function(lambda: len(service.cohorts.collecting))

    def judged(self, metrics: dict[str, float]) -> None:
        """Count what was judged at once."""
        for name, counter in self._sums.items():
            counter.inc(metrics.get(name, 0))
        self._undecided.inc(round(metrics["undecided"] * metrics["samples"]))
        self._unreadable.inc(round(metrics["unreadable"] * metrics["votes"]))

    def failed(self, kind: Failure) -> None:
        self._failures.labels(kind).inc()

    def answered(self, route: str, status: int) -> None:
        self._requests[route, status] += 1

    def collect(self) -> Iterator[CounterMetricFamily]:
        """What prometheus-client asks of a collector: the requests, which are counted where a lock for each would be felt."""
        found = CounterMetricFamily("adjudge_requests", "Requests answered, by route and status.", labels=["route", "status"])
        for (route, status), count in self._requests.items():
            found.add_metric([route, str(status)], count)
        yield found

    def text(self) -> bytes:
        return generate_latest(self.registry)
