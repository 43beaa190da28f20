"""The store job: writes batches to `metrics_head`, new series to the index, and bad messages to `metrics.rejected`.

flink run -d --jarfile flink-sql-connector-kafka.jar -py jobs/store.py --config streamgauge.yml
"""

from pyflink.common import Types
from pyflink.table import StreamTableEnvironment

from operators.environment import arguments, environments
from operators.index_series import IndexSeries
from operators.raw_batches import Start, batches
from operators.rejections import REJECTED
from operators.store_head import NEW_SERIES, StoreHead
from schemas.topics import REJECTED as REJECTED_TOPIC
from sinks.kafka import send
from streamgauge.config import Config

NAME = "streamgauge-store"


def build(tables: StreamTableEnvironment, config: Config) -> None:
    """Wire the job into the environment."""
    stored = (
        batches(tables, config, NAME, Start())
        .process(StoreHead(config), output_type=NEW_SERIES)
        .name("store head")
        .uid("store-head")
    )
    indexed = (
        stored.key_by(lambda row: row[0], key_type=Types.INT())
        .process(IndexSeries(config), output_type=Types.INT())
        .name("index series")
        .uid("index-series")
    )
    statements = tables.create_statement_set()
    rejected = stored.get_side_output(REJECTED).union(indexed.get_side_output(REJECTED))
    send(tables, statements, rejected, config, REJECTED_TOPIC)
    statements.attach_as_datastream()


if __name__ == "__main__":
    configuration, _ = arguments(__doc__)
    environment, table_environment = environments(configuration)
    build(table_environment, configuration)
    environment.execute(NAME)
