"""The source: `metrics.raw` as a stream of rows, with time that no single client or collector can poison.

The watermark of what is stored follows the smaller of the newest sample and the collector's clock (`sent`), so a client
ahead of the others makes nobody late. That of rules follows `sent`, the order of arrival, as far as the newest sample
bears it out: the brokers refuse samples that are far ahead. Both are the same on every replay.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pyflink.common import TypeInformation, Types
from pyflink.datastream import DataStream, KeyedStream
from pyflink.java_gateway import get_gateway
from pyflink.table import StreamTableEnvironment

from schemas.batches.batch import VERSION
from schemas.topics import MAX_FUTURE_MS, RAW
from streamgauge.clients.kafka import table_options
from streamgauge.config import Config
from streamgauge.times import LAST_DATE_MS

_TABLE = "raw_batches"
_SENT = "TRY_CAST(CAST(headers['sent'] AS STRING) AS BIGINT)"
"""The header `sent` in ms."""
_INT = "INT", Types.INT()
_LONG = "BIGINT", Types.LONG()
_BYTES = "BYTES", Types.PRIMITIVE_ARRAY(Types.BYTE())
"""The types of columns, for SQL and for the stream."""


@dataclass(frozen=True, slots=True)
class Start:
    """Where a job starts that has no state: Kafka offsets by partition, else the group's committed ones.

    reset: where it starts if there are none either, "earliest" or "latest". ends: where it ends, if it does.
    first, last: the times (ms) of the newest sample between which it reads.
    """

    offsets: dict[int, int] | None = None
    ends: dict[int, int] | None = None
    first: int = 0
    last: int = LAST_DATE_MS
    reset: str = "earliest"

    def options(self) -> dict[str, str]:
        """As options of the Kafka table."""
        if not self.offsets:
            return {"scan.startup.mode": "group-offsets", "properties.auto.offset.reset": self.reset}
        starts = {
            "scan.startup.mode": "specific-offsets",
            "scan.startup.specific-offsets": _places(self.offsets),
        }
        if self.ends is None:
            return starts
        return starts | {
            "scan.bounded.mode": "specific-offsets",
            "scan.bounded.specific-offsets": _places(self.ends),
            "scan.topic-partition-discovery.interval": "0",
        }

    def alignment(self, group: str) -> dict[str, str]:
        """A partition that catches up must not fill the state with minutes that others have not reached.

        A bounded source fails with it, when one partition has come to its end and another has not.
        """
        if self.ends is not None:
            return {}
        return {
            "scan.watermark.alignment.group": group,
            "scan.watermark.alignment.max-drift": "2 min",
            "scan.watermark.alignment.update-interval": "200 ms",
        }


def _by_samples(config: Config) -> str:
    """The watermark of what is stored, in SQL."""
    return f"CASE WHEN sent < ts THEN sent ELSE ts END - {_seconds(config.stream.lag_ms)}"


def _by_arrival(config: Config) -> str:
    """The watermark of rules, in SQL."""
    latest = f"ts + {_seconds(MAX_FUTURE_MS)}"
    return f"CASE WHEN sent < {latest} THEN sent ELSE {latest} END - {_seconds(config.alerts.lag_ms)}"


def _seconds(time_ms: int) -> str:
    return f"INTERVAL '{time_ms / 1000:.3f}' SECOND"


def _places(offsets: dict[int, int]) -> str:
    return ";".join(f"partition:{partition},offset:{offset}" for partition, offset in sorted(offsets.items()))


def batches(tables: StreamTableEnvironment, config: Config, group: str, start: Start) -> DataStream:
    """Every message, as the columns of `Message`; its time is the newest sample's."""
    _declare(tables, config, group, start, _by_samples(config))
    return tables.to_data_stream(
        tables.sql_query(
            "SELECT `key`, headers['version'] AS version, headers['sent'] AS sent, headers['producer'] AS producer,"
            f" `partition`, `offset`, payload, ts FROM {_TABLE}"
        )
    )


def batches_by_lane(tables: StreamTableEnvironment, config: Config, group: str, start: Start) -> KeyedStream:
    """Messages whose envelope is good, keyed by lane: rows of (partition, offset, payload)."""
    _declare(tables, config, group, start, _by_samples(config))
    row = {"`partition`": _INT, "`offset`": _LONG, "payload": _BYTES}
    return _keyed(tables, config, "lane", row, _between(start))


