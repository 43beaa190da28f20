"""Reading samples and rollups of selected series.

The seam: `rollup_progress` is read first; each lane's minutes before it come from blocks, all from it on, and the
last ones before it too, come from the head. So there is no gap, whatever is sealed meanwhile, and what comes from
both is merged.
"""

from collections.abc import Callable, Sequence

import numpy as np
from cassandra.cluster import Session

from schemas.batches.batch import minute_of
from schemas.tables import HEAD_RETENTION_MS, RAW_GRACE_MS, ROLLED, Resolution, StorageClass
from schemas.topics import MAX_FUTURE_MS
from schemas.units import MINUTE_MS
from streamgauge.promql.data.query import SAMPLES, Level
from streamgauge.rollup.rollups import Rollups
from streamgauge.series.id_kernels import rows_of
from streamgauge.series.ids import Shards, lanes_of
from streamgauge.series.matchers import Matcher
from streamgauge.series.samples import Samples, between, empty, inside, joined, runs_of, take
from streamgauge.store.blocks.read_blocks import BlockReader, Span
from streamgauge.store.blocks.rollups import RollupRow, by_series, of_samples
from streamgauge.store.head_cache import HeadCache, LaneMinute
from streamgauge.store.index.kept_selections import Selection
from streamgauge.store.index.read_index import IndexReader
from streamgauge.store.reading import ReadContext
from streamgauge.times import now_ms

SEALED_HEAD_MINUTES = 2
"""So many minutes before the seal are read from the head too: a batch that came between its minute's end and the
seal, or just after, was visible there, and is in no block until its late part is written."""


