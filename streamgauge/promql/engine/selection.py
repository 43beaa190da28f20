"""Selectors: which times they read, from which resolution, and what they give at every step."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from streamgauge.promql.data.labels import METADATA, LabelTable, from_canonical
from streamgauge.promql.data.query import (
    LOOKBACK_MS,
    SAMPLES,
    Grid,
    Level,
    Limits,
    Query,
    RollupSource,
    Source,
    choose,
)
from streamgauge.promql.data.vectors import Matrix, Times, Values, Vector
from streamgauge.promql.functions.rolled_functions import NEEDED, Rolled
from streamgauge.promql.kernels import window_kernels
from streamgauge.promql.syntax.ast import At, AtBoundary, Duration, MatrixSelector, VectorSelector
from streamgauge.rollup.rollups import Rollups, joined
from streamgauge.series.ids import split, to_bytes
from streamgauge.series.labels import NAME
from streamgauge.series.samples import STALE_BITS, Samples

SMALL = 100
"""A window that is so many times narrower than a range may be one too many of it."""
LAST = ("last", "last_time")
"""The aggregates that stand for the samples of a window."""


class Read(NamedTuple):
    """Samples from `start` to `end` (ms, both included), or windows of `width` ms that begin from one to the other.

    node: the selector. width: 0 for samples. wanted: the aggregates of windows.
    """

    node: VectorSelector | MatrixSelector
    width: int
    start: int
    end: int
    wanted: tuple[str, ...] = ()

    @property
    def selector(self) -> VectorSelector:
        """Which series."""
        return self.node.selector if isinstance(self.node, MatrixSelector) else self.node


def of_vector(
    node: VectorSelector, ends: Times, grid: Grid, query: Query, levels: Sequence[Level]
) -> tuple[Read, int]:
    """What an instant selector reads, and how far it looks back (ms).

    :param ends: the times at which it looks, ms. :param levels: of the source, none if it has samples only.
    """
    # one that looks back further than usual looks for a series that has ended long ago
    oldest = int(ends[0]) - max(0, query.lookback - LOOKBACK_MS)
    width = _width(node, query, levels, _step(grid, query), oldest)
    lookback = max(query.lookback, 2 * width)
    ahead = lookback if node.smoothed else 0
    return _samples(node, width, int(ends[0]) - lookback + 1, int(ends[-1]) + ahead), lookback


def of_matrix(node: MatrixSelector, ends: Times, query: Query, levels: Sequence[Level]) -> Read:
    """What a range selector reads whose samples are asked for."""
    selector = node.selector
    before = query.lookback if selector.anchored or selector.smoothed else 0
    ahead = query.lookback if selector.smoothed else 0
    start = int(ends[0]) - milliseconds(node.range) - before + 1
    return _samples(node, _width(node, query, levels, 0, start), start, int(ends[-1]) + ahead)


def of_function(
    function: str, node: MatrixSelector, ends: Times, grid: Grid, query: Query, levels: Sequence[Level]
) -> list[Read]:
    """The windows that a function of a range is answered from, or nothing if samples are to be read.

    Of an instant query's range the windows that it begins and ends in are read in finer ones. A step of a range query
    is not: the next step needs the whole windows, and what is kept of a step may not depend on where the query ends.
    """
    if function not in NEEDED or node.selector.anchored or node.selector.smoothed:
        return []
    range_ms = milliseconds(node.range)
    width = _width(node, query, levels, _step(grid, query), int(ends[0]) - range_ms, range_ms)
    if width == SAMPLES:
        return []
    # the first window that counts ends after the start of the first range
    start, end, wanted = int(ends[0]) - max(range_ms, width) - width + 1, int(ends[-1]), NEEDED[function]
    whole = Read(node, width, start, end - 1, wanted)
    if not _is_instant(grid, query) or range_ms < width:
        return [whole]
    begin = end - range_ms
    before, after = (
        [level.width for level in levels if SAMPLES < level.width < width and level.oldest <= at]
        for at in (begin, end - width)
    )
    if not before and SMALL * width > range_ms:
        # with finer windows at the end alone it would count up to one too much
        return [whole]
    spans = _spans(begin, end, width, before, after)
    return [Read(node, each, first, last - 1, wanted) for each, first, last in spans]


def _spans(
    begin: int, end: int, width: int, before: Sequence[int], after: Sequence[int]
) -> Iterator[tuple[int, int, int]]:
    """Windows that lie in a range, the widest that do: their width, the first one's start, and the last one's end.

    The narrowest window that the range begins in is one of them.

    :param before, after: the widths of what fills the begin and the end of the range, the finest first.
    """
    first, last = begin + -begin % width if before else begin - begin % width, end - end % width
    if first < last:
        yield width, first, last
    for each in reversed(before):
        start = begin - begin % each if each == before[0] else begin + -begin % each
        if start < first:
            yield each, start, first
            first = start
    for each in reversed(after):
        stop = end - end % each
        if last < stop:
            yield each, last, stop
            last = stop


def milliseconds(duration: Duration) -> int:
    """A duration that has been resolved.

    :raises TypeError: for one that has not.
    """
    if not isinstance(duration, int):
        raise TypeError("a duration expression must be resolved before it is evaluated")
    return duration


def _samples(node: VectorSelector | MatrixSelector, width: int, start: int, end: int) -> Read:
    """The samples of these times, or the last one of each window."""
    return Read(node, width, start, end) if width == SAMPLES else Read(node, width, start - width, end, LAST)


def _step(grid: Grid, query: Query) -> int:
    """The ms between two steps as far as resolution goes."""
    is_one = grid.count == 1 or (query.as_instants and grid == query.grid)
    return 0 if is_one else grid.step


def _is_instant(grid: Grid, query: Query) -> bool:
    """Whether an instant query is evaluated, not a step of another one, nor a part of it."""
    return grid.is_instant and grid == query.grid and query.widths is None and not query.as_instants


def _width(
    node: VectorSelector | MatrixSelector,
    query: Query,
    levels: Sequence[Level],
    step: int,
    oldest: int,
    range_ms: int = 0,
) -> int:
    width = query.widths.get(id(node)) if query.widths else None
    return choose(levels, step, oldest, range_ms) if width is None else width


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
        read, lookback = of_vector(node, ends, grid, self._query, self._levels)
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
        labels, samples = self._fetch(of_matrix(node, ends, self._query, self._levels))
        return Matrix(labels, *without_stale(samples), ends, milliseconds(node.range))

    def rolled(self, function: str, node: MatrixSelector, grid: Grid) -> Rolled | None:
        """The windows that a function of a range is answered from, or None if samples are to be read.

        :raises InvalidQuery: by the limits.
        """
        ends = self.ends(node.selector.at, node.selector.offset, grid)
        own = of_function(function, node, ends, grid, self._query, self._levels)
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
