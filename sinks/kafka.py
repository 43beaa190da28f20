"""The one way from a stream to a Kafka topic: at least once, and each message as soon as it is there."""

from pyflink.common import Types
from pyflink.datastream import DataStream
from pyflink.table import DataTypes, Schema, StatementSet, StreamTableEnvironment

from schemas.limits import MAX_MESSAGE_BYTES
from streamgauge.clients.kafka import table_options
from streamgauge.config import Config

_BYTES = Types.PRIMITIVE_ARRAY(Types.BYTE())
_HEADERS = Types.MAP(Types.STRING(), _BYTES)
MESSAGE = Types.ROW_NAMED(["key", "payload", "headers"], [_BYTES, _BYTES, _HEADERS])
"""A message whose time is the producer's; a tombstone has no payload."""
TIMED_MESSAGE = Types.ROW_NAMED(
    ["key", "payload", "headers", "timestamp_ms"], [_BYTES, _BYTES, _HEADERS, Types.LONG()]
)
"""A message with a time of its own."""


def send(
    tables: StreamTableEnvironment,
    statements: StatementSet,
    messages: DataStream,
    config: Config,
    topic: str,
    *,
    timed: bool = False,
) -> None:
    """Add a sink for rows of MESSAGE, or of TIMED_MESSAGE with `timed`."""
    table = topic.replace(".", "_")
    options = {
        "topic": topic,
        "properties.compression.type": "lz4",
        "properties.linger.ms": "0",
        "properties.max.request.size": str(MAX_MESSAGE_BYTES),
        "key.format": "raw",
        "key.fields": "key",
        "value.format": "raw",
        "value.fields-include": "EXCEPT_KEY",
        "sink.delivery-guarantee": "at-least-once",
    }
    tables.execute_sql(
        f"""CREATE TEMPORARY TABLE {table} (
            `key` BYTES, payload BYTES, headers MAP<STRING, BYTES> METADATA
            {", ts TIMESTAMP_LTZ(3) METADATA FROM 'timestamp'" if timed else ""}
        ) WITH ({table_options(config.kafka, options)})"""
    )
    schema = (
        Schema.new_builder()
        .column("key", DataTypes.BYTES())
        .column("payload", DataTypes.BYTES())
        .column("headers", DataTypes.MAP(DataTypes.STRING(), DataTypes.BYTES()))
    )
    if timed:
        schema = schema.column("timestamp_ms", DataTypes.BIGINT())
    tables.create_temporary_view(f"{table}_messages", tables.from_data_stream(messages, schema.build()))
    time = ", TO_TIMESTAMP_LTZ(timestamp_ms, 3)" if timed else ""
    statements.add_insert_sql(
        f"INSERT INTO {table} SELECT `key`, payload, headers{time} FROM {table}_messages"
    )
