"""Expressions that many panels have."""

GATEWAY_SECONDS = "streamgauge_gateway_request_seconds_bucket"
OPERATOR = "flink_taskmanager_job_task_operator_"
TASK = "flink_taskmanager_job_task_"


def rate(metric: str, *by: str, where: str = "") -> str:
    """How much a second, together or by labels."""
    grouped = f" by ({', '.join(by)})" if by else ""
    return f"sum{grouped} (rate({metric}{where}[$__rate_interval]))"


def quantile(part: float, bucket: str, *by: str, where: str = "") -> str:
    """A quantile of a classic histogram, together or by labels."""
    return f"histogram_quantile({part}, {rate(bucket, 'le', *by, where=where)})"
