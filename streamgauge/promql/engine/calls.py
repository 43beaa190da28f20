"""Calls of functions: their arguments, and which module knows them."""

from typing import TYPE_CHECKING

import numpy as np

from streamgauge.promql.data.faults import InvalidQuery, QueryFault
from streamgauge.promql.data.labels import LabelTable, from_rows
from streamgauge.promql.data.query import Grid
from streamgauge.promql.data.vectors import Mask, Values, Vector
from streamgauge.promql.functions import histograms, label_functions, range_functions, vector_functions
from streamgauge.promql.functions.arithmetic import maximum, minimum
from streamgauge.promql.syntax.ast import NOWHERE, Call, Expr, MatrixSelector, Subquery, VectorSelector, bare
from streamgauge.promql.syntax.functions_table import FUNCTIONS, ValueType

if TYPE_CHECKING:
    from streamgauge.promql.engine.evaluator import Evaluator

NOT_SUPPORTED = {
    "histogram_avg": "native histograms, which are not supported",
    "histogram_count": "native histograms, which are not supported",
    "histogram_stddev": "native histograms, which are not supported",
    "histogram_stdvar": "native histograms, which are not supported",
    "histogram_sum": "native histograms, which are not supported",
    "info": "info metrics, which are not supported",
    "start_timestamp": "start timestamps, which are not stored",
}
"""Functions that the parser knows and the engine refuses, with what they work on."""
_SORTS = frozenset({"sort", "sort_desc", "sort_by_label", "sort_by_label_desc"})


def call(evaluator: "Evaluator", node: Call, grid: Grid) -> Vector | Values:
    """The result of a function.

    :raises InvalidQuery: for a function that is not supported, a bad argument, and by the limits.
    """
    if node.function in NOT_SUPPORTED:
        message = f"function {node.function}() works on {NOT_SUPPORTED[node.function]}"
        raise InvalidQuery(QueryFault.NOT_SUPPORTED, message)
    if FUNCTIONS[node.function].returns is ValueType.SCALAR:
        return _scalar(evaluator, node, grid)
    for position, argument in enumerate(node.args):
        ranged = bare(argument)
        if isinstance(ranged, MatrixSelector | Subquery):
            return _over_range(evaluator, node, position, ranged, grid)
    return _over_vector(evaluator, node, grid)


def _scalar(evaluator: "Evaluator", node: Call, grid: Grid) -> Values:
    query = evaluator.query
    match node.function:
        case "scalar":
            return vector_functions.scalar_of(evaluator.vector(node.args[0], grid))
        case "time":
            return grid.times / 1000
        case "pi":
            return np.full(grid.count, np.pi)
        case "max_of" | "min_of":
            left, right = (evaluator.scalar(argument, grid) for argument in node.args)
            return maximum(left, right) if node.function == "max_of" else minimum(left, right)
        case "start":
            milliseconds = query.start
        case "end":
            milliseconds = query.end
        case "range":
            milliseconds = query.end - query.start
        case "step":
            milliseconds = query.step if query.end != query.start else 0
        case name:
            raise KeyError(name)
    return np.full(grid.count, milliseconds / 1000)


def _over_range(
    evaluator: "Evaluator", node: Call, position: int, ranged: MatrixSelector | Subquery, grid: Grid
) -> Vector:
    name = node.function
    rolled = evaluator.rolled(name, ranged, grid)
    matrix = evaluator.matrix(ranged, grid) if rolled is None else None
    scalars = [evaluator.scalar(node.args[at], grid) for at in range(len(node.args)) if at != position]
    first = bare(node.args[0])
    # Prometheus forgets where a subquery stood
    span = NOWHERE if isinstance(first, Subquery) else first.span
    limits, annotations = evaluator.limits, evaluator.annotations
    if rolled is not None:
        found = range_functions.apply_rolled(name, rolled, scalars, span, grid, limits, annotations)
    elif matrix is not None:
        lookback = evaluator.query.lookback
        found = range_functions.apply(
            name, matrix, ranged, scalars, span, grid, lookback, limits, annotations
        )
    return absent(ranged, found) if name == "absent_over_time" else found


