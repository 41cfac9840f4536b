"""What the service counts, as Prometheus reads it. Every label has few values: never an id, a key or a raw path.

Calls are counted as they end. All else is read where it is kept when somebody asks, in a few steps whatever the
number of jobs.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from aiohttp import hdrs, web
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from engine.service.doorman import Cut, Doorman
from engine.service.gate import Gate, Limited
from engine.service.job_store import JobStore
from engine.service.letterhead import seconds_of
from engine.service.parts import Restoring

__all__ = ["Metrics", "Sources"]

_PREFIX = "face_recovery_"
_METHODS = hdrs.METH_ALL
_OTHER = "other"
# A poll takes about a millisecond, an upload of 500 MB minutes.
_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where the figures are kept. `webhooks` returns counts by outcome."""

    doorman: Doorman
    gate: Gate
    store: JobStore
    crew: Restoring
    webhooks: Callable[[], Mapping[str, int]] = dict


class Metrics:
    """The figures of one service, in a registry of their own."""

    def __init__(self, sources: Sources) -> None:
        self._registry = CollectorRegistry()
        self._calls = Counter(
            _PREFIX + "requests", "Calls answered.", ["method", "route", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            _PREFIX + "request_seconds",
            "From a whole header to the answer's last byte.",
            ["route"],
            buckets=_BUCKETS_S,
            registry=self._registry,
        )
        self._registry.register(_Readings(sources))

    def observe(self, request: web.BaseRequest, response: web.StreamResponse) -> None:
        """Count one call that has ended."""
        route = _route(request)
        method = request.method if request.method in _METHODS else _OTHER
        self._calls.labels(method, route, str(response.status)).inc()
        self._seconds.labels(route).observe(seconds_of(request))

    def text(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return generate_latest(self._registry)


def _route(request: web.BaseRequest) -> str:
    """Return the template of the route that took the call, `other` where none did."""
    resource = None
    # What is no sound HTTP never got as far as the routes, which aiohttp takes for a mistake of whoever asks.
    with contextlib.suppress(AssertionError):
        match = request.match_info if isinstance(request, web.Request) else None
        resource = None if match is None else match.route.resource
    return _OTHER if resource is None else resource.canonical


class _Readings(Collector):
    """Figures that are kept elsewhere."""

    def __init__(self, sources: Sources) -> None:
        self._from = sources

    def collect(self) -> Iterator[Metric]:
        yield from self._connections()
        yield from self._jobs()
        yield from self._credits()
        limited = {why.value: self._from.gate.limited[why] for why in Limited}
        yield _counts("rate_refusals", "Calls answered 429 at the gate.", "limit", limited)
        webhooks = dict(self._from.webhooks())
        yield _gauge(
            "webhooks_pending", "Notifications on their way, or waiting for another try.", webhooks.pop("pending", 0)
        )
        yield _counts("webhooks", "Notifications by what became of them.", "outcome", webhooks)

    def _connections(self) -> Iterator[Metric]:
        doorman = self._from.doorman
        yield _gauge("connections", "Open connections.", doorman.open)
        cuts = {why.value: doorman.cuts[why] for why in Cut}
        yield _counts("connections_cut", "Connections refused or ended by this side.", "reason", cuts)
        yield _counter("received_bytes", "Bytes that clients sent.", doorman.received_bytes)
        yield _counter("sent_bytes", "Bytes of answers.", doorman.sent_bytes)

    def _jobs(self) -> Iterator[Metric]:
        ledger, work = self._from.store.ledger, self._from.crew.health()
        ended = {"completed": ledger.completed, "failed": ledger.failed, "cancelled": ledger.cancelled}
        yield _counter("jobs_accepted", "Jobs accepted since the folder was made.", ledger.accepted)
        yield _counts("jobs_ended", "Jobs ended since the folder was made.", "status", ended)
        yield _gauge("jobs_queued", "Jobs that wait for a worker.", work["queued"])
        yield _gauge("jobs_running", "Jobs that a worker has.", work["running"])
        yield _gauge("workers_failing", "1 while the machine keeps a worker from working.", work["workers_failing"])
        yield _counter("worker_deaths", "Workers that died at work.", work.get("worker_deaths", 0))

    def _credits(self) -> Iterator[Metric]:
        ledger = self._from.store.ledger
        yield _counter("credits_charged", "Credits charged since the folder was made.", ledger.charged_credits)
        yield _gauge("credits_reserved", "Credits reserved by unfinished jobs.", ledger.reserved_credits)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(_PREFIX + name, text, value=value)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(_PREFIX + name, text, value=value)


def _counts(name: str, text: str, label: str, values: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(_PREFIX + name, text, labels=[label])
    for value, count in values.items():
        family.add_metric([value], count)
    return family
