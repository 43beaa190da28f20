"""The system itself: from what collectors take in to what people are told."""

from dashboards.expressions import GATEWAY_SECONDS, OPERATOR, TASK, quantile, rate
from dashboards.model import Dashboard, Figure, Panel, Query, Row
from dashboards.system_serving import ALERTS, GATEWAY, STORE

_OVERVIEW = Row(
    "At a glance",
    (
        Figure(
            "Taken in",
            (Query(rate("streamgauge_collector_samples_received_total")),),
            "Samples a second that collectors have taken and Kafka has acknowledged.",
            "cps",
        ),
        Figure(
            "Stored",
            (Query(rate(OPERATOR + "samples", where='{job_name="streamgauge-store"}')),),
            "Samples a second that the store job writes; it should follow what is taken in.",
            "cps",
        ),
        Figure(
            "Jobs running",
            (Query("flink_jobmanager_numRunningJobs"),),
            "Store, rollup and alerts are three; SQL rules and a backfill are jobs too.",
            thresholds=(),
        ),
        Figure(
            "Batches waiting",
            (Query(f"sum({OPERATOR}pendingRecords)"),),
            "Messages of Kafka that jobs have not read yet. `streamgauge status` says which job is behind.",
            thresholds=((10_000, "orange"), (100_000, "red")),
        ),
        Figure(
            "Queries, p99",
            (Query(quantile(0.99, GATEWAY_SECONDS, where='{handler=~"/api/v1/query.*"}')),),
            "One query in a hundred takes longer than this.",
            "s",
            ((1, "orange"), (5, "red")),
        ),
        Figure(
            "Alerts firing",
            (Query('count(ALERTS{alertstate="firing"}) or vector(0)'),),
            "Alerts of all rules that fire now; the page of the gateway lists them.",
            thresholds=((1, "orange"),),
        ),
    ),
)

_COLLECTING = Row(
    "Collecting",
    (
        Panel(
            "Samples taken in, by source",
            (Query(rate("streamgauge_collector_samples_received_total", "source"), "{{source}}"),),
            "Scraped, pushed and by remote write.",
            "cps",
            stacked=True,
        ),
        Panel(
            "Refused samples and requests",
            (
                Query(rate("streamgauge_collector_samples_refused_total", "reason"), "sample: {{reason}}"),
                Query(rate("streamgauge_collector_request_faults_total", "reason"), "request: {{reason}}"),
                Query(rate("streamgauge_collector_outages_total", "reason"), "outage: {{reason}}"),
            ),
            "What clients send wrongly, and what Kafka does not take; the latter they send again.",
            "cps",
        ),
        Panel(
            "From the queue to Kafka's acknowledgement",
            (
                Query(quantile(0.5, "streamgauge_collector_delivery_seconds_bucket"), "p50"),
                Query(quantile(0.99, "streamgauge_collector_delivery_seconds_bucket"), "p99"),
            ),
            "Slow brokers show here first.",
            "s",
        ),
        Panel(
            "Scrapes that fail, by reason",
            (Query(f"{rate('scrape_errors_total', 'job', 'reason')} > 0", "{{job}}: {{reason}}"),),
            "The page of the gateway and /api/v1/targets say which targets.",
            "cps",
        ),
        Panel(
            "How long scrapes take",
            (
                Query(quantile(0.5, "streamgauge_collector_scrape_seconds_bucket", "job"), "{{job}} p50"),
                Query(quantile(0.99, "streamgauge_collector_scrape_seconds_bucket", "job"), "{{job}} p99"),
            ),
            "Exporters that expose too much are slow.",
            "s",
        ),
        Panel(
            "Held in memory",
            (
                Query("sum by (instance) (streamgauge_collector_held_bytes)", "requests {{instance}}"),
                Query("sum by (instance) (process_resident_memory_bytes)", "process {{instance}}"),
            ),
            "Requests that wait for Kafka, against collector.max_queue_bytes; and the memory of the processes.",
            "bytes",
        ),
        Panel(
            "Messages on their way to Kafka",
            (Query("sum by (instance) (streamgauge_collector_queue_messages)", "{{instance}}"),),
            "Queued or in flight; it grows while Kafka does not answer.",
        ),
        Panel(
            "Known series",
            (
                Query("sum by (instance) (streamgauge_collector_known_series)", "{{instance}}"),
                Query(
                    "sum by (instance) (increase(streamgauge_collector_cache_restarts_total[$__rate_interval])) > 0",
                    "cache began anew {{instance}}",
                ),
            ),
            "Label sets in the collectors' caches; above collector.max_series one begins anew.",
        ),
        Panel(
            "Disks",
            (
                Query("max by (broker, path) (broker_disk_usage_pct)", "broker {{broker}} {{path}}"),
                Query("max by (instance, path) (disk_usage_pct)", "{{instance}} {{path}}"),
            ),
            "A broker with a full disk stops, and Cassandra needs room to compact.",
            "percent",
            ceiling=100,
        ),
    ),
)

