"""A source that reads a stretch of time once, however many expressions and ticks ask for it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from streamgauge.promql.data.query import Level, RollupSource, Source
from streamgauge.rollup.rollups import Rollups
from streamgauge.series.matchers import Matcher
from streamgauge.series.samples import Samples

Fetched = tuple[Sequence[bytes], Samples]


@dataclass(frozen=True, slots=True)
class _Read:
    start: int
    end: int
    labels: Sequence[bytes]
    samples: Samples


class Stretch:
    """Reads from another source, in one go what is asked for between two times.

    `until`: nothing later (ms) is seen.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._start = self._end = self.until = 0
        self._read: dict[tuple[Matcher, ...], _Read] = {}
        self._rollups: dict[tuple[object, ...], tuple[Sequence[bytes], Rollups]] = {}

    def begin(self, start: int, end: int) -> None:
        """Forget what was read and expect questions about the time from `start` to `end`, in ms."""
        self._start, self._end, self.until = start, end, end
        self._read.clear()
        self._rollups.clear()

    def fetch(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> Fetched:
        """What `streamgauge.promql.data.query.Source` asks for."""
        key = tuple(matchers)
        end = min(end_ms, self.until)
        read = self._read.get(key)
        if read is None or start_ms < read.start or end > read.end:
            last = max(end, self._end) if end >= self._start else end
            read = _Read(start_ms, last, *self._source.fetch(matchers, start_ms, last))
            self._read[key] = read
        if (start_ms, end) == (read.start, read.end):
            return read.labels, read.samples
        return cut(read.labels, read.samples, start_ms, end)

    @property
    def levels(self) -> Sequence[Level]:
        """What `streamgauge.promql.data.query.RollupSource` asks for."""
        return self._source.levels if isinstance(self._source, RollupSource) else ()

    def rollups(
        self, matchers: Sequence[Matcher], start_ms: int, end_ms: int, width: int, wanted: Sequence[str]
    ) -> tuple[Sequence[bytes], Rollups]:
        """What `streamgauge.promql.data.query.RollupSource` asks for.

        :raises TypeError: if the source has none; it names no levels then.
        """
        if not isinstance(self._source, RollupSource):
            raise TypeError("a source without rollups is asked for them")
        end = min(end_ms, self.until)
        key = (tuple(matchers), start_ms, end, width, tuple(wanted))
        if key not in self._rollups:
            self._rollups[key] = self._source.rollups(matchers, start_ms, end, width, wanted)
        return self._rollups[key]


def cut(labels: Sequence[bytes], samples: Samples, start: int, end: int) -> Fetched:
    """The samples from `start` to `end`, both included (ms), with the labels of the series that have any."""
    kept = (samples.timestamps >= start) & (samples.timestamps <= end)
    before = np.concatenate([np.zeros(1, np.int64), np.cumsum(kept)])[samples.offsets]
    rows = np.flatnonzero(np.diff(before))
    return [labels[row] for row in rows.tolist()], Samples(
        samples.ids[rows],
        np.concatenate([np.zeros(1, np.int64), before[rows + 1]]),
        samples.timestamps[kept],
        samples.values[kept],
    )
