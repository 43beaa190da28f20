"""The Cassandra tables: time-window compaction, overwrite only, no deletes.

Retention is by TTL set with each write: see `ttl_seconds`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from schemas.units import DAY_MS, HOUR_MS, MINUTE_MS


@dataclass(frozen=True, slots=True)
class Level:
    """A kind of tables of blocks: `width_ms` a block, `period_ms` a Cassandra partition."""

    label: str
    table: str
    width_ms: int
    period_ms: int

    def period(self, timestamp: int) -> int:
        """The start (ms) of the period that holds a timestamp (ms)."""
        return timestamp - timestamp % self.period_ms

    def mark(self, timestamp: int) -> int:
        """The start (ms) of the twelfth of a period that holds a timestamp (ms): changes are noted by it."""
        return timestamp - timestamp % (self.period_ms // 12)


class Resolution(Enum):
    """The resolutions at which samples are kept. Sizes of periods keep a Cassandra partition under 100 MB."""

    RAW = Level("raw", "metrics_raw", MINUTE_MS, HOUR_MS)
    MIN1 = Level("1min", "metrics_rollup_1min", MINUTE_MS, 6 * HOUR_MS)
    MIN5 = Level("5min", "metrics_rollup_5min", 5 * MINUTE_MS, DAY_MS)
    HOUR1 = Level("1hour", "metrics_rollup_1hour", HOUR_MS, 10 * DAY_MS)
    DAY1 = Level("1day", "metrics_rollup_1day", DAY_MS, 100 * DAY_MS)


@dataclass(frozen=True, slots=True)
class StorageClass:
    """Series that are kept equally long, in tables of their own, for time-window compaction wants one TTL a table.

    retention_ms: by resolution. digests: whether rollups hold t-digests.
    """

    name: str
    retention_ms: Mapping[Resolution, int]
    digests: bool = True

    def table(self, resolution: Resolution) -> str:
        """The name of its table; the class of all that no rule names has the plain names."""
        table = resolution.value.table
        return table if self.name == STANDARD else f"{table}_{self.name}"


STANDARD = "standard"
ROLLED = tuple(Resolution)[1:]
"""The resolutions above the samples, the finest first."""
OF_WIDTH = {resolution.value.width_ms: resolution for resolution in ROLLED}
"""Those resolutions by the width (ms) of their windows."""
BELOW: Mapping[Resolution, Resolution] = {
    Resolution.MIN1: Resolution.RAW,
    Resolution.MIN5: Resolution.MIN1,
    Resolution.HOUR1: Resolution.MIN5,
    Resolution.DAY1: Resolution.HOUR1,
}
"""What each level is built from."""
ABOVE: Mapping[Resolution, Resolution] = {below: level for level, below in BELOW.items()}
HEAD_RETENTION_MS = 6 * HOUR_MS
RAW_GRACE_MS = HOUR_MS
"""Raw parts outlive their retention by this, so that a late rebuild still finds them."""
LATENESS_MS = 10 * 60_000
"""How long the jobs may take to store what a collector has accepted, without its having become too old meanwhile."""
MARK_RETENTION_MS = 7 * DAY_MS
"""How long a bucket may wait to be rebuilt."""
CHANGES_RETENTION_MS = 7 * DAY_MS
"""Longer than anything that was made of blocks is kept."""
OUTCOME_RETENTION_MS = 6 * HOUR_MS
"""How long what became of a mark can be read."""
STORED_BATCHES_PERIOD_MS = HOUR_MS
STORED_BATCHES_RETENTION_MS = 26 * HOUR_MS
"""How long after a batch was stored the audit can still see that it was."""
INDEX_PERIOD_MS = DAY_MS
INDEX_RETENTION_MS = 3 * 365 * DAY_MS

ROLLUP_COLUMNS: dict[str, str] = {
    "count": "<u4",
    "sum": "<f8",
    "squares": "<f8",
    "min": "<f8",
    "max": "<f8",
    "first": "<f8",
    "first_time": "<i4",
    "last": "<f8",
    "last_time": "<i4",
    "reset_total": "<f8",
    "resets": "<u4",
}
"""The aggregates of a rollup row, and how each is packed; times are ms after the start of the window."""
QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
"""Kept beside the digest, which is many times as large."""
DIGEST = "digest"
ROLLUP_BLOBS = (*ROLLUP_COLUMNS, *QUANTILES, DIGEST)
"""The blob columns of a rollup table, beside the ids; those of QUANTILES and DIGEST are null without digests."""


def accepted_ms(kept: StorageClass) -> int:
    """How old (ms) a sample of this class may be for a collector to accept it: the tables take it for longer."""
    retention = kept.retention_ms[Resolution.RAW]
    return retention - min(LATENESS_MS, retention // 10)


def ttl_seconds(now_ms: int, window_start: int, retention_ms: int) -> int:
    """Seconds a row of this window may still live; 0 or less means too old to be written."""
    return (window_start + retention_ms - now_ms) // 1000


def index_period(timestamp: int, lane: int) -> int:
    """The start (ms) of the index period of a lane; lanes roll over at different whole minutes."""
    shift = lane * 7919 * MINUTE_MS % INDEX_PERIOD_MS
    return timestamp - (timestamp + shift) % INDEX_PERIOD_MS


def ddl(keyspace: str, replication: int, classes: Sequence[StorageClass]) -> list[str]:
    """CQL that creates what is missing, in order."""
    levels = [_blocks(keyspace, resolution, each) for each in classes for resolution in Resolution]
    return [
        f"CREATE KEYSPACE IF NOT EXISTS {keyspace} WITH replication = "
        f"{{'class': 'NetworkTopologyStrategy', 'replication_factor': {replication}}}",
        f"CREATE TABLE IF NOT EXISTS {keyspace}.settings (name text PRIMARY KEY, value bigint)",
        f"CREATE TABLE IF NOT EXISTS {keyspace}.metrics_head (lane int, minute bigint, partition int, "
        f'"offset" bigint, payload blob, PRIMARY KEY ((lane, minute), partition, "offset")) '
        + _options(HOUR_MS, chunk_kb=16),
        *levels,
        f"CREATE TABLE IF NOT EXISTS {keyspace}.series (lane int, period bigint, metric_group int, id blob, "
        "labels blob, PRIMARY KEY ((lane, period, metric_group), id)) " + _options(30 * DAY_MS, chunk_kb=16),
        f"CREATE TABLE IF NOT EXISTS {keyspace}.series_by_label (lane int, period bigint, label blob, "
        "chunk blob, ids blob, PRIMARY KEY ((lane, period, label), chunk)) "
        + _options(30 * DAY_MS, chunk_kb=16),
        f"CREATE TABLE IF NOT EXISTS {keyspace}.label_values (lane int, period bigint, name text, "
        "value text, PRIMARY KEY ((lane, period, name), value)) " + _options(30 * DAY_MS, chunk_kb=16),
        f"CREATE TABLE IF NOT EXISTS {keyspace}.rollup_progress (resolution text, lane int, "
        "sealed_to bigint, PRIMARY KEY (resolution, lane))",
        f"CREATE TABLE IF NOT EXISTS {keyspace}.generations (resolution text, period bigint, lane int, "
        "mark bigint, writer bigint, version bigint, "
        "PRIMARY KEY ((resolution, period), lane, mark, writer)) " + _options(6 * HOUR_MS, chunk_kb=16),
        f"CREATE TABLE IF NOT EXISTS {keyspace}.rollup_marks (lane int, resolution text, window_start bigint, "
        "pending boolean, complete boolean, origin text, outcome text, "
        "PRIMARY KEY (lane, resolution, window_start)) " + _options(HOUR_MS, chunk_kb=16),
        f"CREATE TABLE IF NOT EXISTS {keyspace}.stored_batches (lane int, period bigint, minute bigint, part blob, "
        "batches blob, PRIMARY KEY ((lane, period), minute, part)) " + _options(HOUR_MS, chunk_kb=16),
    ]


def _blocks(keyspace: str, resolution: Resolution, kept: StorageClass) -> str:
    if resolution is Resolution.RAW:
        key, columns = (
            "window_start, part",
            "part blob, format int, timestamps blob, samples blob",
        )
    else:
        key = "window_start"
        columns = "format int, " + ", ".join(f'"{name}" blob' for name in ROLLUP_BLOBS)
    buckets = max(kept.retention_ms[resolution] // 24, HOUR_MS)
    return (
        f"CREATE TABLE IF NOT EXISTS {keyspace}.{kept.table(resolution)} (lane int, period bigint, metric_group int, "
        f"slice int, window_start bigint, ids blob, {columns}, "
        f"PRIMARY KEY ((lane, period), metric_group, slice, {key})) " + _options(buckets, chunk_kb=256)
    )


def _options(window_ms: int, chunk_kb: int) -> str:
    return (
        "WITH compaction = {'class': 'TimeWindowCompactionStrategy', 'compaction_window_unit': 'HOURS', "
        f"'compaction_window_size': '{max(window_ms // HOUR_MS, 1)}'}} "
        f"AND compression = {{'class': 'ZstdCompressor', 'chunk_length_in_kb': '{chunk_kb}'}} "
        "AND gc_grace_seconds = 3600"
    )
