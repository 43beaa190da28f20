"""The backfill job: reads a range of Kafka again, beside the live jobs, and rebuilds its rollups.

flink run --jarfile flink-sql-connector-kafka.jar -py jobs/backfill.py -- --from 2026-11-01T00:00Z --to 2026-11-01T06Z
"""

import argparse
import sys
import uuid
from pathlib import Path

from pyflink.datastream import DataStream
from pyflink.table import StreamTableEnvironment

from operators import replay_range
from operators.environment import BY_MINUTES, arguments, environments
from operators.raw_batches import batches_by_lane
from operators.replay_minutes import REPLAYED, ReplayMinutes
from operators.replay_range import InvalidRange, ReplayRange
from sinks.cassandra import replay_report
from sinks.cassandra.rebuild import Outcome
from streamgauge.config import Config
from streamgauge.store.session import connected
from streamgauge.times import timestamp

NAME = "streamgauge-backfill"
_FAILURES = (Outcome.SHRUNK, Outcome.DAMAGED)


def flags(parser: argparse.ArgumentParser) -> None:
    """The flags of this job."""
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--from", dest="first", type=_time, help="the first minute: RFC 3339, or Unix seconds")
    which.add_argument("--from-offsets", type=Path, help="a JSON file of offsets by partition")
    parser.add_argument(
        "--to", type=_time, help="the end, in the same formats; by default the current minute"
    )
    parser.add_argument("--dry-run", action="store_true", help="write nothing, only report what would change")


def build(
    tables: StreamTableEnvironment, config: Config, read: ReplayRange, origin: str, dry_run: bool
) -> DataStream:
    """Wire the job into the environment."""
    return (
        batches_by_lane(tables, config, NAME, read.start)
        .process(ReplayMinutes(config, origin, read.complete_from, dry_run), output_type=REPLAYED)
        .name("replay minutes")
        .uid("replay-minutes")
    )


def main() -> int:
    """Replay the range, then wait for the live job's rebuilds.

    :returns: the exit code: 1 if Kafka lacks a part of the range, or a bucket could not be built from it.
    """
    config, given = arguments(__doc__, flags)
    try:
        read = _range(config, given)
    except InvalidRange as fault:
        print(fault, file=sys.stderr)
        return 2
    for line in replay_report.incomplete(read.missing):
        _say(line)
    _, tables = environments(config, checkpoints=False, bundles=BY_MINUTES)
    origin = f"backfill-{uuid.uuid4().hex[:8]}"
    with connected(config.cassandra, timeout_s=30.0) as session:
        with build(tables, config, read, origin, given.dry_run).execute_and_collect(NAME) as parts:
            changed = replay_report.follow((tuple(part) for part in parts), read.messages, _say)
        if given.dry_run:
            outcomes = replay_report.would_change(session, config, changed)
        else:
            outcomes = replay_report.wait_for_rebuilds(session, config.layout.lanes, origin, _say)
    print("\n".join([*replay_report.table(outcomes), *replay_report.incomplete(read.missing)]))
    return int(bool(read.missing) or any(outcome in _FAILURES for _, outcome in outcomes))


def _range(config: Config, given: argparse.Namespace) -> ReplayRange:
    if given.from_offsets is None:
        return replay_range.of_times(config, given.first, given.to or timestamp("now"))
    if given.to is not None:
        raise InvalidRange("--to requires --from: the offsets file sets the end of each partition")
    return replay_range.of_offsets(config, given.from_offsets)


def _time(text: str) -> int:
    try:
        return timestamp(text)
    except ValueError as fault:
        raise argparse.ArgumentTypeError(str(fault)) from None


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
