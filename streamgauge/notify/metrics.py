"""The bridge's own metrics, in a registry of their own."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.process_collector import ProcessCollector

SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
DELAYS_S = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 7.5, 10.0, 30.0, 60.0, 300.0, 1800.0)


class Metrics:
    """Every metric of a bridge."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        prefix = "streamgauge_notify_"

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(prefix + name, text, labels, registry=registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(prefix + name, text, labels, registry=registry)

        self.changes = counter("changes_total", "Messages of alerts.triggered read.", "verdict")
        self.sent = counter(
            "alerts_sent_total", "Alerts that an Alertmanager accepted.", "alertmanager", "kind"
        )
        self.failures = counter("send_failures_total", "Failed posts.", "alertmanager", "reason")
        self.refused = counter(
            "alerts_refused_total", "Alerts that an Alertmanager refused for good.", "alertmanager"
        )
        self.dropped = gauge(
            "alerts_dropped", "Resolved alerts dropped because too many were waiting.", "alertmanager"
        )
        self.waiting = gauge("alerts_waiting", "Alerts with changes not yet sent.", "alertmanager")
        self.firing = gauge("alerts_firing", "Firing alerts.")
        self.send_seconds = Histogram(
            prefix + "send_seconds",
            "Duration of successful posts.",
            ("alertmanager",),
            buckets=SECONDS,
            registry=registry,
        )
        self.delay_seconds = Histogram(
            prefix + "delay_seconds",
            "Time from the tick of a change to its delivery to an Alertmanager.",
            ("alertmanager",),
            buckets=DELAYS_S,
            registry=registry,
        )
