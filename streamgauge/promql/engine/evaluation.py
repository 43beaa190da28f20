"""The way in: an expression, a query and a source of samples give a result."""

from dataclasses import dataclass

import numpy as np

from streamgauge.promql.data.annotations import Annotations
from streamgauge.promql.data.faults import InvalidQuery, QueryFault
from streamgauge.promql.data.query import Limits, Query, Source
from streamgauge.promql.data.vectors import Matrix, Times, Vector, same_labels
from streamgauge.promql.engine.evaluator import Evaluator, Value
from streamgauge.promql.functions.range_results import windowed
from streamgauge.promql.syntax.ast import (
    Aggregate,
    AggregateOp,
    Call,
    Expr,
    MatrixSelector,
    Paren,
    Subquery,
    walk,
)

_RANKED = frozenset({AggregateOp.TOPK, AggregateOp.BOTTOMK})


@dataclass(frozen=True, slots=True)
class Result:
    """What a query gives.

    value: a Vector of the series that have a value, in the order of the answer; a Matrix whose samples are
    the result, also in order; a scalar (steps,) float64; a string. times: of the steps, (steps,) int64 ms.
    warnings, infos: remarks for the user.
    """

    value: Value
    times: Times
    warnings: list[str]
    infos: list[str]


def evaluate(
    expression: Expr,
    query: Query,
    source: Source,
    limits: Limits | None = None,
    text: str = "",
    annotations: Annotations | None = None,
) -> Result:
    """Evaluate an expression whose durations are resolved.

    :param text: of the query, for the positions in warnings and infos.
    :param annotations: take what there is to remark, instead of new ones for the text.
    :raises InvalidQuery: for what the query asks, and by the limits.
    """
    limits = limits or Limits()
    limits.check_steps(query.grid.count)
    return answer(expression, Evaluator(query, source, limits, annotations or Annotations(text)))


def answer(expression: Expr, evaluator: Evaluator) -> Result:
    """The result of an expression in the order of an answer.

    :raises InvalidQuery: for what the query asks, and by the limits.
    """
    grid = evaluator.query.grid
    while isinstance(expression, Paren):
        expression = expression.expr
    try:
        value = evaluator.evaluate(expression, grid)
    except RecursionError:
        raise InvalidQuery(QueryFault.TOO_DEEP, "the expression is nested too deeply") from None
    evaluator.limits.check_time()
    if isinstance(value, Vector):
        value = _ordered(value, keeps_order=grid.is_instant and _is_ranked(expression))
    elif isinstance(value, Matrix) and isinstance(expression, MatrixSelector | Subquery):
        value = _in_order(windowed(value, expression))
    return Result(value, grid.times, evaluator.annotations.warnings, evaluator.annotations.infos)


def _is_ranked(expression: Expr) -> bool:
    """Whether the order of an instant query's series says something."""
    return any(
        (isinstance(node, Call) and node.function.startswith("sort"))
        or (isinstance(node, Aggregate) and node.op in _RANKED)
        for node in walk(expression)
    )


def _ordered(vector: Vector, keeps_order: bool) -> Vector:
    vector = vector.seen()
    if not vector.labels.is_unique:
        raise same_labels()
    if keeps_order:
        return vector
    rows = vector.labels.order()
    return vector if (rows == np.arange(len(rows))).all() else vector.take(rows)


def _in_order(matrix: Matrix) -> Matrix:
    rows = matrix.labels.order()
    parts = [np.arange(matrix.offsets[row], matrix.offsets[row + 1]) for row in rows]
    samples = np.concatenate([np.zeros(0, np.int64), *parts])
    return Matrix(
        matrix.labels.take(rows),
        np.concatenate([np.zeros(1, np.int64), np.cumsum([len(part) for part in parts])]).astype(np.int64),
        matrix.timestamps[samples],
        matrix.values[samples],
        matrix.ends,
        matrix.width,
    )
