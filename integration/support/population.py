"""Samples written straight to the tables by the jobs' own writers, and what reading them must give."""

import numpy as np
import pyarrow as pa

from schemas.batches import batch
from schemas.blocks.codec import ON_TIME, late_part
from schemas.tables import Resolution, StorageClass
from schemas.units import MINUTE_MS
from sinks.cassandra.rebuild import Rebuilder
from sinks.cassandra.write_blocks import BlockStore
from sinks.cassandra.write_head import HeadStore
from sinks.cassandra.write_index import IndexStore
from streamgauge.rollup.aggregates import aggregate
from streamgauge.series import ids as series_ids
from streamgauge.series import labels
from streamgauge.series.ids import Shards, lane_of
from streamgauge.series.samples import Samples, concat
from streamgauge.store.changes import GenerationStore
from streamgauge.store.progress import ProgressStore


class Population:
    """Writes samples as the jobs would; remembers them by canonical labels as {timestamp: value}."""

    def __init__(self, session, shards: Shards, kept: StorageClass) -> None:
        self.session = session
        self.truth: dict[bytes, dict[int, float]] = {}
        self._lanes = shards.lanes
        self._blocks = BlockStore(session, shards, kept)
        self._progress = ProgressStore(session)
        self._changes = GenerationStore(session)
        self._rebuilder = Rebuilder(session, shards, [kept], lambda: 0)
        self._head = HeadStore(session)
        self._index = IndexStore(session, shards)
        self._offset = 0

    def push(self, series: dict[bytes, dict[int, float]], sealed: dict[int, int]) -> None:
        """Store series: minutes before a lane's `sealed` as blocks with a late part, others in the head.

        A sealed minute is written anew with all that the lane has: its blocks are replaced.
        """
        for data, samples in series.items():
            self.truth.setdefault(data, {}).update(samples)
        everything = self._by_place(self.truth)
        for lane, minutes in self._by_place(series).items():
            for minute, rows in minutes.items():
                self._index.write(lane, minute, {series_ids.series_id(data): data for data in rows})
                if minute < sealed.get(lane, 0):
                    self._seal(lane, minute, everything[lane][minute])
                else:
                    self.write_head(lane, minute, rows)
        for lane, to in sealed.items():
            self._progress.write(Resolution.MIN1, lane, to)

    def write_head(self, lane: int, minute: int, rows: dict[bytes, dict[int, float]]) -> int:
        """Store one batch and return its offset."""
        self._offset += 1
        payload = batch.encode(_samples(rows), pa.array(sorted(rows, key=series_ids.series_id), pa.binary()))
        self._head.write(lane, minute, 0, self._offset, payload)
        self._head.settle()
        return self._offset

    def roll_up(self, sealed: dict[int, int], start: int) -> None:
        """Build every coarser bucket that ends before a lane's `sealed`, from the one that holds `start`."""
        for level in (Resolution.MIN5, Resolution.HOUR1):
            width = level.value.width_ms
            for lane, to in sealed.items():
                for bucket in range(start - start % width, to - width + 1, width):
                    self._rebuilder.build(level, lane, bucket)
                    self._changes.write(level, lane, bucket)
                self._progress.write(level, lane, to - to % width)

    def _seal(self, lane: int, minute: int, rows: dict[bytes, dict[int, float]]) -> None:
        early = {data: dict(list(samples.items())[::2]) for data, samples in rows.items()}
        late = {
            data: dict(list(samples.items())[1::2] or list(samples.items())) for data, samples in rows.items()
        }
        self._blocks.write_raw(lane, minute, ON_TIME, _samples(early))
        self._blocks.write_raw(lane, minute, late_part(0, 1, 2), _samples(late))
        self._blocks.write_rollup(Resolution.MIN1, lane, minute, aggregate(_samples(rows), minute))
        for resolution in (Resolution.RAW, Resolution.MIN1):
            self._changes.write(resolution, lane, minute)

    def _by_place(self, series):
        places: dict[int, dict[int, dict[bytes, dict[int, float]]]] = {}
        for data, samples in series.items():
            minutes = places.setdefault(lane_of(series_ids.series_id(data), self._lanes), {})
            for timestamp, value in samples.items():
                minutes.setdefault(batch.minute_of(timestamp), {}).setdefault(data, {})[timestamp] = value
        return places


def series(count: int, metric: str, times: range, **constant: str) -> dict[bytes, dict[int, float]]:
    """Series that differ in `instance`, with a sample at each time (ms)."""
    return {
        labels.canonical({"__name__": metric, "instance": f"host-{number}", **constant}): {
            time + number % 7: number + time % MINUTE_MS / 1000 for time in times
        }
        for number in range(count)
    }


def _samples(rows: dict[bytes, dict[int, float]]) -> Samples:
    parts = []
    for data, samples in rows.items():
        ordered = sorted(samples.items())
        parts.append(
            Samples(
                series_ids.from_bytes(series_ids.series_id(data)),
                np.array([0, len(ordered)]),
                np.array([time for time, _ in ordered], np.int64),
                np.array([value for _, value in ordered], np.float64),
            )
        )
    return concat(parts)
