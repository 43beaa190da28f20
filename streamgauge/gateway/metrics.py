"""The gateway's own metrics, in a registry of their own."""

import threading
from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)


class Metrics:
    """Every metric of a gateway."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        GCCollector(registry=registry)
        prefix = "streamgauge_gateway_"
        self.requests = Counter(
            prefix + "requests_total", "Requests answered.", ("handler", "code"), registry=registry
        )
        self.refusals = Counter(
            prefix + "refusals_total", "Requests refused.", ("handler", "reason"), registry=registry
        )
        self.seconds = Histogram(
            prefix + "request_seconds",
            "Duration of requests.",
            ("handler",),
            buckets=SECONDS,
            registry=registry,
        )
        self.samples = Counter(
            prefix + "samples_read_total", "Samples decoded to answer queries.", registry=registry
        )
        self.damaged = Counter(
            prefix + "damaged_rows_total",
            "Rows skipped because they do not decode.",
            ("reason",),
            registry=registry,
        )
        self.lookups = Lookups()
        self.not_kept = Counter(
            prefix + "results_not_kept_total",
            "Range queries not answered from cached results, by reason.",
            ("reason",),
            registry=registry,
        )
        self.cache_faults = Counter(
            prefix + "cache_faults_total",
            "Redis failures, and cached values that were rejected.",
            ("reason",),
            registry=registry,
        )
        self.shared = Counter(
            prefix + "shared_requests_total",
            "Requests that shared the execution of an identical request.",
            registry=registry,
        )
        self.head_bytes = Gauge(
            prefix + "head_cache_bytes", "Memory used by decoded batches of open minutes.", registry=registry
        )
        self.memory = Gauge(
            prefix + "memory_bytes",
            "Estimated memory of all queries and their responses: taken and total.",
            ("kind",),
            registry=registry,
        )
        self.memory_refusals = Counter(
            prefix + "memory_refusals_total",
            "Queries refused for lack of memory.",
            registry=registry,
        )


class Lookups:
    """Counts cache lookups. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, str], int] = {}

    def add(self, cache: str, result: str, count: int) -> None:
        """Count some more."""
        with self._lock:
            self._counts[cache, result] = self._counts.get((cache, result), 0) + count

    def all(self) -> dict[tuple[str, str], int]:
        """All counts, by cache and result."""
        with self._lock:
            return dict(self._counts)


class Looked(Collector):
    """Metrics that are collected on demand.

    :param lookups: by cache and result. :param paused: whether the gateway does without Redis now.
    :param evaluations: seconds of the last one, by group of rules. :param waiting: queries, by pool.
    """

    def __init__(
        self,
        lookups: Callable[[], Mapping[tuple[str, str], int]],
        paused: Callable[[], bool],
        evaluations: Callable[[], Mapping[str, float]],
        waiting: Callable[[], Mapping[str, int]],
    ) -> None:
        self._lookups = lookups
        self._paused = paused
        self._evaluations = evaluations
        self._waiting = waiting

    def collect(self) -> Iterator[Metric]:
        """Collect the metrics, for prometheus_client."""
        found = CounterMetricFamily(
            "streamgauge_gateway_cache_lookups",
            "Cache lookups: stretches of rows (blocks), series-steps (results), lists (lists).",
            labels=("cache", "result"),
        )
        for labels, count in self._lookups().items():
            found.add_metric(labels, count)
        yield found
        paused = GaugeMetricFamily(
            "streamgauge_gateway_cache_paused", "Whether the gateway bypasses Redis after a failure."
        )
        paused.add_metric((), self._paused())
        yield paused
        took = GaugeMetricFamily(
            "alert_evaluation_duration_ms",
            "Duration of the last evaluation of a group.",
            labels=("rule_group",),
        )
        for group, seconds in self._evaluations().items():
            took.add_metric((group,), seconds * 1000)
        yield took
        queued = GaugeMetricFamily(
            "streamgauge_gateway_waiting_queries", "Queries waiting for a free slot.", labels=("pool",)
        )
        for pool, count in self._waiting().items():
            queued.add_metric((pool,), count)
        yield queued
