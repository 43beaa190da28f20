"""Selectors: which times to read, and what they give at every step."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from streamgauge.promql import window_kernels
from streamgauge.promql.ast import At, AtBoundary, Duration, MatrixSelector, VectorSelector
from streamgauge.promql.labels import LabelTable, from_canonical
from streamgauge.promql.query import Grid, Limits, Query, Source
from streamgauge.promql.vectors import Matrix, Times, Values, Vector
from streamgauge.series.samples import STALE_BITS, Samples

_STALE = np.uint64(STALE_BITS)


class Selection:
    """Reads selectors for one query."""

    def __init__(self, source: Source, query: Query, limits: Limits) -> None:
        self._source = source
        self._query = query
        self._limits = limits
        self._heeds_boundaries = True

    @contextmanager
    def without_boundaries(self) -> Iterator[None]:
        """Meanwhile @ start() and @ end() are as if they were not there."""
        before, self._heeds_boundaries = self._heeds_boundaries, False
        yield
        self._heeds_boundaries = before

    def vector(self, node: VectorSelector, grid: Grid, times: bool = False) -> Vector:
        """The value of each series at every step, or with `times` the time of that sample in seconds.

        :raises InvalidQuery: by the limits.
        """
        ends = self.ends(node.at, node.offset, grid)
        lookback = self._query.lookback
        ahead = lookback if node.smoothed else 0
        labels, samples = self._fetch(node, int(ends[0]) - lookback + 1, int(ends[-1]) + ahead)
        self._limits.check_size(labels.count, grid.count)
        out = np.zeros((labels.count, len(ends)))
        present = np.zeros(out.shape, bool)
        self._limits.check_time()
        if node.smoothed and not times:
            offsets, stamps, values = without_stale(samples)
            window_kernels.interpolated(offsets, stamps, values, ends, lookback, out, present)
        else:
            window_kernels.last_before_stale(
                samples.offsets, samples.timestamps, samples.values, ends, lookback, times, out, present
            )
        self._limits.check_time()
        if len(ends) != grid.count:
            out, present = np.repeat(out, grid.count, axis=1), np.repeat(present, grid.count, axis=1)
        return Vector(labels, out, present)

    def matrix(self, node: MatrixSelector, grid: Grid) -> Matrix:
        """The samples of every step's window, and as many around as `anchored` or `smoothed` looks at.

        :raises InvalidQuery: by the limits.
        """
        selector = node.selector
        width = milliseconds(node.range)
        ends = self.ends(selector.at, selector.offset, grid)
        lookback = self._query.lookback
        before = lookback if selector.anchored or selector.smoothed else 0
        ahead = lookback if selector.smoothed else 0
        labels, samples = self._fetch(selector, int(ends[0]) - width - before + 1, int(ends[-1]) + ahead)
        return Matrix(labels, *without_stale(samples), ends, width)

    def ends(self, at: At | None, offset: Duration, grid: Grid) -> Times:
        """The times that the steps look at: (steps,) int64 ms, or one for all steps under an @."""
        back = milliseconds(offset)
        if at is None or (isinstance(at, AtBoundary) and not self._heeds_boundaries):
            return grid.times - back
        if isinstance(at, AtBoundary):
            at = self._query.start if at is AtBoundary.START else self._query.end
        return np.array([at - back], np.int64)

    def _fetch(self, node: VectorSelector, start: int, end: int) -> tuple[LabelTable, Samples]:
        self._limits.check_time()
        canonical, samples = self._source.fetch(node.conditions, start, end)
        self._limits.check_series(len(canonical))
        self._limits.take_samples(len(samples.values))
        return from_canonical(canonical), samples


def without_stale(samples: Samples) -> tuple[Times, Times, Values]:
    """Offsets, timestamps and values of all samples but stale markers, every series kept."""
    kept = samples.values.view(np.uint64) != _STALE
    if kept.all():
        return samples.offsets, samples.timestamps, samples.values
    before = np.concatenate([np.zeros(1, np.int64), np.cumsum(kept)])
    return before[samples.offsets], samples.timestamps[kept], samples.values[kept]


def milliseconds(duration: Duration) -> int:
    """A duration that has been resolved.

    :raises TypeError: for one that has not.
    """
    if not isinstance(duration, int):
        raise TypeError("a duration expression must be resolved before it is evaluated")
    return duration
