"""What `queries.py` asks for: series in the index, an hour of samples, 30 days of rollups; and that for Prometheus."""

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import count

import numpy as np
import pyarrow as pa
from load import Requests, by_lane, label_set, of_lane

from schemas import limits
from schemas.batches import batch
from schemas.blocks.codec import ON_TIME
from schemas.tables import Resolution
from schemas.units import MINUTE_MS
from sinks.cassandra.rebuild import Rebuilder
from sinks.cassandra.write_blocks import BlockStore
from sinks.cassandra.write_head import HeadStore
from sinks.cassandra.write_index import IndexStore
from streamgauge.config import Config
from streamgauge.rollup.aggregates import aggregate
from streamgauge.series import ids as series_ids
from streamgauge.series.labels import canonical
from streamgauge.series.samples import Samples, take
from streamgauge.store.progress import ProgressStore
from streamgauge.times import now_ms

HOUR_MS = 60 * MINUTE_MS
MONTH_MS = 30 * 24 * HOUR_MS
STEP_MS = 10_000
MONTH_LANES = 3
MONTH_SERIES = 20
"""Of those of the month, so many that Prometheus has too."""
UNSEALED_MINUTES = 2
SERIES_A_REQUEST = 2000


class Data:
    """What is stored, on both sides.

    :param end: ms, the newest time of all; the hour ends there. month_end: a whole hour, with which the month does.
    """

    def __init__(self, series: int, recent: int, lanes: int, end: int) -> None:
        self.series, self.recent, self.lanes, self.end = series, recent, lanes, end
        self.month_end = (end - HOUR_MS) // HOUR_MS * HOUR_MS
        a_lane = series // lanes
        self.month = {lane: of_lane(a_lane, lane, lanes) for lane in range(MONTH_LANES)}
        self.both = self.month[0][:MONTH_SERIES]
        self.month_start = self.month_end - MONTH_MS
        self.first = end - HOUR_MS - 10 * MINUTE_MS
        """The hour's samples begin earlier, for lookbacks and ranges."""


class Filling:
    """Writes the data by the jobs' own writers."""

    def __init__(self, config: Config, session: object, data: Data) -> None:
        self._data, self._config = data, config
        self._index = IndexStore(session, config.shards)
        self._blocks = BlockStore(session, config.shards, config.storage_classes[-1])
        self._head = HeadStore(session)
        self._progress = ProgressStore(session)
        self._rebuilder = Rebuilder(session, config.shards, config.storage_classes, now_ms)
        self._offsets = count()

    def all(self, report: Callable[[str], None]) -> None:
        """Everything, one after the other."""
        for what, write in (
            ("index", self._write_index),
            ("30 days", self._write_month),
            ("hour", self._write_hour),
        ):
            began = time.monotonic()
            write()
            report(f"{what} written in {time.monotonic() - began:.0f} s")

    def _write_index(self) -> None:
        for lane, own in by_lane(range(self._data.series), self._data.lanes):
            self._index.write(lane, self._data.end, own)

    def _write_month(self) -> None:
        for lane, numbers in self._data.month.items():
            ids, _ = _sorted(numbers)
            start = self._data.month_start
            for day in range(start, self._data.month_end + HOUR_MS, 12 * HOUR_MS):
                for _, own in by_lane(numbers, self._data.lanes):
                    self._index.write(lane, day, own)
            for hour in range(start, self._data.month_end, HOUR_MS):
                times = np.array([hour, hour + HOUR_MS - STEP_MS])
                found = aggregate(_samples(ids, times), hour, with_digests=False)
                self._blocks.write_rollup(Resolution.HOUR1, lane, hour, found)

    def _write_hour(self) -> None:
        ids, labels = _sorted(range(self._data.recent))
        lanes = series_ids.lanes_of(ids, self._data.lanes)
        sealed = self._data.end - UNSEALED_MINUTES * MINUTE_MS
        first = self._data.first
        for lane in range(self._data.lanes):
            own = np.flatnonzero(lanes == lane)
            for minute in range(first, self._data.end, MINUTE_MS):
                times = np.arange(minute, minute + MINUTE_MS, STEP_MS)
                samples = _samples(ids[own], times)
                if minute < sealed:
                    self._blocks.write_raw(lane, minute, ON_TIME, samples)
                    aggregates = aggregate(samples, minute)
                    self._blocks.write_rollup(Resolution.MIN1, lane, minute, aggregates)
                else:
                    self._write_head(lane, minute, samples, [labels[row] for row in own])
            self._progress.write(Resolution.MIN1, lane, sealed)
            self._progress.write_index(lane, sealed)
            for level in (Resolution.MIN5, Resolution.HOUR1):
                width = level.value.width_ms
                until = sealed - sealed % width
                for bucket in range(max(first - first % width, self._data.month_end), until, width):
                    self._rebuilder.build(level, lane, bucket)
                self._progress.write(level, lane, until)
        self._head.settle()

    def _write_head(self, lane: int, minute: int, samples: Samples, labels: Sequence[bytes]) -> None:
        for first in range(0, len(labels), limits.MAX_BATCH_SERIES):
            rows = np.arange(first, min(first + limits.MAX_BATCH_SERIES, len(labels)))
            payload = batch.encode(take(samples, rows), pa.array([labels[row] for row in rows], pa.binary()))
            self._head.write(lane, minute, 0, next(self._offsets), payload)


def _sorted(numbers: Sequence[int]) -> tuple[series_ids.Ids, list[bytes]]:
    """Ids and canonical labels of series, in the order of ids."""
    labels = sorted((canonical(label_set(number)) for number in numbers), key=series_ids.series_id)
    return series_ids.from_bytes(b"".join(map(series_ids.series_id, labels))), labels


def _samples(ids: series_ids.Ids, times: np.ndarray) -> Samples:
    """Counters, whose rates follow from their ids."""
    rates = (ids[:, 0] % np.uint64(50)).astype(np.int64) + 1
    values = (times[None, :] // 1000 % 10_000_000) * rates[:, None]
    offsets = np.arange(len(ids) + 1, dtype=np.int64) * len(times)
    return Samples(ids, offsets, np.tile(times, len(ids)), values.astype(np.float64).reshape(-1))


def bodies(data: Data) -> Iterator[bytes]:
    """The remote write requests for Prometheus, in the order of time."""
    month = Requests(data.both, samples=HOUR_MS // STEP_MS, apart_ms=STEP_MS)
    for hour in range(data.month_start, data.month_end, HOUR_MS):
        yield month.body(hour + HOUR_MS - STEP_MS)
    known = set(data.both)
    others = [number for number in range(data.recent, data.series) if number not in known]
    for at in range(0, len(others), SERIES_A_REQUEST):
        yield Requests(others[at : at + SERIES_A_REQUEST]).body(data.first - STEP_MS)
    recent = [number for number in range(data.recent) if number not in known]
    shares = [Requests(recent[at : at + SERIES_A_REQUEST]) for at in range(0, len(recent), SERIES_A_REQUEST)]
    for tick in range(data.first, data.end, STEP_MS):
        yield from (share.body(tick) for share in shares)