def batches_by_shard(tables: StreamTableEnvironment, config: Config, group: str, start: Start) -> KeyedStream:
    """Messages whose envelope is good, keyed by shard: rows of (lane, sent, partition, offset, payload)."""
    _declare(tables, config, group, start, _by_arrival(config))
    row = {"lane": _INT, _SENT: _LONG, "`partition`": _INT, "`offset`": _LONG, "payload": _BYTES}
    return _keyed(tables, config, f"MOD(lane, {config.alert_shards})", row)


def _keyed(
    tables: StreamTableEnvironment,
    config: Config,
    key: str,
    row: dict[str, tuple[str, TypeInformation]],
    condition: str = "",
) -> KeyedStream:
    """Messages whose envelope is good, keyed by an expression; row: expressions with their types.

    The others are the store job's to set aside. The key is made in SQL: DataStream.key_by would send every
    payload through Python once more.
    """
    types = ", ".join(f"f{at} {name}" for at, (name, _) in enumerate(row.values()))
    keyed = tables.to_data_stream(
        tables.sql_query(
            f"SELECT {key} AS k, CAST(ROW({', '.join(row)}) AS ROW<{types}>) AS v"
            f", ts FROM {_TABLE} WHERE lane >= 0 AND lane < {config.layout.lanes}"
            " AND CAST(lane AS STRING) = CAST(`key` AS STRING)"
            f" AND CAST(headers['version'] AS STRING) = '{VERSION.decode()}'"
            f" AND {_SENT} >= 0{condition}"
        )
    )
    values = Types.ROW([each for _, each in row.values()])
    return keyed_by_first_field([keyed], Types.INT(), values, Types.INSTANT())


def _readers(config: Config) -> dict[str, str]:
    """No more readers than partitions: one without any would hold up time."""
    partitions = config.kafka.partitions
    return {"scan.parallelism": str(partitions)} if partitions < config.flink.parallelism else {}


def _between(start: Start) -> str:
    if start.first == 0 and start.last == LAST_DATE_MS:
        return ""
    return f" AND ts BETWEEN TO_TIMESTAMP_LTZ({start.first}, 3) AND TO_TIMESTAMP_LTZ({start.last}, 3)"


def keyed_by_first_field(
    streams: Sequence[DataStream], key: TypeInformation, row: TypeInformation, *rest: TypeInformation
) -> KeyedStream:
    """What DataStream.key_by makes of streams of (key, row), without the Python operator before it."""
    for stream in streams:
        types = Types.ROW([key, row, *rest]).get_java_type_info()
        stream._j_data_stream.getTransformation().setOutputType(types)
    first, *others = streams
    whole = first.union(*others) if others else first
    selector = get_gateway().jvm.KeyByKeySelector()
    keyed = whole._j_data_stream.keyBy(selector, Types.ROW([key]).get_java_type_info())
    return KeyedStream(keyed, row, whole)


def _declare(
    tables: StreamTableEnvironment, config: Config, group: str, start: Start, watermark: str
) -> None:
    options = {
        "topic": RAW,
        "properties.group.id": group,
        "key.format": "raw",
        "key.fields": "key",
        "value.format": "raw",
        "value.fields-include": "EXCEPT_KEY",
        "scan.topic-partition-discovery.interval": "10 s",
        "scan.watermark.emit.strategy": "on-periodic",
        **_readers(config),
        **start.alignment(group),
        **start.options(),
    }
    tables.execute_sql(
        f"""CREATE TEMPORARY TABLE {_TABLE} (
            `key` BYTES,
            payload BYTES,
            `partition` INT METADATA VIRTUAL,
            `offset` BIGINT METADATA VIRTUAL,
            ts TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL,
            headers MAP<STRING, BYTES> METADATA VIRTUAL,
            lane AS TRY_CAST(CAST(`key` AS STRING) AS INT),
            sent AS TO_TIMESTAMP_LTZ(LEAST(GREATEST(COALESCE({_SENT}, 0), 0), {LAST_DATE_MS}), 3),
            WATERMARK FOR ts AS {watermark}
        ) WITH ({table_options(config.kafka, options)})"""
    )
