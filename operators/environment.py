"""Set-up of every job: the arguments after the job file, and the Flink settings."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from pyflink.common import Configuration
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.table import StreamTableEnvironment

from streamgauge.config import Config, read
from streamgauge.store.schema import check
from streamgauge.store.session import connected


def arguments(
    description: str, flags: Callable[[argparse.ArgumentParser], None] = lambda _: None
) -> tuple[Config, argparse.Namespace]:
    """The configuration that `--config` names, and a job's own flags; unknown ones are errors.

    :raises SchemaMismatch: if the tables were made with another layout.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", type=Path, default=None, help="the streamgauge.yml of the cluster")
    flags(parser)
    given = parser.parse_args()
    config = read(given.config)
    with connected(config.cassandra) as session:
        check(session, config)
    return config, given


class Bundles(NamedTuple):
    """Rows go to Python together: so many, or what came in `wait_ms`, which is then how long time on the stream lags.

    A bundle costs some milliseconds of CPU on both sides, however few rows it has.
    """

    rows: int
    wait_ms: int


AT_ONCE = Bundles(64, 20)
"""For results that users wait for."""
BY_TICKS = Bundles(100, 100)
"""For ticks of a second and more, so that of a tick of many groups those that come first need not wait for all."""
BY_MINUTES = Bundles(1000, 200)
"""For work done once a minute."""


def environments(
    config: Config, *, checkpoints: bool = True, bundles: Bundles = AT_ONCE, idle_s: int = 10
) -> tuple[StreamExecutionEnvironment, StreamTableEnvironment]:
    """The environments of a job; cluster-wide settings are in flink-conf/config.yaml.

    :param bundles: how rows go to Python and back together.
    :param idle_s: how long a partition may give nothing until time goes on without it, 0 for ever.
    :param checkpoints: a job without them fails at the first failure, and is run again from its beginning.
    """
    settings = Configuration()
    for name, value in {
        "execution.checkpointing.interval": f"{config.flink.checkpoint_interval_s} s",
        "execution.checkpointing.mode": "EXACTLY_ONCE",
        "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
        "python.fn-execution.bundle.time": str(bundles.wait_ms),
        "python.fn-execution.bundle.size": str(bundles.rows),
        "table.exec.uid.generation": "ALWAYS",
        "table.exec.source.idle-timeout": f"{idle_s} s",
        "table.local-time-zone": "UTC",
    }.items():
        settings.set_string(name, value)
    if not checkpoints:
        settings.set_string("restart-strategy.type", "none")
    stream = StreamExecutionEnvironment.get_execution_environment(settings)
    if not checkpoints:
        # PyFlink does not wrap it, and the cluster's own setting is an interval
        stream.get_checkpoint_config()._j_checkpoint_config.disableCheckpointing()
    stream.set_parallelism(config.flink.parallelism)
    tables = StreamTableEnvironment.create(stream)
    return stream, tables
