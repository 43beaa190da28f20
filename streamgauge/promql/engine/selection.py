"""Selectors: which times to read, and what they give at every step."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from streamgauge.promql.data.labels import METADATA, LabelTable, from_canonical
from streamgauge.promql.data.levels import SAMPLES, Level
from streamgauge.promql.data.query import Grid, Limits, Query, RollupSource, Source
from streamgauge.promql.data.vectors import Matrix, Times, Values, Vector
from streamgauge.promql.engine import reads
from streamgauge.promql.engine.reads import Read, milliseconds
from streamgauge.promql.functions.rolled_functions import Rolled
from streamgauge.promql.kernels import window_kernels
from streamgauge.promql.syntax.ast import At, AtBoundary, Duration, MatrixSelector, VectorSelector
from streamgauge.rollup.rollups import Rollups, joined
from streamgauge.series.ids import split, to_bytes
from streamgauge.series.labels import NAME
from streamgauge.series.samples import STALE_BITS, Samples

_STALE = np.uint64(STALE_BITS)


class Selection:
    """Reads selectors for one query."""

    def __init__(self, source: Source, query: Query, limits: Limits) -> None:
        self._source = source
        self._query = query
        self._limits = limits
        self.series: list[int] = []
        """How many series each selector gave, in the order in which they were read."""
        self.has_metadata = False
        """Whether any of them has a label that says what its values mean, beside the name."""
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
        read, lookback = reads.of_vector(node, ends, grid, self._query, self._levels)
        labels, samples = self._fetch(read)
        self._limits.check_size(labels.count, grid.count)
        out = np.zeros((labels.count, len(ends)))
        present = np.zeros(out.shape, bool)
        smoothed = node.smoothed and not times
        offsets, stamps, values = without_stale(samples) if smoothed else samples[1:]
        cost = len(ends) + len(values) // max(1, labels.count)
        for part in self._limits.parts(labels.count, cost):
            rows = offsets[part.start : part.stop + 1]
            if smoothed:
                window_kernels.interpolated(rows, stamps, values, ends, lookback, out[part], present[part])
            else:
                window_kernels.last_before_stale(
                    rows, stamps, values, ends, lookback, times, out[part], present[part]
                )
        if len(ends) != grid.count:
            out, present = np.repeat(out, grid.count, axis=1), np.repeat(present, grid.count, axis=1)
        return Vector(labels, out, present)

    def matrix(self, node: MatrixSelector, grid: Grid) -> Matrix:
        """The samples of every step's window, and as many around as `anchored` or `smoothed` looks at.

        :raises InvalidQuery: by the limits.
        """
        ends = self.ends(node.selector.at, node.selector.offset, grid)
        labels, samples = self._fetch(reads.of_matrix(node, ends, self._query, self._levels))
        return Matrix(labels, *without_stale(samples), ends, milliseconds(node.range))

    def rolled(self, function: str, node: MatrixSelector, grid: Grid) -> Rolled | None:
        """The windows that a function of a range is answered from, or None if samples are to be read.

        :raises InvalidQuery: by the limits.
        """
        ends = self.ends(node.selector.at, node.selector.offset, grid)
        own = reads.of_function(function, node, ends, grid, self._query, self._levels)
        if not own:
            return None
        found = []
        for read in own:
            self._limits.check_time()
            found.append(self._rollups(read))
            self._limits.take_samples(len(found[-1][1].window_starts) * len(read.wanted))
        canonical = {
            identity: data
            for names, part in found
            for identity, data in zip(split(to_bytes(part.ids)), names, strict=True)
        }
        rollups = joined([part for _, part in found])
        names = [canonical[identity] for identity in split(to_bytes(rollups.ids))]
        return Rolled(self._labels(names), rollups, ends, milliseconds(node.range), own[0].width)

    def ends(self, at: At | None, offset: Duration, grid: Grid) -> Times:
        """The times that the steps look at: (steps,) int64 ms, or one for all steps under an @."""
        return window_ends(at, offset, grid, self._query, self._heeds_boundaries)

    @property
    def _levels(self) -> Sequence[Level]:
        return self._source.levels if isinstance(self._source, RollupSource) else ()

    def _fetch(self, read: Read) -> tuple[LabelTable, Samples]:
        """The samples, or the last one of each window."""
        self._limits.check_time()
        if read.width == SAMPLES:
            canonical, samples = self._source.fetch(read.selector.conditions, read.start, read.end)
        else:
            canonical, rollups = self._rollups(read)
            times = rollups.window_starts + rollups.columns["last_time"].astype(np.int64)
            samples = Samples(rollups.ids, rollups.offsets, times, rollups.columns["last"].astype(np.float64))
        self._limits.take_samples(len(samples.values))
        return self._labels(canonical), samples

    def _rollups(self, read: Read) -> tuple[Sequence[bytes], Rollups]:
        if not isinstance(self._source, RollupSource):
            raise TypeError("windows of a source that has samples only")
        return self._source.rollups(read.selector.conditions, read.start, read.end, read.width, read.wanted)

    def _labels(self, canonical: Sequence[bytes]) -> LabelTable:
        self._limits.check_series(len(canonical))
        labels = from_canonical(canonical)
        self.series.append(labels.count)
        self.has_metadata |= not METADATA.isdisjoint(labels.columns.keys() - {NAME})
        return labels


def window_ends(at: At | None, offset: Duration, grid: Grid, query: Query, heeds_boundaries: bool) -> Times:
    """The times that the steps look at: (steps,) int64 ms, or one for all steps under an @.

    :param heeds_boundaries: whether @ start() and @ end() are not as if they were not there.
    """
    back = milliseconds(offset)
    if at is None or (isinstance(at, AtBoundary) and not heeds_boundaries):
        return grid.times - back
    if isinstance(at, AtBoundary):
        at = query.start if at is AtBoundary.START else query.end
    return np.array([at - back], np.int64)


def without_stale(samples: Samples) -> tuple[Times, Times, Values]:
    """Offsets, timestamps and values of all samples but stale markers, every series kept."""
    kept = samples.values.view(np.uint64) != _STALE
    if kept.all():
        return samples.offsets, samples.timestamps, samples.values
    before = np.concatenate([np.zeros(1, np.int64), np.cumsum(kept)])
    return before[samples.offsets], samples.timestamps[kept], samples.values[kept]
