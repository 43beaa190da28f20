"""Functions of range vectors: which kernel, and what becomes of the labels."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from streamgauge.promql.data import query
from streamgauge.promql.data.annotations import Annotations
from streamgauge.promql.data.faults import InvalidQuery, QueryFault
from streamgauge.promql.data.labels import METADATA
from streamgauge.promql.data.query import Grid, Limits
from streamgauge.promql.data.vectors import Matrix, Values, Vector, same_labels
from streamgauge.promql.functions import rolled_functions
from streamgauge.promql.functions.rolled_functions import Rolled
from streamgauge.promql.kernels import over_time_kernels, rate_kernels, trend_kernels, window_kernels
from streamgauge.promql.syntax.ast import MatrixSelector, Span, Subquery
from streamgauge.promql.syntax.literals import number_text
from streamgauge.series.labels import NAME

ANCHORED = ("changes", "delta", "increase", "rate", "resets")
SMOOTHED = ("delta", "increase", "rate")
KEEP_NAME = frozenset({"first_over_time", "last_over_time"})

Kernel = Callable[..., None]


@dataclass(frozen=True, slots=True)
class _Plain:
    """A kernel of (offsets, timestamps, values, ends, width, *arguments, out, present)."""

    kernel: Kernel
    arguments: tuple[Any, ...] = ()


_PLAIN: Mapping[str, _Plain] = {
    "rate": _Plain(rate_kernels.extrapolated, (True, True)),
    "increase": _Plain(rate_kernels.extrapolated, (True, False)),
    "delta": _Plain(rate_kernels.extrapolated, (False, False)),
    "irate": _Plain(rate_kernels.last_two, (True,)),
    "idelta": _Plain(rate_kernels.last_two, (False,)),
    "changes": _Plain(rate_kernels.turns, (0, False)),
    "resets": _Plain(rate_kernels.turns, (0, True)),
    "sum_over_time": _Plain(over_time_kernels.total),
    "avg_over_time": _Plain(over_time_kernels.mean),
    "max_over_time": _Plain(over_time_kernels.extreme, (1.0, False)),
    "min_over_time": _Plain(over_time_kernels.extreme, (-1.0, False)),
    "ts_of_max_over_time": _Plain(over_time_kernels.extreme, (1.0, True)),
    "ts_of_min_over_time": _Plain(over_time_kernels.extreme, (-1.0, True)),
    "stddev_over_time": _Plain(over_time_kernels.variance, (True,)),
    "stdvar_over_time": _Plain(over_time_kernels.variance, (False,)),
    "mad_over_time": _Plain(over_time_kernels.median_deviation),
    "count_over_time": _Plain(window_kernels.count),
    "present_over_time": _Plain(window_kernels.count),
    "absent_over_time": _Plain(window_kernels.count),
    "first_over_time": _Plain(window_kernels.edge, (True, False)),
    "last_over_time": _Plain(window_kernels.edge, (False, False)),
    "ts_of_first_over_time": _Plain(window_kernels.edge, (True, True)),
    "ts_of_last_over_time": _Plain(window_kernels.edge, (False, True)),
    "deriv": _Plain(trend_kernels.slope),
}


def apply(
    name: str,
    matrix: Matrix,
    node: MatrixSelector | Subquery,
    scalars: list[Values],
    span: Span,
    grid: Grid,
    lookback: int,
    limits: Limits,
    annotations: Annotations,
) -> Vector:
    """A function at every step, under its final labels.

    :param scalars: the other arguments, (steps,) each. :param span: where the first argument stands.
    :raises InvalidQuery: for a bad argument, if series are alike without their names, and by the limits.
    """
    anchored = isinstance(node, MatrixSelector) and node.selector.anchored
    smoothed = isinstance(node, MatrixSelector) and node.selector.smoothed
    if anchored and name not in ANCHORED:
        raise _not_with("anchored", ANCHORED, name)
    if smoothed and name not in SMOOTHED:
        raise _not_with("smoothed", SMOOTHED, name)
    if scalars and len(matrix.ends) != grid.count:
        ends = np.full(grid.count, matrix.ends[0])
        matrix = Matrix(matrix.labels, matrix.offsets, matrix.timestamps, matrix.values, ends, matrix.width)
    match name:
        case "rate" | "increase" | "delta" if anchored or smoothed:
            arguments = (lookback, smoothed, name != "delta", name == "rate")
            found = _run(_Plain(rate_kernels.extended, arguments), matrix, grid.count, limits)
        case "changes" | "resets" if anchored:
            function = _Plain(rate_kernels.turns, (lookback, name == "resets"))
            found = _run(function, matrix, grid.count, limits)
        case _:
            found = of_windows(name, matrix, scalars, grid, limits)
    return _finished(name, found, scalars, span, annotations)


def of_windows(name: str, matrix: Matrix, scalars: list[Values], grid: Grid, limits: Limits) -> Vector:
    """A function at every step for each series, under the labels that it had.

    :raises InvalidQuery: for a bad argument, and by the limits.
    """
    match name:
        case "quantile_over_time":
            function = _Plain(over_time_kernels.quantile, (scalars[0],))
        case "predict_linear":
            function = _Plain(trend_kernels.prediction, (grid.times, scalars[0]))
        case "double_exponential_smoothing":
            function = _Plain(trend_kernels.smoothed, tuple(scalars))
            _check_smoothing(_run(_PLAIN["present_over_time"], matrix, grid.count, limits), *scalars)
        case _:
            function = _PLAIN[name]
    return _run(function, matrix, grid.count, limits)


def apply_rolled(
    name: str,
    rolled: Rolled,
    scalars: list[Values],
    span: Span,
    grid: Grid,
    limits: Limits,
    annotations: Annotations,
) -> Vector:
    """`apply` to rollups, for the functions that these answer.

    :raises InvalidQuery: if series are alike without their names, and by the limits.
    """
    if scalars and len(rolled.ends) != grid.count:
        rolled = rolled._replace(ends=np.full(grid.count, rolled.ends[0]))
    found = rolled_functions.apply(name, rolled, scalars[0] if scalars else None, limits)
    if len(rolled.ends) != grid.count:
        values, present = np.repeat(found.values, grid.count, 1), np.repeat(found.present, grid.count, 1)
        found = Vector(found.labels, values, present)
    return _finished(name, found, scalars, span, annotations)


def _finished(
    name: str, found: Vector, scalars: list[Values], span: Span, annotations: Annotations
) -> Vector:
    """The series that have a value, under their final labels, and what there is to remark."""
    found = found.seen()
    if name in ("rate", "increase"):
        annotations.uncounted(found.labels.values_of(NAME), span)
    if name == "quantile_over_time":
        for value in np.unique(scalars[0][found.present.any(axis=0)]).tolist():
            annotations.bad_quantile(value, span)
    return _labelled(name, found)


def _run(function: _Plain, matrix: Matrix, steps: int, limits: Limits) -> Vector:
    series = matrix.labels.count
    limits.check_size(series, steps)
    windows = len(matrix.ends)
    out, present = np.zeros((series, windows)), np.zeros((series, windows), bool)
    data = () if function.kernel is window_kernels.count else (matrix.values,)
    for rows, part in _chunks(matrix, limits):
        function.kernel(
            matrix.offsets[rows.start : rows.stop + 1],
            matrix.timestamps,
            *data,
            matrix.ends[part],
            matrix.width,
            *(each[part] if isinstance(each, np.ndarray) else each for each in function.arguments),
            out[rows, part],
            present[rows, part],
        )
    if windows != steps:
        out, present = np.repeat(out, steps, axis=1), np.repeat(present, steps, axis=1)
    return Vector(matrix.labels, out, present)


def _chunks(matrix: Matrix, limits: Limits) -> Iterator[tuple[slice, slice]]:
    """Series and windows in chunks of about `CHUNK_COST`: series with all their windows, or some windows of one.

    :raises InvalidQuery: when the time is up.
    """
    series, windows = matrix.labels.count, len(matrix.ends)
    span = int(matrix.ends[-1] - matrix.ends[0]) + matrix.width
    # how many windows a sample is in, on average
    times = 1 + windows * matrix.width / span
    costs = np.cumsum(np.diff(matrix.offsets) * times + windows)
    begin, spent = 0, 0.0
    while begin < series:
        end = max(begin + 1, int(np.searchsorted(costs, spent + query.CHUNK_COST)))
        rows, cost = slice(begin, end), float(costs[end - 1]) - spent
        if end > begin + 1:
            limits.check_time()
            yield rows, slice(0, windows)
        else:
            for part in limits.parts(windows, int(cost / windows)):
                yield rows, part
        begin, spent = end, spent + cost


def _labelled(name: str, found: Vector) -> Vector:
    if name == "present_over_time":
        found = Vector(found.labels, found.present.astype(np.float64), found.present)
    if name not in KEEP_NAME:
        found = Vector(found.labels.drop(METADATA), found.values, found.present)
    if name != "absent_over_time" and not found.labels.is_unique:
        raise same_labels()
    return found


def _check_smoothing(samples: Vector, factors: Values, trends: Values) -> None:
    wrong = np.array([(numbers <= 0) | (numbers >= 1) for numbers in (factors, trends)])
    # of the first series that has samples at a step where a factor is wrong, the first such step
    hit = samples.present & wrong.any(axis=0)
    if not hit.any():
        return
    step = int(hit[int(hit.any(axis=1).argmax())].argmax())
    word, number = ("smoothing", factors[step]) if wrong[0, step] else ("trend", trends[step])
    text = f"{number:f}" if np.isfinite(number) else number_text(number)
    raise InvalidQuery(
        QueryFault.BAD_PARAMETER, f"invalid {word} factor. Expected: 0 < {word[0]}f < 1, got: {text}"
    )


def _not_with(modifier: str, functions: tuple[str, ...], name: str) -> InvalidQuery:
    listed = ", ".join(functions)
    return InvalidQuery(
        QueryFault.BAD_PARAMETER, f"{modifier} modifier can only be used with: {listed} - not with {name}"
    )
