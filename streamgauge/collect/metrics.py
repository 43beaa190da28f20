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
        self.request_faults = counter("request_faults_total", "Requests refused whole.", "reason")
        self.outages = counter("outages_total", "Requests and scrapes that Kafka did not take.", "reason")
        self.samples = counter("samples_received_total", "Samples taken in.", "source")
        self.refused = counter("samples_refused_total", "Samples left out.", "reason")
        self.metadata_refused = counter(
            "metadata_refused_total", "Metadata of metrics left out because it does not decode."
        )
        self.batches = counter("batches_total", "Batches queued for Kafka.")
        self.batch_series = counter("batch_series_total", "Series in those batches.")
        self.batch_bytes = counter("batch_bytes_total", "Bytes of those batches.")
        self.delivery_failures = counter("delivery_failures_total", "Messages Kafka did not take.", "error")
        self.delivery_seconds = Histogram(
            prefix + "delivery_seconds",
            "From queueing a batch to its acknowledgement.",
            buckets=LATENCIES_S,
            registry=registry,
        )
        self.queue_length = gauge("queue_messages", "Messages queued or in flight.")
        self.held_bytes = gauge("held_bytes", "Bytes of requests being handled.")
        self.known_series = gauge("known_series", "Series in the cache of label sets.")
        self.cache_restarts = counter("cache_restarts_total", "Times that cache was full and began anew.")
        self.scrapes = counter("scrapes_total", "Scrapes made.", "job")
        self.scrape_errors = Counter(
            "scrape_errors_total", "Scrapes that failed.", ("job", "reason"), registry=registry
        )
        self.broker_disk_usage = Gauge(
            "broker_disk_usage_pct",
            "How full the disks of Kafka's brokers are.",
            ("broker", "path"),
            registry=registry,
        )
        self.disk_usage = Gauge(
            "disk_usage_pct", "How full the disks of this machine are.", ("path",), registry=registry
        )
        self.scrape_seconds = Histogram(
            prefix + "scrape_seconds",
            "How long scrapes took.",
            ("job",),
            buckets=LATENCIES_S,
            registry=registry,
        )
