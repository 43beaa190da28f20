"""The rollup job: writes raw blocks and rollups of every level, late batches included, and seals lanes.

flink run -d --jarfile flink-sql-connector-kafka.jar -py jobs/rollup.py --config streamgauge.yml
"""

from pyflink.common import Types
from pyflink.table import StreamTableEnvironment

from operators.close_minutes import CLOSED_MINUTE, CloseMinutes
from operators.environment import BY_MINUTES, arguments, environments
from operators.raw_batches import Start, batches_by_lane
from operators.roll_up import RollUp
from operators.starting_offsets import from_progress
from streamgauge.config import Config
from streamgauge.store.session import connected

NAME = "streamgauge-rollup"


def build(tables: StreamTableEnvironment, config: Config, start: Start) -> None:
    """Wire the job into the environment; `start` counts only for a job without state."""
    closed = (
        batches_by_lane(tables, config, NAME, start)
        .process(CloseMinutes(config), output_type=CLOSED_MINUTE)
        .name("close minutes")
        .uid("close-minutes")
    )
    (
        closed.key_by(lambda row: row[0], key_type=Types.INT())
        .process(RollUp(config), output_type=Types.INT())
        .name("roll up")
        .uid("roll-up")
    )


def starting_point(config: Config) -> Start:
    """Where a job without state starts."""
    with connected(config.cassandra) as session:
        return from_progress(session, config, NAME)


if __name__ == "__main__":
    configuration, _ = arguments(__doc__)
    environment, table_environment = environments(configuration, bundles=BY_MINUTES)
    build(table_environment, configuration, starting_point(configuration))
    environment.execute(NAME)
