"""Evaluating expressions: one method a kind of node, everything else in the modules it calls."""

from typing import TypeAlias

import numpy as np

from streamgauge.promql import aggregations, arithmetic, calls, matching, vector_functions
from streamgauge.promql.annotations import Annotations
from streamgauge.promql.ast import (
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
)
from streamgauge.promql.faults import InvalidQuery, QueryFault
from streamgauge.promql.invariance import invariant_parts
from streamgauge.promql.literals import quoted
from streamgauge.promql.query import Grid, Limits, Query, Source, spread
from streamgauge.promql.selection import Selection, milliseconds
from streamgauge.promql.vectors import Matrix, Values, Vector, empty

Value: TypeAlias = Vector | Matrix | Values | str
"""A vector, a range vector, a scalar (steps,) float64 or a string."""


class Evaluator:
    """Evaluates the expressions of one query.

    Every method may raise InvalidQuery, for what the query asks and by its limits.
    """

    def __init__(self, query: Query, source: Source, limits: Limits, annotations: Annotations) -> None:
        self.query = query
        self.limits = limits
        self.annotations = annotations
        self.selection = Selection(source, query, limits)
        self._invariant: frozenset[int] = frozenset()

    def evaluate(self, expression: Expr, grid: Grid) -> Value:
        """What the whole query is at every step."""
        self._invariant = invariant_parts(expression)
        return self.value(expression, grid)

    def value(self, node: Expr, grid: Grid) -> Value:
        """What an expression is at every step."""
        self.limits.check_time()
        while isinstance(node, Paren):
            node = node.expr
        if grid.count and not grid.is_instant and id(node) in self._invariant:
            return self._repeated(self.value(node, grid.first), grid.count)
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

    def _subquery(self, node: Subquery, grid: Grid) -> Matrix:
        ends = self.selection.ends(node.at, node.offset, grid)
        width = milliseconds(node.range)
        step = self.query.subquery_step if node.step is None else milliseconds(node.step)
        # steps are multiples of `step` since 1970, so that they do not move with the query
        start = (int(ends[0]) - width) // step * step + step
        inner = spread(start, int(ends[-1]), step)
        # even without any series the steps themselves take memory
        self.limits.check_size(1, inner.count)
        found = self.vector(node.expr, inner) if inner.count else empty(0)
        rows, steps = np.nonzero(found.present)
        self.limits.take_samples(len(rows))
        offsets = np.searchsorted(rows, np.arange(found.labels.count + 1))
        times = start + steps * step
        return Matrix(found.labels, offsets, times, found.values[rows, steps], ends, width)

    def _aggregate(self, node: Aggregate, grid: Grid) -> Vector:
        if node.op is AggregateOp.COUNT_VALUES:
            if node.param is None:
                raise _wrong_type("string", node)
            label = self.string(node.param, grid)
            if not label:
                raise InvalidQuery(QueryFault.BAD_PARAMETER, f"invalid label name {quoted(label)}")
            return aggregations.count_values(node, self.vector(node.expr, grid), label)
        param = None
        if node.param is not None:
            # Prometheus 3.16 overlooks @ start() and @ end() there
            with self.selection.without_boundaries():
                param = self.scalar(node.param, grid)
        return aggregations.aggregate(node, self.vector(node.expr, grid), param, self.annotations)

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
        while isinstance(left, Binary) and (grid.is_instant or id(left) not in self._invariant):
            chain.append(left)
            left = left.lhs
        found = self.value(left, grid)
        for link in reversed(chain):
            found = self._operated(link, found, self.value(link.rhs, grid))
        return found

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


def _wrong_type(wanted: str, node: Expr) -> TypeError:
    # the parser checks types, so this is no fault of the query
    return TypeError(f"expected {wanted} at {node.span}, got {node.type}")
