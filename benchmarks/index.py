"""The series index: writing a million new series, looking series up among them, and the rollover of its period.

    python benchmarks/index.py [--series 1000000] [--skip-rollover]

Writes straight by the store job's IndexStore, 1000 series at a time as batches bring them, then asks the gateway's
IndexReader. The rollover: a stack with the store job, whose lanes' index periods end one after the other while samples
come in and single ones are followed (`probes.py`): how long those of a lane take before and after all of its series
have to be written to the index again.
"""

import argparse
import time

import numpy as np
from feeder import feeding
from flink_counters import FlinkCounters
from load import by_lane, label_set
from own_stack import CLUSTER, STORES, configuration, own_stack
from probes import Prober, identity
from rich.console import Console
from rich.table import Table
from store_latency import latency_table, wait_until_indexed
from usage import Usage

from schemas.tables import INDEX_PERIOD_MS, index_period
from sinks.cassandra.write_index import IndexStore
from streamgauge.config import Config, Layout
from streamgauge.series import ids as series_ids
from streamgauge.series.labels import NAME
from streamgauge.series.matchers import Matcher, MatchOp
from streamgauge.store.index.read_index import IndexReader
from streamgauge.store.reading import ReadContext
from streamgauge.store.session import connect

LANES = 128
ROUNDS = 20
RATE = 20_000
SERIES_A_LANE = 10_000
MINUTE_MS = 60_000
PROBES = 4


def write_and_read(series: int) -> list[Table]:
    """Write so many series, then look some up."""
    config = configuration("index", Layout(lanes=LANES, groups=4))
    with own_stack(config, STORES) as stack:
        session = connect(config.cassandra, timeout_s=60)
        usage = Usage(stack)
        now = int(time.time() * 1000)
        store = IndexStore(session, config.shards)
        rows = list(by_lane(range(series), LANES))
        began, own = time.perf_counter(), time.process_time()
        for lane, batch in rows:
            store.write(lane, now, batch)
        took, own = time.perf_counter() - began, time.process_time() - own
        cpu = usage.since_start()
        usage.stop()
        written = Table(f"{series:,} new series", "")
        written.add_row("seconds, one writer", f"{took:.0f}")
        written.add_row("series/s", f"{series / took:,.0f}")
        written.add_row("CPU seconds of the writer", f"{own:.0f}")
        written.add_row("CPU seconds of Cassandra", f"{cpu['Cassandra']:.0f}")
        found = _look_ups(config, session, series, now)
        session.cluster.shutdown()
        return [written, found]


def _look_ups(config: Config, session: object, series: int, now: int) -> Table:
    last = label_set(series - 1)
    metric, instance, device = (last[name] for name in (NAME, "instance", "device"))
    questions = {
        "one metric of one host": [(NAME, metric), ("instance", instance)],
        "one device of one host": [("device", device), ("instance", instance)],
        "one device of one metric": [(NAME, metric), ("device", device)],
    }
    table = Table(
        f"look-up among {series:,}", "series found", "first, ms", "median, ms", "CPU of the reader, ms"
    )
    for name, pairs in questions.items():
        matchers = [Matcher(label, MatchOp.EQUAL, value) for label, value in pairs]
        took, used, found = [], [], 0
        for _ in range(ROUNDS):
            # a reader of its own: nothing is remembered from the round before
            reader = IndexReader(session, config.shards, lambda: now)
            began, cpu = time.perf_counter(), time.process_time()
            found = len(reader.select(matchers, now - MINUTE_MS, now, ReadContext()).ids)
            took.append((time.perf_counter() - began) * 1000)
            used.append((time.process_time() - cpu) * 1000)
        row = (f"{found:,}", f"{took[0]:.1f}", f"{np.median(took):.1f}", f"{np.median(used):.1f}")
        table.add_row(name, *row)
    return table


def rollover() -> list[Table]:
    """Follow samples of a lane whose index period ends in the middle."""
    # lane n, if even, rolls over n minutes after midnight
    minute_of_day = int(time.time() // 60) % 1440
    lane = (minute_of_day + 5) // 2 * 2
    lanes = max(512, 1 << lane.bit_length())
    numbers = _series_of(lane, lanes)
    config = configuration("rollover", Layout(lanes=lanes, groups=4))
    at = _rolls_over(lane, int(time.time() * 1000))
    parts = CLUSTER | {"store", "gateway", "redis", "collector"}
    with own_stack(config, parts) as stack:
        url = f"http://{config.collector.listen}/api/v1/write"
        with feeding(url, range(SERIES_A_LANE), SERIES_A_LANE / RATE, lane=(lane, lanes)):
            wait_until_indexed(FlinkCounters(config))
            prober = Prober(config, [config.collector.listen], numbers)
            prober.warm()
            left = at / 1000 - time.time()
            if left < 20:
                raise RuntimeError("the stack was not ready before the rollover: run it again")
            prober.run(left)
            before, prober.probes = prober.probes, []
            prober.run(45)
            after = prober.probes
            found = []
            for title, probes in (("before the rollover", before), ("the 45 s after it", after)):
                prober.probes = probes
                found.append(latency_table(f"{SERIES_A_LANE:,} series of one lane, {title}", prober.parts()))
            del stack
            return found


def _rolls_over(lane: int, now: int) -> int:
    """When the lane's index period ends (ms)."""
    return index_period(now, lane) + INDEX_PERIOD_MS


def _series_of(lane: int, lanes: int) -> list[int]:
    """Probes whose series are of this lane."""
    found: list[int] = []
    number = 0
    while len(found) < PROBES:
        if series_ids.lane_of(identity(number), lanes) == lane:
            found.append(number)
        number += 1
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--series", type=int, default=1_000_000)
    parser.add_argument("--skip-rollover", action="store_true")
    given = parser.parse_args()
    console = Console(width=110)
    for table in write_and_read(given.series):
        console.print(table)
    if not given.skip_rollover:
        for table in rollover():
            console.print(table)


if __name__ == "__main__":
    main()
