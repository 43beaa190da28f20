"""The alert job: rules evaluated on the stream, tick by tick, into alerts and recorded series.

flink run -d --jarfile flink-sql-connector-kafka.jar -py jobs/alerts.py --config streamgauge.yml
"""

import sys

from pyflink.common import Types
from pyflink.table import StreamTableEnvironment

from operators.environment import BY_TICKS, arguments, environments
from operators.raw_batches import Start, batches_by_shard
from operators.rules.evaluate_rules import PART, EvaluateRules
from operators.rules.group_output import send_alerts
from operators.rules.merge_rules import MergeRules
from streamgauge.config import Config
from streamgauge.rules.machine.alert_output import NO_EXTERNAL_URL

NAME = "streamgauge-alerts"


def build(tables: StreamTableEnvironment, config: Config) -> None:
    """Wire the job into the environment."""
    parts = (
        batches_by_shard(tables, config, NAME, Start(reset="latest"))
        .process(EvaluateRules(config), output_type=PART)
        .name("evaluate rules")
        .uid("evaluate-rules")
    )
    merged = (
        parts.key_by(lambda row: row[0], key_type=Types.STRING())
        .process(MergeRules(config), output_type=Types.INT())
        .name("merge rules")
        .uid("merge-rules")
    )
    send_alerts(tables, merged, config)


if __name__ == "__main__":
    configuration, _ = arguments(__doc__)
    if not configuration.alerts.external_url:
        print(NO_EXTERNAL_URL, file=sys.stderr)
    # a partition that is held up must not be taken for one without samples
    environment, table_environment = environments(configuration, bundles=BY_TICKS, idle_s=0)
    build(table_environment, configuration)
    environment.execute(NAME)
