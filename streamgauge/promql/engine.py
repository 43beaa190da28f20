"""The way in: an expression, a query and a source of samples give a result."""

from dataclasses import dataclass

import numpy as np

from streamgauge.promql.annotations import Annotations
from streamgauge.promql.ast import Expr
from streamgauge.promql.evaluator import Evaluator, Value
from streamgauge.promql.faults import InvalidQuery, QueryFault
from streamgauge.promql.label_functions import all_labels
from streamgauge.promql.query import Limits, Query, Source
from streamgauge.promql.vectors import Times, Vector, same_labels


@dataclass(frozen=True, slots=True)
class Result:
    """What a query gives.

    value: a Vector without series that have no value, in the order of the answer; a Matrix; a scalar (steps,)
    float64; a string. times: of the steps, (steps,) int64 ms. warnings, infos: remarks for the user.
    """

    value: Value
    times: Times
    warnings: list[str]
    infos: list[str]


def evaluate(
    expression: Expr, query: Query, source: Source, limits: Limits | None = None, text: str = ""
) -> Result:
    """Evaluate an expression whose durations are resolved.

    :param text: of the query, for the positions in warnings and infos.
    :raises InvalidQuery: for what the query asks, and by the limits.
    """
    limits = limits or Limits()
    grid = query.grid
    limits.check_steps(grid.count)
    annotations = Annotations(text)
    evaluator = Evaluator(query, source, limits, annotations)
    try:
        value = evaluator.value(expression, grid)
    except RecursionError:
        raise InvalidQuery(QueryFault.TOO_DEEP, "the expression is nested too deeply") from None
    if isinstance(value, Vector):
        value = _ordered(value, query)
    return Result(value, grid.times, annotations.warnings, annotations.infos)


def _ordered(vector: Vector, query: Query) -> Vector:
    vector = vector.seen()
    if not vector.labels.is_unique:
        raise same_labels()
    if query.start == query.end:
        return vector
    labels = all_labels(vector.labels)
    return vector.take(np.array(sorted(range(len(labels)), key=labels.__getitem__), np.int64))