def _over_vector(evaluator: "Evaluator", node: Call, grid: Grid) -> Vector:
    name, arguments = node.function, node.args
    if name in vector_functions.MATH:
        return vector_functions.mathematical(name, evaluator.vector(arguments[0], grid))
    if name in _SORTS:
        return _sorted(evaluator, node, grid)
    if name.startswith("histogram_"):
        return _over_histograms(evaluator, node, grid)
    match name:
        case "absent":
            return absent(arguments[0], evaluator.vector(arguments[0], grid))
        case "vector":
            return _constant(evaluator.scalar(arguments[0], grid))
        case "timestamp":
            return _timestamps(evaluator, arguments[0], grid)
        case "round":
            nearest = evaluator.scalar(arguments[1], grid) if len(arguments) > 1 else np.ones(grid.count)
            return vector_functions.rounded(evaluator.vector(arguments[0], grid), nearest)
        case "clamp" | "clamp_min" | "clamp_max":
            return _clamped(evaluator, node, grid)
        case "label_replace":
            replace = label_functions.label_replace(
                evaluator.limits, *(evaluator.string(text, grid) for text in arguments[1:])
            )
            return replace(evaluator.vector(arguments[0], grid))
        case "label_join":
            target, separator, *sources = (evaluator.string(argument, grid) for argument in arguments[1:])
            join = label_functions.label_join(evaluator.limits, target, separator, sources)
            return join(evaluator.vector(arguments[0], grid))
    if not arguments:
        return _constant(vector_functions.calendar_part(name, grid.times / 1000))
    return vector_functions.calendar(name, evaluator.vector(arguments[0], grid))


def _over_histograms(evaluator: "Evaluator", node: Call, grid: Grid) -> Vector:
    arguments, limits, annotations = node.args, evaluator.limits, evaluator.annotations
    if node.function == "histogram_quantile":
        q = evaluator.scalar(arguments[0], grid)
        vector = evaluator.vector(arguments[1], grid)
        spans = bare(arguments[0]).span, bare(arguments[1]).span
        return histograms.histogram_quantile(vector, q, grid.times, spans, limits, annotations)
    if node.function == "histogram_fraction":
        lower, upper = evaluator.scalar(arguments[0], grid), evaluator.scalar(arguments[1], grid)
        vector = evaluator.vector(arguments[2], grid)
        place = bare(arguments[2]).span
        return histograms.histogram_fraction(vector, lower, upper, place, limits, annotations)
    label = evaluator.string(arguments[1], grid)
    vector = evaluator.vector(arguments[0], grid)
    qs = [(evaluator.scalar(argument, grid), bare(argument).span) for argument in arguments[2:]]
    place = bare(arguments[0]).span
    return histograms.histogram_quantiles(vector, label, qs, grid.times, place, limits, annotations)


def _sorted(evaluator: "Evaluator", node: Call, grid: Grid) -> Vector:
    vector = evaluator.vector(node.args[0], grid)
    if not grid.is_instant:
        evaluator.annotations.warn(
            "sort is ineffective for range queries since results are always ordered by labels", node.span
        )
        return vector
    vector = vector.seen()
    descending = node.function.endswith("_desc")
    if node.function in ("sort", "sort_desc"):
        return label_functions.by_value(vector, descending)
    names = [evaluator.string(argument, grid) for argument in node.args[1:]]
    return label_functions.by_labels(vector, names, descending)


def _clamped(evaluator: "Evaluator", node: Call, grid: Grid) -> Vector:
    vector = evaluator.vector(node.args[0], grid)
    bounds = [evaluator.scalar(argument, grid) for argument in node.args[1:]]
    least = np.full(grid.count, -np.inf) if node.function == "clamp_max" else bounds[0]
    most = np.full(grid.count, np.inf) if node.function == "clamp_min" else bounds[-1]
    return vector_functions.clamped(vector, least, most)


def _timestamps(evaluator: "Evaluator", argument: Expr, grid: Grid) -> Vector:
    selector = bare(argument)
    if isinstance(selector, VectorSelector):
        return evaluator.selection.vector(selector, grid, times=True).seen().without_metadata()
    return vector_functions.times_of(evaluator.vector(selector, grid), grid.times)


def absent(argument: Expr, vector: Vector) -> Vector:
    """absent() and absent_over_time(): 1 at the steps at which no series of the vector has a value.

    :param argument: of the function, which gives the result its labels.
    """
    absent: Mask = ~vector.present.any(axis=0)[None, :]
    labels = from_rows([label_functions.absent_labels(argument)])
    return Vector(labels, np.ones(absent.shape), absent).seen()


def _constant(values: Values) -> Vector:
    return Vector(LabelTable(1, {}), values[None, :].copy(), np.ones((1, len(values)), bool))
