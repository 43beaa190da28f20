"""Computes the durations of an expression, once the step and the range of its query are known."""

from dataclasses import replace
from typing import TypeVar

import numpy as np

from streamgauge.promql.syntax.ast import (
    Aggregate,
    Binary,
    Call,
    Duration,
    DurationExpr,
    DurationLeaf,
    DurationOp,
    DurationTerm,
    DurationUnary,
    Expr,
    MatrixSelector,
    NumberLiteral,
    Paren,
    Span,
    Subquery,
    Unary,
    VectorSelector,
)
from streamgauge.promql.syntax.invalid_expression import ExpressionFault, InvalidExpression
from streamgauge.promql.syntax.literals import MAX_DURATION_S
from streamgauge.promql.syntax.walk import walk

_T = TypeVar("_T", bound=Expr)


def resolve(expr: Expr, step_ms: int, range_ms: int, text: str) -> Expr:
    """The expression with all durations as milliseconds.

    :param step_ms: the query's step, 0 for an instant query. :param range_ms: its end less its start.
    :param text: of the query, for the places in errors.
    :raises InvalidExpression: for a range or step that is not positive, a division by zero and the like.
    """
    if not any(_is_computed(part) for part in walk(expr)):
        return expr
    return _Resolver(step_ms / 1000, range_ms / 1000, text).resolve(expr)


def _is_computed(expr: Expr) -> bool:
    match expr:
        case VectorSelector():
            return not isinstance(expr.offset, int)
        case MatrixSelector():
            return not isinstance(expr.range, int)
        case Subquery():
            return not all(isinstance(part, int) for part in (expr.offset, expr.range, expr.step or 0))
        case _:
            return False


class _Resolver:
    def __init__(self, step_s: float, range_s: float, text: str) -> None:
        self._text = text
        self._terms = {DurationTerm.STEP: step_s, DurationTerm.RANGE: range_s}

    def resolve(self, expr: _T) -> _T:
        match expr:
            case VectorSelector():
                return replace(expr, offset=self._milliseconds(expr.offset))
            case MatrixSelector():
                width = self._positive(expr.range)
                return replace(expr, selector=self.resolve(expr.selector), range=width)
            case Subquery():
                return replace(
                    expr,
                    expr=self.resolve(expr.expr),
                    offset=self._milliseconds(expr.offset),
                    step=None if expr.step is None else self._positive(expr.step),
                    range=self._positive(expr.range),
                )
            case Paren() | Unary():
                return replace(expr, expr=self.resolve(expr.expr))
            case Aggregate():
                param = None if expr.param is None else self.resolve(expr.param)
                return replace(expr, expr=self.resolve(expr.expr), param=param)
            case Binary():
                return replace(expr, lhs=self.resolve(expr.lhs), rhs=self.resolve(expr.rhs))
            case Call():
                return replace(expr, args=tuple([self.resolve(arg) for arg in expr.args]))
            case _:
                return expr

    def _positive(self, duration: Duration) -> int:
        milliseconds = self._milliseconds(duration)
        if milliseconds <= 0 and not isinstance(duration, int):
            raise self._invalid(duration.span, "duration must be greater than 0")
        return milliseconds

    def _milliseconds(self, duration: Duration) -> int:
        if isinstance(duration, int):
            return duration
        # a power may overflow; what comes of it is refused below, unless min_of leaves it out
        with np.errstate(all="ignore"):
            seconds = float(self._seconds(duration))
        if not np.isfinite(seconds):
            raise self._invalid(duration.span, "duration is NaN or infinite")
        if abs(seconds) > MAX_DURATION_S:
            raise self._invalid(duration.span, "duration is out of range")
        return int(seconds * 1000)

    def _seconds(self, expr: DurationExpr) -> np.float64:
        match expr:
            case NumberLiteral():
                return np.float64(expr.value)
            case DurationLeaf():
                return np.float64(self._terms[expr.term])
            case DurationUnary():
                return -self._seconds(expr.operand)
        lhs, rhs = self._seconds(expr.lhs), self._seconds(expr.rhs)
        match expr.op:
            case DurationOp.ADD:
                return lhs + rhs
            case DurationOp.SUB:
                return lhs - rhs
            case DurationOp.MUL:
                return lhs * rhs
            case DurationOp.POW:
                return np.float64(np.power(lhs, rhs))
            case DurationOp.MAX_OF:
                return np.float64(np.maximum(lhs, rhs))
            case DurationOp.MIN_OF:
                return np.float64(np.minimum(lhs, rhs))
        if rhs == 0:
            what = "division" if expr.op is DurationOp.DIV else "modulo"
            raise self._invalid(expr.span, f"{what} by zero")
        return lhs / rhs if expr.op is DurationOp.DIV else np.float64(np.fmod(lhs, rhs))

    def _invalid(self, span: Span, detail: str) -> InvalidExpression:
        # only the words of parse errors come with a line; places are those of bytes, as in Prometheus
        start, end = (len(self._text[:place].encode(errors="surrogatepass")) for place in span)
        return InvalidExpression(ExpressionFault.DURATION, f"{start}:{end}", detail, span)
