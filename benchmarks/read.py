"""How long a query takes: 1000 series at 10 s over an hour, from blocks and head.

    python benchmarks/read.py --config streamgauge.yml

Needs a running Cassandra and Kafka; writes to the keyspace `benchmark_read`, and drops it in the end.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa

from schemas.batches import batch
from schemas.blocks.codec import ON_TIME
from schemas.tables import Resolution
from schemas.units import MINUTE_MS
from sinks.cassandra.write_blocks import BlockStore
from sinks.cassandra.write_head import HeadStore
from sinks.cassandra.write_index import IndexStore
from streamgauge.config import Config, read
from streamgauge.gateway.query.queries import Queries
from streamgauge.gateway.request.parameters import Form
from streamgauge.rollup.aggregates import aggregate
from streamgauge.series import ids as series_ids
from streamgauge.series.labels import NAME, canonical
from streamgauge.series.matchers import Matcher, MatchOp
from streamgauge.series.samples import Samples
from streamgauge.store import schema
from streamgauge.store.progress import ProgressStore
from streamgauge.store.reader import Reader
from streamgauge.store.reading import ReadContext
from streamgauge.store.session import connect

SERIES = 1000
MINUTES = 60
SEALED_MINUTES = 58
STEP_MS = 10_000
ROUNDS = 20


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--config", type=Path)
    config = read(arguments.parse_args().config)
    cassandra = config.cassandra.model_copy(update={"keyspace": "benchmark_read"})
    config = config.model_copy(update={"cassandra": cassandra})
    schema.apply(config)
    session = connect(config.cassandra, timeout_s=60)
    try:
        measure(config, session, fill(config, session))
    finally:
        session.execute("DROP KEYSPACE benchmark_read")
        session.cluster.shutdown()


def fill(config: Config, session: object) -> int:
    """Write what the jobs would have written up to now; return the time (ms) of the first sample."""
    head, blocks, index = (
        HeadStore(session),
        BlockStore(session, config.shards, config.storage_classes[-1]),
        IndexStore(session, config.shards),
    )
    start = int(time.time() * 1000) // MINUTE_MS * MINUTE_MS - (MINUTES - 1) * MINUTE_MS
    labels = [canonical({"__name__": "load", "instance": f"host-{n:04}"}) for n in range(SERIES)]
    by_id = dict(sorted((series_ids.series_id(data), data) for data in labels))
    ids = series_ids.from_bytes(b"".join(by_id))
    lanes = series_ids.lanes_of(ids, config.layout.lanes)
    random = np.random.default_rng(1)
    for lane in range(config.layout.lanes):
        own = ids[lanes == lane]
        packed = series_ids.to_bytes(own)
        rows = {packed[at : at + 16]: by_id[packed[at : at + 16]] for at in range(0, len(packed), 16)}
        index.write(lane, start, rows)
        index.write(lane, start + MINUTES * MINUTE_MS, rows)
        for number in range(MINUTES):
            minute = start + number * MINUTE_MS
            times = np.tile(np.arange(minute, minute + MINUTE_MS, STEP_MS), len(own))
            offsets = np.arange(len(own) + 1) * (MINUTE_MS // STEP_MS)
            samples = Samples(own, offsets, times, random.normal(50, 10, len(times)).round(2))
            if number < SEALED_MINUTES:
                blocks.write_raw(lane, minute, ON_TIME, samples)
                blocks.write_rollup(Resolution.MIN1, lane, minute, aggregate(samples, minute))
            else:
                payload = batch.encode(samples, pa.array(list(rows.values()), pa.binary()))
                head.write(lane, minute, 0, number, payload)
        head.settle()
        ProgressStore(session).write(Resolution.MIN1, lane, start + SEALED_MINUTES * MINUTE_MS)
    return start


def measure(config: Config, session: object, start: int) -> None:
    """Print the median and the fastest of some rounds of each step of a query, and the CPU time used here."""
    reader = Reader(session, config.shards, config.storage_classes)
    end = start + MINUTES * MINUTE_MS - 1
    queries = Queries(config.gateway, reader, lambda: end)
    everything, one = Form("query=load"), Form("query=load{instance='host-0500'}")
    hour = f"&start={start / 1000}&end={end / 1000}&step=15"
    matchers = [Matcher(NAME, MatchOp.EQUAL, "load")]
    selection = reader.select(matchers, start, end)
    found = reader.raw(selection, start, end)
    print(f"{len(found.ids)} series, {len(found.values)} samples")
    _time("look up 1000 series", lambda: reader.select(matchers, start, end))
    _time("read their samples of an hour", lambda: reader.raw(selection, start, end))
    _time("instant query, 1000 series", lambda: queries.instant(everything, ReadContext()))
    _time(
        "range query, 1000 series, step 15 s", lambda: queries.range(Form("query=load" + hour), ReadContext())
    )
    _time("instant query, 1 series", lambda: queries.instant(one, ReadContext()))
    columns = ["count", "sum", "min", "max", "p99"]
    _time(
        "read 5 columns of their rollups",
        lambda: reader.rollups(selection, Resolution.MIN1, start, end, columns),
    )


def _time(what: str, action: Callable[[], object]) -> None:
    took, used = [], []
    for _ in range(ROUNDS):
        began, cpu = time.perf_counter(), time.process_time()
        action()
        took.append((time.perf_counter() - began) * 1000)
        used.append((time.process_time() - cpu) * 1000)
    wall, least, cpu = np.median(took), min(took), np.median(used)
    print(f"{what:40} median {wall:7.1f} ms, fastest {least:7.1f} ms, CPU {cpu:7.1f} ms")


if __name__ == "__main__":
    main()
