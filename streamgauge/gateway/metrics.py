"""The gateway's own metrics, in a registry of their own."""

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
            "How long requests took.",
            ("handler",),
            buckets=SECONDS,
            registry=registry,
        )
        self.samples = Counter(
            prefix + "samples_read_total", "Samples decoded to answer queries.", registry=registry
        )
        self.damaged = Counter(
            prefix + "damaged_rows_total",
            "Rows left out of answers because they do not decode.",
            ("reason",),
            registry=registry,
        )
        self.head_bytes = Gauge(
            prefix + "head_cache_bytes", "Memory of decoded batches of open minutes.", registry=registry
        )


class Looked(Collector):
    """Metrics that are looked up when they are asked for.

    :param lookups: of the cache of blocks, by result. :param evaluations: seconds of the last one, by group of rules.
    """

    def __init__(
        self, lookups: Callable[[], Mapping[str, int]], evaluations: Callable[[], Mapping[str, float]]
    ) -> None:
        self._lookups = lookups
        self._evaluations = evaluations

    def collect(self) -> Iterator[Metric]:
        """What prometheus_client asks for."""
        found = CounterMetricFamily(
            "streamgauge_gateway_cache_lookups",
            "Stretches of rows looked for in a cache.",
            labels=("cache", "result"),
        )
        for result, count in self._lookups().items():
            found.add_metric(("blocks", result), count)
        yield found
        took = GaugeMetricFamily(
            "alert_evaluation_duration_ms",
            "How long the last evaluation of a group took.",
            labels=("rule_group",),
        )
        for group, seconds in self._evaluations().items():
            took.add_metric((group,), seconds * 1000)
        yield took
