"""Bytes on disk of raw blocks and rollups with digests, in a real Cassandra after a flush and a major compaction.

    python benchmarks/disk.py [--hours 26]

Real metrics (`benchmarks/data`), written by the jobs' own writers: BlockStore for raw blocks and minutes, Rebuilder
for the levels above. All files of a table count, indexes and filters too. Also what building a bucket reads back.

node, both: the 33 minutes as they were recorded, of node_exporter, and with Flink's reporter, most of whose series
live for minutes. changing: those of node_exporter that change with at least half of their samples. h: node_exporter's
again and again: counters go on, their steps and the gauges are turned by another time for each series and repetition
and gauges are scaled, so that no row is like an earlier one.
"""

import argparse
import contextlib
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

import exporters
import numpy as np
from own_stack import STORES, configuration, own_stack
from rich.console import Console
from rich.table import Table

from schemas.blocks.codec import ON_TIME
from schemas.tables import DIGEST, ROLLUP_COLUMNS, Resolution
from schemas.units import MINUTE_MS
from sinks.cassandra.rebuild import BELOW, Rebuilder
from sinks.cassandra.write_blocks import BlockStore
from streamgauge.config import Config, Layout, Storage, StorageClassSettings
from streamgauge.local.servers import jars
from streamgauge.local.servers.cassandra import EXPORTS, OPENS
from streamgauge.local.stack import Stack
from streamgauge.rollup.aggregates import aggregate
from streamgauge.series.id_kernels import rows_of
from streamgauge.series.ids import from_bytes, to_bytes
from streamgauge.series.samples import Samples, take
from streamgauge.store import schema
from streamgauge.store.session import connect

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
STEP_MS = 10_000
AFTER_MS = 660
LEVELS = tuple(BELOW)
DAYS_KEPT = "96h"
SETTLE_S = 3.0


@dataclass
class Population:
    """Minutes of samples, and how they are stored."""

    keyspace: str
    minutes: Mapping[int, Samples]
    layout: Layout
    digests: bool = True
    first: Resolution = Resolution.RAW
    """The finest level that is shown: below it the repetition would flatter."""


@dataclass
class Sizes:
    """Of each level: bytes on disk, samples or series and buckets; of each bucket built: bytes read, series."""

    disk: dict[Resolution, int]
    number: dict[Resolution, int]
    read: dict[Resolution, tuple[float, float]]


def repeated(hours: int) -> dict[int, Samples]:
    """node_exporter for so many hours, of which the last begins at the last UTC midnight."""
    recorded = [each for each in exporters.minutes("node").values() if len(each.values) == 6 * len(each.ids)]
    ids, series = recorded[0].ids, len(recorded[0].ids)
    values = np.concatenate([each.values.reshape(series, 6) for each in recorded], axis=1)
    midnight = int(time.time() * 1000) // DAY_MS * DAY_MS
    start, total = midnight + HOUR_MS - hours * HOUR_MS, hours * 60
    random = np.random.default_rng(1)
    found, upto = {}, np.zeros((series, 1))
    for minute in range(total):
        at = minute % len(recorded)
        if at == 0:
            now = _varied(values, random, upto)
        times = start + minute * MINUTE_MS + AFTER_MS + np.tile(np.arange(6) * STEP_MS, series)
        own = np.ascontiguousarray(now[:, 6 * at : 6 * at + 6]).reshape(-1)
        found[start + minute * MINUTE_MS] = Samples(ids, np.arange(series + 1) * 6, times, own)
    return found


def _varied(values: np.ndarray, random: np.random.Generator, upto: np.ndarray) -> np.ndarray:
    """One repetition; `upto` is how far each counter has come, and is moved on."""
    steps = np.diff(values, axis=1, append=values[:, -1:])
    found = np.empty_like(values)
    for row, own in enumerate(values):
        turn = int(random.integers(len(own)))
        if (steps[row] >= 0).all():
            found[row] = own[0] + upto[row] + np.cumsum(np.roll(steps[row], turn))
            upto[row] += steps[row].sum()
        else:
            digits = next((d for d in range(7) if np.array_equal(np.round(own, d), own)), 17)
            found[row] = np.round(np.roll(own, turn) * random.uniform(0.9, 1.1), digits)
    return found


