"""The Kafka topics, with their settings."""

from dataclasses import dataclass

from schemas.limits import MAX_MESSAGE_BYTES
from schemas.units import HOUR_MS

RAW = "metrics.raw"
REJECTED = "metrics.rejected"
ACKNOWLEDGED = "metrics.acknowledged"
RULES = "alerts.rules"
TRIGGERED = "alerts.triggered"
ALERT_STATE = "alerts.state"
NOTIFIED = "alerts.notified"

MAX_FUTURE_MS = 60_000
"""How far ahead of the clock a sample may be: collectors and brokers both refuse more."""
RULES_KEPT_MS = 24 * HOUR_MS
ALERT_PARTITIONS = 4
TRIGGERED_KEPT_MS = 30 * 24 * HOUR_MS
REJECTED_KEPT_BYTES = 256 * 1024 * 1024
"""Of each replica: what was set aside must not fill the disk."""


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as `schema apply` creates and corrects it."""

    name: str
    partitions: int
    replication: int
    settings: dict[str, str]


def topics(partitions: int, replication: int, retention_ms: int) -> list[Topic]:
    """Every topic of the system."""
    shared = {
        "max.message.bytes": str(MAX_MESSAGE_BYTES),
        "message.timestamp.type": "CreateTime",
        # else a write counts as acknowledged by all when only the leader is left
        "min.insync.replicas": str(min(2, replication)),
    }
    return [
        Topic(
            RAW,
            partitions,
            replication,
            shared
            | {
                "retention.ms": str(retention_ms),
                "message.timestamp.after.max.ms": str(MAX_FUTURE_MS),
                "compression.type": "producer",
            },
        ),
        Topic(
            REJECTED,
            1,
            replication,
            shared
            | {
                "retention.ms": str(7 * 24 * HOUR_MS),
                "retention.bytes": str(REJECTED_KEPT_BYTES),
                # whole segments are deleted, and never the one that is written to
                "segment.bytes": str(REJECTED_KEPT_BYTES // 8),
            },
        ),
        # what collectors have acknowledged, for the audit; the broker's clock tells from where a reader begins
        Topic(
            ACKNOWLEDGED,
            1,
            replication,
            shared | {"retention.ms": str(retention_ms), "message.timestamp.type": "LogAppendTime"},
        ),
        # one partition: a rule set is read in the order in which it was written; sets that were replaced stay for a
        # while, for a job that goes on from an old snapshot
        Topic(
            RULES,
            1,
            replication,
            shared | {"cleanup.policy": "compact", "min.compaction.lag.ms": str(RULES_KEPT_MS)},
        ),
        Topic(TRIGGERED, ALERT_PARTITIONS, replication, shared | {"retention.ms": str(TRIGGERED_KEPT_MS)}),
        Topic(ALERT_STATE, 1, replication, shared | {"cleanup.policy": "compact"}),
        # what is known of an alert lies in the partition of alerts.triggered from which it came
        Topic(NOTIFIED, ALERT_PARTITIONS, replication, shared | {"cleanup.policy": "compact"}),
    ]
