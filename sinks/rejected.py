"""Messages that are not batches, to `metrics.rejected` as they came, with the reason in the headers."""

from pyflink.datastream import DataStream
from pyflink.table import DataTypes, Schema, StatementSet, StreamTableEnvironment

from schemas.topics import REJECTED
from streamgauge.config import Config

_TABLE = "rejected_batches"


def send_rejected(
    tables: StreamTableEnvironment, statements: StatementSet, rejected: DataStream, config: Config
) -> None:
    """Add the sink for rows of (key, payload, headers)."""
    tables.execute_sql(
        f"""CREATE TEMPORARY TABLE {_TABLE} (
            `key` BYTES, payload BYTES, headers MAP<STRING, BYTES> METADATA
        ) WITH (
            'connector' = 'kafka', 'topic' = '{REJECTED}',
            'properties.bootstrap.servers' = '{config.kafka.bootstrap}',
            'properties.compression.type' = 'lz4',
            'key.format' = 'raw', 'key.fields' = 'key',
            'value.format' = 'raw', 'value.fields-include' = 'EXCEPT_KEY',
            'sink.delivery-guarantee' = 'at-least-once'
        )"""
    )
    schema = (
        Schema.new_builder()
        .column("key", DataTypes.BYTES())
        .column("payload", DataTypes.BYTES())
        .column("headers", DataTypes.MAP(DataTypes.STRING(), DataTypes.BYTES()))
        .build()
    )
    statements.add_insert(_TABLE, tables.from_data_stream(rejected, schema))