def recorded(job: str | None) -> dict[int, Samples]:
    """The minutes as they were recorded, the first one at the last UTC midnight."""
    minutes = exporters.minutes(job)
    shift = int(time.time() * 1000) // DAY_MS * DAY_MS - min(minutes)
    return {
        minute + shift: samples._replace(timestamps=samples.timestamps + shift)
        for minute, samples in minutes.items()
    }


def changing(minutes: Mapping[int, Samples]) -> dict[int, Samples]:
    """Only the series that change with at least half of their samples: constant ones take next to nothing."""
    few = list(minutes.values())[1:61]
    changes: Counter[bytes] = Counter()
    for samples in few:
        packed = to_bytes(samples.ids)
        for row, (begin, end) in enumerate(pairwise(samples.offsets)):
            changes[packed[16 * row : 16 * row + 16]] += np.count_nonzero(np.diff(samples.values[begin:end]))
    enough = 2.5 * len(few)
    kept = from_bytes(b"".join(sorted(identity for identity, times in changes.items() if times >= enough)))
    return {minute: take(samples, rows_of(samples.ids, kept)) for minute, samples in minutes.items()}


def write(session: object, config: Config, population: Population) -> Sizes:
    """Write all levels; the sizes on disk are not known yet."""
    kept = config.storage_classes[-1]
    store = BlockStore(session, config.shards, kept)
    rebuilder = Rebuilder(session, config.shards, [kept], lambda: int(time.time() * 1000))
    lane = 0
    number = dict.fromkeys(Resolution, 0)
    for minute, samples in population.minutes.items():
        number[Resolution.RAW] += len(samples.values)
        store.write_raw(lane, minute, ON_TIME, samples)
        rolled = aggregate(samples, minute, with_digests=kept.digests)
        number[Resolution.MIN1] += len(rolled.ids)
        store.write_rollup(Resolution.MIN1, lane, minute, rolled)
    read: dict[Resolution, tuple[float, float]] = {}
    for level in LEVELS:
        buckets = list(_buckets(population, level))
        if level is not Resolution.MIN1:
            for start in buckets:
                rebuilder.build(level, lane, start)
                number[level] += sum(
                    len(row.ids)
                    for part in store.read_rollups(level, lane, start, start + 1)
                    for _, row in part
                )
        if buckets:
            read[level] = _read_back(session, level, lane, buckets[-1])
    return Sizes({}, number, read)


def _buckets(population: Population, level: Resolution) -> Iterator[int]:
    """The buckets that are filled, but for minutes that the recording lacks: whole days and hours only."""
    width = level.value.width_ms
    first, last = min(population.minutes), max(population.minutes) + MINUTE_MS
    if width < HOUR_MS:
        yield from sorted({minute - minute % width for minute in population.minutes})
    else:
        yield from range(first + -first % width, last - width + 1, width)


def _read_back(session: object, level: Resolution, lane: int, start: int) -> tuple[float, float]:
    """Bytes of the blobs that building this bucket reads, and the rows they are in."""
    below = BELOW[level].value
    names = ["timestamps", "samples"] if BELOW[level] is Resolution.RAW else [*ROLLUP_COLUMNS, DIGEST]
    columns = ", ".join(f'"{name}"' for name in ("ids", *names))
    rows = session.execute(
        f"SELECT {columns} FROM {below.table} WHERE lane = {lane} AND period = {below.period(start)} AND "
        f"metric_group IN (0, 1, 2, 3) AND slice = 0 "
        f"AND window_start >= {start} AND window_start < {start + level.value.width_ms}"
    )
    sizes = [sum(len(blob) for blob in row if blob is not None) for row in rows]
    return float(sum(sizes)), float(len(sizes))


def nodetool(config: Config, port: int, *arguments: str) -> None:
    """Run Cassandra's own tool."""
    flags = [f"--add-exports={each}=ALL-UNNAMED" for each in EXPORTS]
    flags += [f"--add-opens={each}=ALL-UNNAMED" for each in OPENS]
    tool = ["java", *flags, "-cp", jars.class_path("cassandra"), "org.apache.cassandra.tools.NodeTool"]
    command = [*tool, "-h", config.cassandra.hosts[0], "-p", str(port), *arguments]
    # the servers' options name the very port that this is to connect to
    environment = {name: value for name, value in os.environ.items() if name != "JAVA_TOOL_OPTIONS"}
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=sys.stderr, env=environment)


