"""The job of SQL rules: a SELECT over samples in each file of a folder, its rows into alerts.

flink run -d --jarfile flink-sql-connector-kafka.jar -py jobs/sql_rules.py --config streamgauge.yml --rules DIR
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from pyflink.common import Types
from pyflink.table import StreamTableEnvironment

from operators.environment import BY_TICKS, arguments, environments
from operators.raw_batches import Start, batches
from operators.rules.group_output import send_alerts
from operators.rules.pick_samples import SAMPLE, PickSamples, as_table
from operators.rules.sql_alerts import SqlAlerts
from operators.rules.sql_script import RefusedRules, keyed_rows
from streamgauge.config import Config
from streamgauge.rules.machine.alert_output import NO_EXTERNAL_URL
from streamgauge.rules.sql.reader import read_folder
from streamgauge.rules.sql.rule import SqlRule
from streamgauge.rules.sql.script import TABLE, render

NAME = "streamgauge-sql-rules"


def build(tables: StreamTableEnvironment, config: Config, rules: Sequence[SqlRule]) -> None:
    """Wire the job into the environment.

    :raises RefusedRules: if Flink refuses the SQL of any rule.
    """
    script = render(rules)
    samples = (
        batches(tables, config, NAME, Start(reset="latest"))
        .process(PickSamples(config, [call.selector for call in script.selectors]), output_type=SAMPLE)
        .name("pick samples")
        .uid("pick-samples")
    )
    as_table(tables, samples, TABLE)
    alerts = (
        keyed_rows(tables, script)
        .process(SqlAlerts(config, {one.file: one.statement.text for one in rules}), output_type=Types.INT())
        .name("alerts of SQL rules")
        .uid("sql-alerts")
    )
    send_alerts(tables, alerts, config)


def _flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--rules", type=Path, required=True, metavar="DIR", help="the folder of the .sql files"
    )


if __name__ == "__main__":
    configuration, given = arguments(__doc__, _flags)
    found, faults = read_folder(given.rules, configuration.rules.severities)
    if faults:
        sys.exit("\n".join(map(str, faults)))
    if not configuration.alerts.external_url:
        print(NO_EXTERNAL_URL, file=sys.stderr)
    # a partition that is held up must not be taken for one without samples
    environment, table_environment = environments(configuration, bundles=BY_TICKS, idle_s=0)
    try:
        build(table_environment, configuration, found)
    except RefusedRules as refused:
        sys.exit(str(refused))
    environment.execute(NAME)
