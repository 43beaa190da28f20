"""The result of a query as the JSON of its answer."""

from collections.abc import Sequence

import numpy as np

from streamgauge.gateway import prometheus_json as answer
from streamgauge.promql.engine import Result
from streamgauge.promql.vectors import Matrix, Times, Values, Vector


def instant(result: Result, limit: int | None) -> tuple[str, bool]:
    """The `data` of an instant query, and whether it was cut to `limit` series."""
    value, time = result.value, int(result.times[0])
    if isinstance(value, str):
        return answer.string(time, value), False
    if isinstance(value, Matrix):
        return _matrix(value.labels.rows(), (value.offsets, value.timestamps, value.values), limit)
    if isinstance(value, Vector):
        labels = value.labels.rows()[:limit]
        return answer.vector(time, labels, value.values[:limit, 0].tolist()), _is_cut(value, limit)
    return answer.scalar(time, float(value[0])), False


def ranged(result: Result, limit: int | None) -> tuple[str, bool]:
    """The `data` of a range query, and whether it was cut to `limit` series.

    :raises TypeError: for a result that no range query has.
    """
    value = result.value
    if isinstance(value, np.ndarray):
        points = np.array([0, len(value)]), result.times, value
        return _matrix([{}], points, limit)
    if not isinstance(value, Vector):
        raise TypeError("a range query gives scalars and vectors only")
    rows, steps = np.nonzero(value.present)
    offsets = np.searchsorted(rows, np.arange(value.labels.count + 1))
    return _matrix(value.labels.rows(), (offsets, result.times[steps], value.values[rows, steps]), limit)


def _matrix(
    labels: Sequence[dict[str, str]], points: tuple[Times, Times, Values], limit: int | None
) -> tuple[str, bool]:
    cut = limit is not None and len(labels) > limit
    return answer.matrix(labels[:limit], *points), cut


def _is_cut(vector: Vector, limit: int | None) -> bool:
    return limit is not None and vector.labels.count > limit