_JOBS = Row(
    "Jobs",
    (
        Panel(
            "Batches waiting",
            (Query(f"sum by (job_name) ({OPERATOR}pendingRecords)", "{{job_name}}"),),
            "The lag of each job behind the end of its topics.",
        ),
        Panel(
            "Behind the clock",
            (
                Query(
                    f"time() - min by (job_name) ({TASK}currentInputWatermark > 0) / 1000",
                    "{{job_name}}",
                ),
            ),
            "The age of the watermark: stream.lag_ms while all is well. It grows when no collector runs too.",
            "s",
        ),
        Panel(
            "Samples, by job",
            (Query(rate(OPERATOR + "samples", "job_name"), "{{job_name}}"),),
            "What the operators of the jobs have counted.",
            "cps",
        ),
        Panel(
            "Restarts",
            (Query("max by (job_name) (flink_jobmanager_job_numRestarts)", "{{job_name}}"),),
            "`streamgauge status` has the cause of the last one.",
        ),
        Panel(
            "How long checkpoints take",
            (Query("max by (job_name) (flink_jobmanager_job_lastCheckpointDuration)", "{{job_name}}"),),
            "They hold nothing up while they are shorter than their interval.",
            "ms",
        ),
        Panel(
            "State",
            (Query("max by (job_name) (flink_jobmanager_job_lastCheckpointSize)", "{{job_name}}"),),
            "Bytes of the last checkpoint.",
            "bytes",
        ),
        Panel(
            "Busiest task",
            (
                Query(f"max by (job_name) ({TASK}busyTimeMsPerSecond) / 1000", "{{job_name}} busy"),
                Query(
                    f"max by (job_name) ({TASK}backPressuredTimeMsPerSecond) / 1000", "{{job_name}} held up"
                ),
            ),
            "At 100 % a job does not keep up, or nearly not.",
            "percentunit",
            ceiling=1,
        ),
        Panel(
            "Memory of the TaskManagers",
            (
                Query("sum by (tm_id) (flink_taskmanager_Status_JVM_Memory_Heap_Used)", "heap {{tm_id}}"),
                Query(
                    "sum by (tm_id) (flink_taskmanager_Status_JVM_Memory_Heap_Max)", "heap, most {{tm_id}}"
                ),
            ),
            "The JVM's heap; Python workers and RocksDB come on top.",
            "bytes",
        ),
        Panel(
            "Set aside, late, damaged",
            (
                Query(rate(OPERATOR + "rejected"), "rejected messages"),
                Query(rate(OPERATOR + "late_batches"), "late batches"),
                Query(rate(OPERATOR + "damaged_builds"), "damaged builds"),
            ),
            "metrics.rejected holds what was rejected, with the reason. Late batches are merged, nothing is lost.",
            "cps",
        ),
    ),
)

DASHBOARD = Dashboard(
    uid="streamgauge",
    title="Streamgauge",
    text="The system about itself: collecting, jobs, store, gateway, alerts.",
    rows=(_OVERVIEW, _COLLECTING, _JOBS, STORE, GATEWAY, ALERTS),
)
