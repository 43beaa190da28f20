"""The collector's own metrics, in a registry of their own."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

LATENCIES_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


class Metrics:
    """Every metric of a collector."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        prefix = "streamgauge_collector_"

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(prefix + name, text, labels, registry=registry)

        def gauge(name: str, text: str) -> Gauge:
            return Gauge(prefix + name, text, registry=registry)

        self.requests = counter("requests_total", "Requests answered.", "path", "code")
        self.request_faults = counter("request_faults_total", "Requests rejected as a whole.", "reason")
        self.outages = counter("outages_total", "Requests and scrapes that Kafka did not accept.", "reason")
        self.samples = counter(
            "samples_received_total", "Valid samples received, before delivery to Kafka.", "source"
        )
        self.refused = counter("samples_refused_total", "Samples rejected.", "reason")
        self.metadata_refused = counter(
            "metadata_refused_total", "Metadata entries dropped because they do not decode."
        )
        self.batches = counter("batches_total", "Batches queued for Kafka.")
        self.batch_series = counter("batch_series_total", "Series in those batches.")
        self.batch_bytes = counter("batch_bytes_total", "Bytes of those batches.")
        self.delivery_failures = counter(
            "delivery_failures_total", "Messages that Kafka did not accept.", "error"
        )
        self.delivery_seconds = Histogram(
            prefix + "delivery_seconds",
            "Time from queueing a batch to its acknowledgement.",
            buckets=LATENCIES_S,
            registry=registry,
        )
        self.queue_length = gauge("queue_messages", "Messages queued or in flight.")
        self.held_bytes = gauge("held_bytes", "Bytes of requests being handled.")
        self.known_series = gauge("known_series", "Series in the label set cache.")
        self.cache_restarts = counter(
            "cache_restarts_total", "Times that the label set cache was full and was cleared."
        )
        self.scrapes = counter("scrapes_total", "Scrapes made.", "job")
        self.scrape_errors = Counter(
            "scrape_errors_total", "Failed scrapes.", ("job", "reason"), registry=registry
        )
        self.broker_disk_usage = Gauge(
            "broker_disk_usage_pct",
            "Disk usage of Kafka's brokers.",
            ("broker", "path"),
            registry=registry,
        )
        self.disk_usage = Gauge("disk_usage_pct", "Disk usage of this machine.", ("path",), registry=registry)
        self.scrape_seconds = Histogram(
            prefix + "scrape_seconds",
            "Duration of scrapes.",
            ("job",),
            buckets=LATENCIES_S,
            registry=registry,
        )