def on_disk(stack: Stack, keyspace: str) -> dict[Resolution, int]:
    """Bytes of all files of each table, when those that were compacted are gone."""
    tables = stack.home.data / "cassandra" / "data" / keyspace
    before: dict[Resolution, int] = {}
    while True:
        time.sleep(SETTLE_S)
        found = dict.fromkeys(Resolution, 0)
        for level in Resolution:
            for file in tables.glob(f"{level.value.table}-*/*.*"):
                with contextlib.suppress(FileNotFoundError):
                    found[level] += file.stat().st_size
        if found == before:
            return found
        before = found


def table(found: dict[str, tuple[Population, Sizes]]) -> list[Table]:
    """Bytes a sample, or a series and bucket; and what building reads."""
    sizes = Table("bytes on disk", *found)
    for level in Resolution:
        cells = []
        for population, own in found.values():
            shown = own.number[level] and level.value.width_ms >= population.first.value.width_ms
            shown = shown and not (level is Resolution.RAW and population.first is not Resolution.RAW)
            digits = 3 if level is Resolution.RAW else 1
            cells.append(f"{own.disk[level] / own.number[level]:.{digits}f}" if shown else "")
        what = "a sample, raw" if level is Resolution.RAW else f"a series and bucket, {level.value.label}"
        sizes.add_row(what, *cells)
    read = Table("read to build a bucket, rows x bytes a series", *found)
    for level in LEVELS:
        cells = []
        for _, own in found.values():
            bytes_, rows = own.read.get(level, (0, 0))
            series = own.number[level] / max(1, len(list(_buckets(_population(found, own), level))))
            cells.append(f"{rows:.0f} x {bytes_ / rows / series:.0f}" if rows else "")
        read.add_row(level.value.label, *cells)
    return [sizes, read]


def _population(found: dict[str, tuple[Population, Sizes]], own: Sizes) -> Population:
    return next(population for population, sizes in found.values() if sizes is own)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hours", type=int, default=26)
    hours = parser.parse_args().hours
    one = Layout(lanes=1, groups=1)
    days = repeated(hours)
    populations = {
        "node": Population("disk_node", recorded("node"), one),
        "changing": Population("disk_changing", changing(recorded("node")), one),
        "node, no digests": Population("disk_plain", recorded("node"), one, digests=False),
        "both": Population("disk_both", recorded(None), one),
        f"changing, {hours} h": Population("disk_busy", changing(days), one, first=Resolution.MIN5),
        f"node, {hours} h": Population("disk_days", days, one, first=Resolution.MIN5),
        "no digests": Population("disk_bare", days, one, digests=False, first=Resolution.MIN5),
    }
    base = configuration("disk", one, partitions=1)
    jmx = base.local.flink_metrics_ports[0]
    os.environ["JAVA_TOOL_OPTIONS"] = f"-Dcassandra.jmx.local.port={jmx}"
    found = {}
    with own_stack(base, STORES) as stack:
        for name, population in populations.items():
            config = base.model_copy(
                update={
                    "layout": population.layout,
                    "cassandra": base.cassandra.model_copy(update={"keyspace": population.keyspace}),
                    "storage": Storage(
                        classes={
                            "standard": StorageClassSettings(
                                retention={"raw": DAYS_KEPT}, digests=population.digests
                            )
                        }
                    ),
                }
            )
            schema.apply(config)
            session = connect(config.cassandra, timeout_s=60)
            own = write(session, config, population)
            session.cluster.shutdown()
            nodetool(config, jmx, "flush", population.keyspace)
            nodetool(config, jmx, "compact", population.keyspace)
            own.disk = on_disk(stack, population.keyspace)
            found[name] = population, own
            print(f"{name}: {own.number[Resolution.RAW]} samples written", file=sys.stderr)
    console = Console(width=140)
    for each in table(found):
        console.print(each)


if __name__ == "__main__":
    main()
