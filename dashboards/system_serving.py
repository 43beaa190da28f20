"""The rows on what comes after the jobs: store, gateway, alerts."""

from dashboards.expressions import GATEWAY_SECONDS, OPERATOR, quantile, rate
from dashboards.model import Panel, Query, Row

STORE = Row(
    "Store",
    (
        Panel(
            "Windows sealed and built",
            (
                Query(rate(OPERATOR + "seals", "job_name"), "sealed"),
                Query(rate(OPERATOR + "builds", "job_name"), "built again"),
            ),
            "Windows of rollups that the rollup job has written.",
            "cps",
        ),
        Panel(
            "Blocks found in the gateway's cache",
            (
                Query(
                    rate("streamgauge_gateway_cache_lookups_total", "cache", where='{result="hit"}')
                    + " / "
                    + rate("streamgauge_gateway_cache_lookups_total", "cache"),
                    "{{cache}}",
                ),
            ),
            "What is not found is read from Cassandra.",
            "percentunit",
            ceiling=1,
        ),
        Panel(
            "Samples read for queries",
            (
                Query(rate("streamgauge_gateway_samples_read_total", "instance"), "{{instance}}"),
                Query(rate("streamgauge_gateway_damaged_rows_total", "reason"), "damaged rows: {{reason}}"),
            ),
            "What queries cost; and rows that were left out because they do not decode.",
            "cps",
        ),
    ),
)

GATEWAY = Row(
    "Gateway",
    (
        Panel(
            "Requests, by handler",
            (Query(rate("streamgauge_gateway_requests_total", "handler"), "{{handler}}"),),
            "Of all gateways.",
            "reqps",
            stacked=True,
        ),
        Panel(
            "How long queries take",
            (
                Query(
                    quantile(0.5, GATEWAY_SECONDS, "handler", where='{handler=~"/api/v1/query.*"}'),
                    "{{handler}} p50",
                ),
                Query(
                    quantile(0.99, GATEWAY_SECONDS, "handler", where='{handler=~"/api/v1/query.*"}'),
                    "{{handler}} p99",
                ),
            ),
            "Long ranges at short steps are slow; `explain=1` tells what a query reads.",
            "s",
        ),
        Panel(
            "Refused, by reason",
            (Query(rate("streamgauge_gateway_refusals_total", "reason"), "{{reason}}"),),
            "bad_data is the client's, cost_limit and timeout are limits of the gateway, unavailable is the store.",
            "reqps",
        ),
        Panel(
            "Memory of open minutes",
            (Query("sum by (instance) (streamgauge_gateway_head_cache_bytes)", "{{instance}}"),),
            "Decoded batches of minutes that are not sealed; 256 MiB at most.",
            "bytes",
        ),
        Panel(
            "Processor time",
            (Query(rate("process_cpu_seconds_total", "job", "instance"), "{{job}} {{instance}}"),),
            "Cores in use, of each process that says it.",
            "cores",
        ),
        Panel(
            "Open files",
            (Query("sum by (job, instance) (process_open_fds)", "{{job}} {{instance}}"),),
            "Against the limit of the process.",
        ),
    ),
)

ALERTS = Row(
    "Alerts",
    (
        Panel(
            "Alerts, by state",
            (Query("count by (alertstate) (ALERTS)", "{{alertstate}}"),),
            "Pending ones have not lasted for their rule's `for` yet.",
        ),
        Panel(
            "How long evaluations take",
            (Query("max by (rule_group) (alert_evaluation_duration_ms)", "{{rule_group}}"),),
            "A group that takes longer than its interval is late.",
            "ms",
        ),
        Panel(
            "Changes of alerts, failed evaluations",
            (
                Query(rate(OPERATOR + "transitions"), "changes"),
                Query(rate(OPERATOR + "rule_errors"), "failed evaluations"),
                Query(rate(OPERATOR + "dropped_ticks"), "dropped ticks"),
            ),
            "A failed evaluation resolves nothing; the page of the gateway shows its error.",
            "cps",
        ),
        Panel(
            "From the tick to the Alertmanager",
            (
                Query(quantile(0.5, "streamgauge_notify_delay_seconds_bucket"), "p50"),
                Query(quantile(0.99, "streamgauge_notify_delay_seconds_bucket"), "p99"),
            ),
            "How late people are told.",
            "s",
        ),
        Panel(
            "Waiting to be sent",
            (
                Query("sum by (alertmanager) (streamgauge_notify_alerts_waiting)", "{{alertmanager}}"),
                Query(
                    "sum by (alertmanager) (streamgauge_notify_alerts_dropped)", "dropped {{alertmanager}}"
                ),
            ),
            "Alerts with changes that an Alertmanager has not taken yet.",
        ),
        Panel(
            "Sent, failed, refused",
            (
                Query(rate("streamgauge_notify_alerts_sent_total", "kind"), "sent: {{kind}}"),
                Query(rate("streamgauge_notify_send_failures_total", "reason"), "failed: {{reason}}"),
                Query(rate("streamgauge_notify_alerts_refused_total"), "refused"),
            ),
            "What failed is tried again; what is refused is in the log of `streamgauge notify`.",
            "cps",
        ),
    ),
)
