"""What a selector reads: from which resolution, and which times."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from streamgauge.promql.data.levels import SAMPLES, Level, choose
from streamgauge.promql.data.query import LOOKBACK_MS, Grid, Query
from streamgauge.promql.data.vectors import Times
from streamgauge.promql.functions.rolled_functions import NEEDED
from streamgauge.promql.syntax.ast import Duration, MatrixSelector, VectorSelector

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
