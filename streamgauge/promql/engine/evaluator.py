"""Evaluating an expression at the steps of a query: `evaluate` is the way in.

One method a kind of node, everything else in the modules it calls.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np

from streamgauge.promql.data.annotations import Annotations, Remark
from streamgauge.promql.data.faults import InvalidQuery, QueryFault
from streamgauge.promql.data.query import Grid, Limits, Query, Source, spread
from streamgauge.promql.data.vectors import Matrix, Times, Values, Vector, empty, same_labels
from streamgauge.promql.engine import calls
from streamgauge.promql.engine.invariance import invariant_parts
from streamgauge.promql.engine.selection import Selection, milliseconds
from streamgauge.promql.functions import aggregations, arithmetic, matching, vector_functions
from streamgauge.promql.functions.range_results import windowed
from streamgauge.promql.functions.rolled_functions import Rolled
from streamgauge.promql.syntax.ast import (
    Aggregate,
    AggregateOp,
    Binary,
    Call,
    Expr,
    MatrixSelector,
    NumberLiteral,
    Paren,
    StringLiteral,
    Subquery,
    Unary,
    UnaryOp,
    VectorSelector,
    walk,
)
from streamgauge.promql.syntax.literals import quoted

Value: TypeAlias = Vector | Matrix | Values | str
"""A vector, a range vector, a scalar (steps,) float64 or a string."""


class Known(NamedTuple):
    """A value that is there already, and what each lane has remarked about it."""

    value: Value
    remarks: Sequence[Sequence[Remark]]


_NOTHING: Mapping[tuple[int, Grid], Known] = {}


class Evaluator:
    """Evaluates the expressions of one query.

    Every method may raise InvalidQuery, for what the query asks and by its limits.
    """

    def __init__(
        self,
        query: Query,
        source: Source,
        limits: Limits,
        annotations: Annotations,
        known: Mapping[tuple[int, Grid], Known] = _NOTHING,
    ) -> None:
        """Evaluate from a source.

        :param known: values that are there already, by the `id` of the node and the steps.
        """
        self.query = query
        self.limits = limits
        self.annotations = annotations
        self.selection = Selection(source, query, limits)
        self._known = known
        self._invariant: frozenset[int] = frozenset()

    def evaluate(self, expression: Expr, grid: Grid) -> Value:
        """What the whole query is at every step."""
        self.prepare(expression)
        return self.value(expression, grid)

    def prepare(self, expression: Expr) -> None:
        """Look at the whole query before parts of it are evaluated."""
        self._invariant = invariant_parts(expression)

    def value(self, node: Expr, grid: Grid) -> Value:
        """What an expression is at every step."""
        self.limits.check_time()
        while isinstance(node, Paren):
            node = node.expr
        if grid.count and not grid.is_instant and id(node) in self._invariant:
            return self._repeated(self.value(node, grid.first), grid.count)
        if (part := self._known.get((id(node), grid))) is not None:
            self.annotations.take(part.remarks)
            return part.value
        self.annotations.turn += 1
        before = self.limits.held
        found = self._value(node, grid)
        self.limits.settle(before, size(found))
        return found

    def _value(self, node: Expr, grid: Grid) -> Value:
        match node:
            case NumberLiteral():
                return np.full(grid.count, node.value, np.float64)
            case StringLiteral():
                return node.value
            case VectorSelector():
                return self.selection.vector(node, grid).seen()
            case MatrixSelector():
                return self.selection.matrix(node, grid)
            case Subquery():
                return self._subquery(node, grid)
            case Call():
                return calls.call(self, node, grid)
            case Aggregate():
                return self._aggregate(node, grid)
            case Unary():
                return self._unary(node, grid)
            case Binary():
                return self._binary(node, grid)
            case Paren():
                return self.value(node.expr, grid)

    def vector(self, node: Expr, grid: Grid) -> Vector:
        """An expression that is a vector."""
        found = self.value(node, grid)
        if not isinstance(found, Vector):
            raise _wrong_type("instant vector", node)
        return found

    def matrix(self, node: Expr, grid: Grid) -> Matrix:
        """An expression that is a range vector."""
        found = self.value(node, grid)
        if not isinstance(found, Matrix):
            raise _wrong_type("range vector", node)
        return found

    def rolled(self, function: str, node: MatrixSelector | Subquery, grid: Grid) -> Rolled | None:
        """What a function of a range is answered from instead of samples, if there are rollups to be read."""
        if isinstance(node, Subquery) or (id(node), grid) in self._known:
            return None
        return self.selection.rolled(function, node, grid)

    def scalar(self, node: Expr, grid: Grid) -> Values:
        """An expression that is a scalar: (steps,) float64."""
        found = self.value(node, grid)
        if not isinstance(found, np.ndarray):
            raise _wrong_type("scalar", node)
        return found

    def string(self, node: Expr, grid: Grid) -> str:
        """An expression that is a string."""
        found = self.value(node, grid)
        if not isinstance(found, str):
            raise _wrong_type("string", node)
        return found

    def counted_label(self, node: Aggregate, grid: Grid) -> str:
        """The label that count_values gives the values."""
        if node.param is None:
            raise _wrong_type("string", node)
        label = self.string(node.param, grid)
        if not label:
            raise InvalidQuery(QueryFault.BAD_PARAMETER, f"invalid label name {quoted(label)}")
        return label

    def _subquery(self, node: Subquery, grid: Grid) -> Matrix:
        ends = self.selection.ends(node.at, node.offset, grid)
        width = milliseconds(node.range)
        inner = subquery_grid(node, ends, self.query)
        # even without any series the steps themselves take memory
        self.limits.check_size(1, inner.count)
        found = self.vector(node.expr, inner) if inner.count else empty(0)
        rows, steps = np.nonzero(found.present)
        self.limits.take_samples(len(rows))
        offsets = np.searchsorted(rows, np.arange(found.labels.count + 1))
        times = inner.start + steps * inner.step
        return Matrix(found.labels, offsets, times, found.values[rows, steps], ends, width)

    def _aggregate(self, node: Aggregate, grid: Grid) -> Vector:
        if node.op is AggregateOp.COUNT_VALUES:
            label = self.counted_label(node, grid)
            return aggregations.count_values(node, self.vector(node.expr, grid), label, self.limits)
        param = self.param(node, grid)
        vector = self.vector(node.expr, grid)
        return aggregations.aggregate(node, vector, param, self.limits, self.annotations)

    def param(self, node: Aggregate, grid: Grid) -> Values | None:
        """The number in front of an aggregation, if it has one."""
        if node.param is None:
            return None
        # Prometheus 3.16 overlooks @ start() and @ end() there
        with self.selection.without_boundaries():
            return self.scalar(node.param, grid)

    def _repeated(self, found: Value, count: int) -> Value:
        if isinstance(found, Vector):
            self.limits.check_size(found.labels.count, count)
            return Vector(
                found.labels, np.repeat(found.values, count, axis=1), np.repeat(found.present, count, axis=1)
            )
        return np.repeat(found, count) if isinstance(found, np.ndarray) else found

    def _unary(self, node: Unary, grid: Grid) -> Value:
        found = self.value(node.expr, grid)
        if node.op is UnaryOp.PLUS:
            return found
        if isinstance(found, Vector):
            return vector_functions.negated(found)
        if isinstance(found, np.ndarray):
            return -found
        raise _wrong_type("scalar or instant vector", node.expr)

    def _binary(self, node: Binary, grid: Grid) -> Value:
        # a chain of operators is a tree as deep as it is long
        chain = [node]
        left: Expr = node.lhs
        while isinstance(left, Binary) and not self._is_apart(left, grid):
            chain.append(left)
            left = left.lhs
        before = self.limits.held
        found = self.value(left, grid)
        for link in reversed(chain):
            found = self._operated(link, found, self.value(link.rhs, grid))
            self.limits.settle(before, size(found))
        self.limits.held = before
        return found

    def _is_apart(self, node: Binary, grid: Grid) -> bool:
        """Whether an operation is not evaluated here along with the one above it."""
        return (id(node) in self._invariant and not grid.is_instant) or (id(node), grid) in self._known

    def _operated(self, node: Binary, left: Value, right: Value) -> Value:
        self.limits.check_time()
        if isinstance(left, Vector) and isinstance(right, Vector):
            if node.matching is None:
                raise _wrong_type("scalar", node)
            if node.op.is_set:
                return matching.set_operation(node.op, left, right, node.matching)
            return matching.vector_operation(node.op, left, right, node.matching, node.return_bool)
        if isinstance(left, Vector) and isinstance(right, np.ndarray):
            return arithmetic.vector_and_scalar(node.op, left, right, False, node.return_bool)
        if isinstance(left, np.ndarray) and isinstance(right, Vector):
            return arithmetic.vector_and_scalar(node.op, right, left, True, node.return_bool)
        if isinstance(left, np.ndarray) and isinstance(right, np.ndarray):
            return arithmetic.scalars(node.op, left, right)
        raise _wrong_type("scalar or instant vector", node)


def size(value: Value) -> int:
    """The bytes of its arrays."""
    match value:
        case Vector():
            return value.values.nbytes + value.present.nbytes
        case Matrix():
            return value.timestamps.nbytes + value.values.nbytes
        case str():
            return 0
        case _:
            return value.nbytes


def subquery_grid(node: Subquery, ends: Times, query: Query) -> Grid:
    """The steps at which the expression of a subquery is evaluated, whose windows end at `ends`, int64 ms."""
    step = query.subquery_step if node.step is None else milliseconds(node.step)
    # steps are multiples of `step` since 1970, so that they do not move with the query
    start = (int(ends[0]) - milliseconds(node.range)) // step * step + step
    return spread(start, int(ends[-1]), step)


def _wrong_type(wanted: str, node: Expr) -> TypeError:
    # the parser checks types, so this is no fault of the query
    return TypeError(f"expected {wanted} at {node.span}, got {node.type}")


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
