"""Reading samples and rollups of selected series.

The seam: `rollup_progress` is read first; each lane's minutes before it come from blocks, all from it on, and the
last ones before it too, come from the head. So there is no gap, whatever is sealed meanwhile, and what comes from
both is merged.
"""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from cassandra.cluster import Session

from schemas.batch import minute_of
from schemas.tables import HEAD_RETENTION_MS, RAW_GRACE_MS, Resolution, StorageClass
from schemas.topics import MAX_FUTURE_MS
from streamgauge.series.id_kernels import rows_of
from streamgauge.series.ids import Ids, Shards, lanes_of
from streamgauge.series.matchers import Matcher
from streamgauge.series.samples import MINUTE_MS, Samples, between, concat, empty, take
from streamgauge.store.head_cache import HeadCache, Place
from streamgauge.store.read_blocks import BlockReader, RollupRow, Span
from streamgauge.store.read_index import IndexReader, Selection
from streamgauge.store.reading import Reading

SEALED_HEAD_MINUTES = 2
"""So many minutes before the seal are read from the head too: a batch that came between its minute's end and the
seal, or just after, was visible there, and is in no block until its late part is written."""

__all__ = ["Reader", "Reading", "Rollups", "Selection"]


class Rollups(NamedTuple):
    """Rollups grouped by series.

    ids: (n, 2) uint64, sorted, distinct. offsets: (n + 1,) int64; series i owns [offsets[i], offsets[i + 1]).
    window_starts: (m,) int64 ms, rising within a series. columns: an array of length m a name, as packed by
    ROLLUP_COLUMNS; `first_time` and `last_time` are ms after the window's start.
    """

    ids: Ids
    offsets: npt.NDArray[np.int64]
    window_starts: npt.NDArray[np.int64]
    columns: dict[str, npt.NDArray[np.generic]]


class Reader:
    """Reads what the jobs store. One for a process; all methods may be called from many threads.

    :param session: in the keyspace. :param classes: how long what is kept. :param clock: the time in ms; nothing
        outside what is kept is asked for.
    """

    def __init__(
        self,
        session: Session,
        shards: Shards,
        classes: Sequence[StorageClass],
        clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._shards = shards
        self._clock = clock
        self._kept_ms = {
            resolution: max(kept.retention_ms[resolution] for kept in classes) for resolution in Resolution
        }
        self.index = IndexReader(session, shards, clock, self._kept_ms[Resolution.RAW] + RAW_GRACE_MS)
        self.blocks = BlockReader(session, shards, classes)
        self.head = HeadCache(session, shards.lanes)

    def select(
        self, matchers: Sequence[Matcher], start_ms: int, end_ms: int, reading: Reading | None = None
    ) -> Selection:
        """The series that fulfil all matchers and may have samples in these times, both included.

        :raises DeadlinePassed, TooManySeries: by the reading's limits.
        """
        return self.index.select(matchers, start_ms, end_ms, reading or Reading())

    def raw(
        self, selection: Selection, start_ms: int, end_ms: int, reading: Reading | None = None
    ) -> Samples:
        """The samples from `start_ms` to `end_ms`, both included, stale markers among them.

        Only series with samples are in the answer. Damaged rows are left out and noted in the reading.

        :raises DeadlinePassed, TooManySamples: by the reading's limits.
        """
        reading = reading or Reading()
        now = self._clock()
        start = max(start_ms, now - self._kept_ms[Resolution.RAW] - RAW_GRACE_MS)
        end = min(end_ms, now + MAX_FUTURE_MS + MINUTE_MS)
        if start > end or not len(selection.ids):
            return empty()
        progress = self.blocks.progress(Resolution.MIN1, reading)
        lanes = lanes_of(selection.ids, self._shards.lanes)
        spans: dict[int, Span] = {}
        places: list[Place] = []
        for lane in np.unique(lanes).tolist():
            sealed = progress.get(lane, 0)
            first, last = minute_of(start), minute_of(end)
            if first < sealed:
                spans[lane] = first, min(last, sealed - MINUTE_MS)
            oldest = max(first, sealed - SEALED_HEAD_MINUTES * MINUTE_MS, minute_of(now - HEAD_RETENTION_MS))
            places += [(lane, minute) for minute in range(oldest, last + 1, MINUTE_MS)]
        parts = self.blocks.raw(selection.ids, spans, reading)
        parts += self._head(selection.ids, lanes, places, reading, minute_of(now - HEAD_RETENTION_MS))
        return between(concat(parts), start_ms, end_ms)

    def rollups(
        self,
        selection: Selection,
        resolution: Resolution,
        start_ms: int,
        end_ms: int,
        columns: Sequence[str],
        reading: Reading | None = None,
    ) -> Rollups:
        """These columns of the sealed windows that start from `start_ms` to `end_ms`, both included.

        :raises DeadlinePassed, TooManySamples: by the reading's limits. :raises KeyError: for an unknown column.
        """
        reading = reading or Reading()
        level = resolution.value
        start = max(start_ms, self._clock() - self._kept_ms[resolution])
        progress = self.blocks.progress(resolution, reading)
        spans = {
            lane: (start, min(end_ms, sealed - level.width_ms))
            for lane, sealed in progress.items()
            if start <= min(end_ms, sealed - level.width_ms)
        }
        return _by_series(self.blocks.rollups(selection.ids, resolution, spans, columns, reading), columns)

    def _head(
        self, ids: Ids, lanes: npt.NDArray[np.int64], places: Sequence[Place], reading: Reading, oldest: int
    ) -> list[Samples]:
        wanted = {lane: ids[lanes == lane] for lane in {lane for lane, _ in places}}
        parts = []
        for (lane, _), batches in sorted(
            self.head.read(places, reading, oldest).items(), key=lambda item: item[0][1]
        ):
            for batch in batches:
                part = take(batch, rows_of(batch.ids, wanted[lane]))
                reading.take_samples(len(part.values))
                parts.append(part)
        return parts


def _by_series(rows: Sequence[RollupRow], columns: Sequence[str]) -> Rollups:
    if not rows:
        none = empty()
        return Rollups(none.ids, none.offsets, none.timestamps, {name: np.zeros(0) for name in columns})
    ids = np.concatenate([row.ids for row in rows])
    starts = np.concatenate([np.full(len(row.ids), row.window_start, np.int64) for row in rows])
    order = np.lexsort((starts, ids[:, 1], ids[:, 0]))
    ids = ids[order]
    fresh = np.ones(len(ids), bool)
    fresh[1:] = (ids[1:] != ids[:-1]).any(axis=1)
    return Rollups(
        ids[fresh],
        np.append(np.flatnonzero(fresh), len(ids)).astype(np.int64),
        starts[order],
        {name: np.concatenate([row.columns[name] for row in rows])[order] for name in columns},
    )
