"""The samples of a range vector that is itself the result of an instant query."""

import numpy as np

from streamgauge.promql.data.vectors import Matrix, Times, Values
from streamgauge.promql.syntax.ast import MatrixSelector, Subquery

Row = tuple[Times, Values]


def windowed(matrix: Matrix, node: MatrixSelector | Subquery) -> Matrix:
    """The samples in the window of the only step, of the series that have any.

    Where the selector is anchored or smoothed, each series gets a sample at both edges of the window instead
    of those outside of it.
    """
    end = int(matrix.ends[0])
    begin = end - matrix.width
    selector = node.selector if isinstance(node, MatrixSelector) else None
    rows = []
    for series in range(matrix.labels.count):
        own = slice(matrix.offsets[series], matrix.offsets[series + 1])
        row = matrix.timestamps[own], matrix.values[own]
        if selector is not None and (selector.anchored or selector.smoothed):
            rows.append(_edged(row, begin, end, selector.smoothed))
        else:
            rows.append(_between(row, begin, end))
    sizes = np.array([len(times) for times, _ in rows], np.int64)
    kept = sizes > 0
    return Matrix(
        matrix.labels.take(kept),
        np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes[kept])]),
        np.concatenate([np.zeros(0, np.int64), *(times for times, _ in rows)]),
        np.concatenate([np.zeros(0), *(values for _, values in rows)]),
        matrix.ends,
        matrix.width,
    )


def _between(row: Row, begin: int, end: int) -> Row:
    times, values = row
    inside = slice(np.searchsorted(times, begin, "right"), np.searchsorted(times, end, "right"))
    return times[inside], values[inside]


def _edged(row: Row, begin: int, end: int, smoothed: bool) -> Row:
    times, values = row
    first = max(0, int(np.searchsorted(times[:-1], begin, "right")) - 1)
    last = int(np.searchsorted(times[:-1], end, "left")) if smoothed else len(times) - 1
    if not len(times) or times[last] <= begin:
        return times[:0], values[:0]
    left, right = values[first], values[last]
    if smoothed and times[first] < begin:
        left = _line(row, first, begin)
    if smoothed and last > 0 and times[last] > end:
        right = _line(row, last - 1, end)
    inside = (times > begin) & (times < end)
    return (
        np.concatenate([[begin], times[inside], [end]]).astype(np.int64),
        np.concatenate([[left], values[inside], [right]]),
    )


def _line(row: Row, at: int, time: int) -> np.float64:
    """The value at a time on the line from one sample to the next."""
    (begin, end), (left, right) = row[0][at : at + 2], row[1][at : at + 2]
    with np.errstate(all="ignore"):
        return np.float64(left + (right - left) * np.float64(time - begin) / np.float64(end - begin))
