"""Query results as JSON."""

from collections.abc import Callable, Iterator

import numpy as np

from streamgauge.gateway.formats import prometheus_json as answer
from streamgauge.gateway.formats.bodies import gathered
from streamgauge.gateway.formats.prometheus_json import Rows
from streamgauge.promql.data.labels import LabelTable
from streamgauge.promql.data.vectors import Matrix, Vector
from streamgauge.promql.engine.evaluation import Result
from streamgauge.promql.engine.evaluator import size

ROWS = 256
VALUES = 65_536
"""Values to process at a time, as series times steps; at least one series."""


def instant(result: Result, limit: int | None, hold: Callable[[int], None]) -> tuple[list[bytes], bool]:
    """The `data` of an instant query, and whether it was cut to `limit` series.

    :param hold: is told how many bytes the result and its JSON take.
    """
    value, time = result.value, int(result.times[0])
    if isinstance(value, str):
        found: Iterator[str | bytes] = iter([answer.string(time, value)])
    elif isinstance(value, Matrix):
        found = answer.matrix(_of_matrix(value, limit))
    elif isinstance(value, Vector):
        found = answer.vector(time, _of_vector(value, limit))
    else:
        found = iter([answer.scalar(time, float(value[0]))])
    return _gathered(found, result, limit, hold)


def ranged(result: Result, limit: int | None, hold: Callable[[int], None]) -> tuple[list[bytes], bool]:
    """The `data` of a range query, and whether it was cut to `limit` series.

    :param hold: is told how many bytes the result and its JSON take.
    :raises TypeError: for a result that no range query has.
    """
    value = result.value
    if isinstance(value, np.ndarray):
        rows = Rows([{}], np.array([0, len(value)]), result.times, value)
        return _gathered(answer.matrix([rows]), result, limit, hold)
    if not isinstance(value, Vector):
        raise TypeError("a range query gives scalars and vectors only")
    if len(result.times) == 1:
        # the order of an instant means something, that of a range does not
        value = value.take(value.labels.order())
    return _gathered(answer.matrix(_of_steps(value, result, limit)), result, limit, hold)


def _gathered(
    parts: Iterator[str] | Iterator[bytes] | Iterator[str | bytes],
    result: Result,
    limit: int | None,
    hold: Callable[[int], None],
) -> tuple[list[bytes], bool]:
    before = size(result.value)
    found = gathered(parts, lambda more: hold(before + more))
    value = result.value
    is_cut = isinstance(value, Vector | Matrix) and limit is not None and value.labels.count > limit
    return found, is_cut


def _labels(
    table: LabelTable, limit: int | None, most: int = ROWS
) -> Iterator[tuple[int, list[dict[str, str]]]]:
    """The labels of some series at a time, and the row of the first of them."""
    count = table.count if limit is None else min(limit, table.count)
    size = max(1, min(most, ROWS))
    for begin in range(0, count, size):
        yield begin, table.take(np.arange(begin, min(begin + size, count))).rows()


def _of_vector(vector: Vector, limit: int | None) -> Iterator[tuple[dict[str, str], float]]:
    for begin, labels in _labels(vector.labels, limit):
        yield from zip(labels, vector.values[begin : begin + len(labels), 0].tolist(), strict=True)


def _of_matrix(matrix: Matrix, limit: int | None) -> Iterator[Rows]:
    for begin, labels in _labels(matrix.labels, limit):
        offsets = matrix.offsets[begin : begin + len(labels) + 1]
        yield Rows(labels, offsets, matrix.timestamps, matrix.values)


def _of_steps(vector: Vector, result: Result, limit: int | None) -> Iterator[Rows]:
    for begin, labels in _labels(vector.labels, limit, VALUES // max(1, len(result.times))):
        chosen = slice(begin, begin + len(labels))
        rows, steps = np.nonzero(vector.present[chosen])
        offsets = np.searchsorted(rows, np.arange(len(labels) + 1))
        yield Rows(labels, offsets, result.times[steps], vector.values[chosen][rows, steps])