class Reader:
    """Reads what the jobs store. One for a process; all methods may be called from many threads.

    :param session: in the keyspace. :param classes: how long what is kept. :param clock: the time in ms; nothing
        outside what is kept is asked for. :param index_fresh_s: so late a new series may show in what is asked of now.
    """

    def __init__(
        self,
        session: Session,
        shards: Shards,
        classes: Sequence[StorageClass],
        clock: Callable[[], int] = now_ms,
        index_fresh_s: float = 0.0,
    ) -> None:
        self._shards = shards
        self._clock = clock
        self._kept_ms = {
            resolution: max(kept.retention_ms[resolution] for kept in classes) for resolution in Resolution
        }
        self.index = IndexReader(session, shards, clock, index_fresh_s)
        self.blocks = BlockReader(session, shards, classes)
        self.head = HeadCache(session, shards.lanes)

    def levels(self) -> list[Level]:
        """Stored resolutions, samples first, and their retention.

        An hour more than that: a query of just the time that a resolution is kept for was made a moment ago.
        """
        now = self._clock() - RAW_GRACE_MS
        raw = Level(SAMPLES, now - self._kept_ms[Resolution.RAW])
        return [raw, *(Level(each.value.width_ms, now - self._kept_ms[each]) for each in ROLLED)]

    def select(
        self, matchers: Sequence[Matcher], start_ms: int, end_ms: int, reading: ReadContext | None = None
    ) -> Selection:
        """The series that fulfil all matchers and may have samples in these times, both included.

        :raises DeadlinePassed, TooManySeries: by the reading's limits.
        """
        return self.index.select(matchers, start_ms, end_ms, reading or ReadContext())

    def raw(
        self, selection: Selection, start_ms: int, end_ms: int, reading: ReadContext | None = None
    ) -> Samples:
        """The samples from `start_ms` to `end_ms`, both included, stale markers among them.

        Only series with samples are in the answer. Damaged rows are left out and noted in the reading.

        :raises DeadlinePassed, TooManySamples: by the reading's limits.
        """
        reading = reading or ReadContext()
        now = self._clock()
        start = max(start_ms, now - self._kept_ms[Resolution.RAW] - RAW_GRACE_MS)
        end = min(end_ms, now + MAX_FUTURE_MS + MINUTE_MS)
        if start > end or not len(selection.ids):
            return empty()
        progress = self.blocks.progress(Resolution.MIN1, reading)
        lanes = lanes_of(selection.ids, self._shards.lanes)
        spans: dict[int, Span] = {}
        places: list[LaneMinute] = []
        for lane in np.unique(lanes).tolist():
            sealed = progress.get(lane, 0)
            first, last = minute_of(start), minute_of(end)
            if first < sealed:
                spans[lane] = first, min(last, sealed - MINUTE_MS)
            oldest = max(first, sealed - SEALED_HEAD_MINUTES * MINUTE_MS, minute_of(now - HEAD_RETENTION_MS))
            places += [(lane, minute) for minute in range(oldest, last + 1, MINUTE_MS)]
        parts = self.blocks.raw(selection.ids, spans, start_ms, end_ms, reading)
        batches = self.head.read(places, reading, minute_of(now - HEAD_RETENTION_MS))
        wanted = {lane: selection.ids[lanes == lane] for lane in {lane for lane, _ in places}}
        for (lane, minute), several in sorted(batches.items(), key=lambda item: item[0][1]):
            for batch in several:
                part = runs_of(take(batch, rows_of(batch.ids, wanted[lane])))
                reading.take_samples(len(part.values))
                is_whole = start_ms <= minute and minute + MINUTE_MS <= end_ms
                parts.append(part if is_whole else inside(part, start_ms, end_ms))
        return joined(parts)

    def rollups(
        self,
        selection: Selection,
        resolution: Resolution,
        start_ms: int,
        end_ms: int,
        wanted: Sequence[str],
        reading: ReadContext | None = None,
    ) -> Rollups:
        """These aggregates of the windows that start from `start_ms` to `end_ms`, both included.

        What a lane has not built yet at this resolution comes in windows of the next finer one that has it, and what
        no block holds yet in minutes of the head's samples: no gap, and nothing twice.

        :raises DeadlinePassed, TooManySamples: by the reading's limits. :raises KeyError: for an unknown aggregate.
        :raises NoDigests: for percentiles of a storage class without digests.
        """
        reading = reading or ReadContext()
        oldest = self._clock() - self._kept_ms[resolution]
        begins = dict.fromkeys(
            np.unique(lanes_of(selection.ids, self._shards.lanes)).tolist(), max(start_ms, oldest)
        )
        rows: list[RollupRow] = []
        for level in _finer(resolution):
            progress, width = self.blocks.progress(level, reading), level.value.width_ms
            spans: dict[int, Span] = {}
            for lane, begin in begins.items():
                first = begin + -begin % width
                last = min(end_ms, progress.get(lane, 0) - width)
                if first <= last:
                    spans[lane] = first, last
                    begins[lane] = last - last % width + width
            rows += self.blocks.rollups(selection.ids, level, spans, wanted, reading)
        return by_series(rows + self._unsealed(selection, begins, end_ms, wanted, reading), wanted)

    def _unsealed(
        self,
        selection: Selection,
        begins: dict[int, int],
        end_ms: int,
        wanted: Sequence[str],
        reading: ReadContext,
    ) -> list[RollupRow]:
        """The minutes that start from where each lane begins (ms) to the end, from samples."""
        late = {lane: begin for lane, begin in begins.items() if begin <= end_ms}
        if not late:
            return []
        lanes = lanes_of(selection.ids, self._shards.lanes)
        samples = self.raw(selection, min(late.values()), minute_of(end_ms) + MINUTE_MS - 1, reading)
        lanes = lanes_of(samples.ids, self._shards.lanes)
        rows = []
        for lane, begin in late.items():
            own = take(samples, np.flatnonzero(lanes == lane))
            minutes = np.unique(own.timestamps - own.timestamps % MINUTE_MS)
            for minute in minutes[(minutes >= begin) & (minutes <= end_ms)].tolist():
                rows.append(of_samples(between(own, minute, minute + MINUTE_MS - 1), minute, wanted))
        return rows


def _finer(resolution: Resolution) -> list[Resolution]:
    """The resolution and all finer ones above the samples, the coarsest first."""
    return list(reversed(ROLLED[: ROLLED.index(resolution) + 1]))
