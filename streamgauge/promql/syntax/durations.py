"""Durations of ranges, steps and offsets: parsed, computed and printed.

A computed one (`[step() * 2]`) is known once the step and the range of its query are.
"""

import math
from dataclasses import replace
from typing import TypeVar

import numpy as np

from streamgauge.promql.syntax.ast import (
    Aggregate,
    Binary,
    Call,
    Duration,
    DurationBinary,
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
    walk,
)
from streamgauge.promql.syntax.cursor import Cursor, at_number, number_literal, signed
from streamgauge.promql.syntax.invalid_expression import ExpressionFault, InvalidExpression
from streamgauge.promql.syntax.lexer import Token
from streamgauge.promql.syntax.literals import MAX_DURATION_S, duration_text, number_text

_LEVELS: dict[str, int] = {
    DurationOp.ADD: 1,
    DurationOp.SUB: 1,
    DurationOp.MUL: 2,
    DurationOp.DIV: 2,
    DurationOp.MOD: 2,
    DurationOp.POW: 3,
}
_POWER = 3


def positive_duration(cursor: Cursor) -> Duration:
    """A range or a step. Whether a computed one is positive shows once it is computed."""
    found = _expression(cursor, 0)
    if isinstance(found, NumberLiteral):
        milliseconds = _literal_ms(cursor, found)
        if milliseconds <= 0:
            raise cursor.fault("duration must be greater than 0", found.span)
        return milliseconds
    return found


def offset_duration(cursor: Cursor) -> Duration:
    """An offset, which ends before an operator unless it starts with a parenthesis or two signs.

    So `a offset 5m + b` adds b, and `a offset (5m) + 1m` is an offset of six minutes.
    """
    sign = cursor.take_if("+", "-")
    found: DurationExpr
    if sign:
        if cursor.at("+", "-"):
            return _offset(cursor, _operators(cursor, _negated(cursor, sign, _expression(cursor, _POWER)), 0))
        found = _negated(cursor, sign, number_literal(cursor) if at_number(cursor) else _term(cursor))
    else:
        found = _expression(cursor, 0) if cursor.at("(") else _term(cursor)
    return _offset(cursor, found)


def _offset(cursor: Cursor, found: DurationExpr) -> Duration:
    return _literal_ms(cursor, found) if isinstance(found, NumberLiteral) else found


def _expression(cursor: Cursor, minimum: int) -> DurationExpr:
    cursor.enter()
    sign = cursor.take_if("+", "-")
    found = _negated(cursor, sign, _expression(cursor, _POWER)) if sign else _term(cursor)
    found = _operators(cursor, found, minimum)
    cursor.leave()
    return found


def _operators(cursor: Cursor, lhs: DurationExpr, minimum: int) -> DurationExpr:
    while (level := _LEVELS.get(cursor.token.word, -1)) >= max(minimum, 1):
        operator = cursor.take()
        rhs = _expression(cursor, level if level == _POWER else level + 1)
        if operator.word in "/%" and isinstance(rhs, NumberLiteral) and rhs.value == 0:
            what = "division" if operator.word == "/" else "modulo"
            raise cursor.fault(f"{what} by zero", Span(operator.start, operator.end))
        lhs = DurationBinary(DurationOp(operator.word), lhs, rhs, span=Span(lhs.span.start, rhs.span.end))
    return lhs


def _term(cursor: Cursor) -> DurationExpr:
    if at_number(cursor):
        return _in_range(cursor, number_literal(cursor))
    token = cursor.token
    if cursor.take_if("("):
        found = _expression(cursor, 0)
        cursor.expect(")")
        return found
    if cursor.take_if("step", "range"):
        cursor.expect("(")
        cursor.expect(")")
        return DurationLeaf(DurationTerm(token.word), span=Span(token.start, cursor.end))
    if cursor.take_if("max_of", "min_of"):
        cursor.expect("(")
        lhs = _expression(cursor, 0)
        cursor.expect(",")
        rhs = _expression(cursor, 0)
        cursor.expect(")")
        return DurationBinary(DurationOp(token.word), lhs, rhs, span=Span(token.start, cursor.end))
    raise cursor.unexpected()


def _negated(cursor: Cursor, sign: Token, operand: DurationExpr) -> DurationExpr:
    if isinstance(operand, NumberLiteral):
        return _in_range(cursor, signed(sign, operand))
    if sign.word == "+":
        return operand
    return DurationUnary(operand, span=Span(sign.start, operand.span.end))


def _in_range(cursor: Cursor, literal: NumberLiteral) -> NumberLiteral:
    # a NaN shows once the whole is computed
    if abs(literal.value) > MAX_DURATION_S:
        raise cursor.fault("duration out of range", literal.span)
    return literal


def _literal_ms(cursor: Cursor, literal: NumberLiteral) -> int:
    if math.isnan(literal.value):
        raise cursor.fault("duration out of range", literal.span)
    if literal.is_duration:
        # whole milliseconds to begin with
        return round(literal.value * 1000)
    # nanoseconds first, as Prometheus does, so that 4.018 is 4018 ms; less than a millisecond is cut off
    nanoseconds = round(literal.value * 1e9)
    return nanoseconds // 10**6 if nanoseconds >= 0 else -(-nanoseconds // 10**6)


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


_SIGNED = 2
_ALONE = 5


def range_text(duration: Duration) -> str:
    """A range or a step, as it stands in brackets."""
    return duration_text(duration) if isinstance(duration, int) else _text(duration, 0)


def offset_text(offset: Duration) -> str:
    """The offset modifier, with a space in front; "" if there is none."""
    if isinstance(offset, int):
        return f" offset {duration_text(offset)}" if offset else ""
    if isinstance(offset, DurationUnary):
        return f" offset -{_text(offset.operand, _ALONE)}"
    text = _text(offset, _ALONE)
    # after a parenthesis the parser would take an operator for a part of the offset, but not after a sign
    return f" offset +{text}" if text.startswith("(") else f" offset {text}"


def _text(expr: DurationExpr, least: int) -> str:
    text, closeness = _unbracketed(expr)
    return text if closeness >= least else f"({text})"


def _right(expr: DurationExpr, least: int) -> str:
    """A right side or what follows a sign: a sign may start it, however close what is before binds."""
    return _text(expr, 0 if isinstance(expr, DurationUnary | NumberLiteral) else least)


def _unbracketed(expr: DurationExpr) -> tuple[str, int]:
    """The text of an expression, and how close it binds."""
    match expr:
        case NumberLiteral():
            text = number_text(expr.value)
            if expr.is_duration:
                text = duration_text(round(expr.value * 1000))
                text = f"-{text}" if str(expr.value) == "-0.0" else text
            return text, _SIGNED if text.startswith("-") else _ALONE
        case DurationLeaf():
            return f"{expr.term.value}()", _ALONE
        case DurationUnary():
            return f"-{_right(expr.operand, _POWER)}", _SIGNED
        case DurationBinary(op=DurationOp.MAX_OF | DurationOp.MIN_OF):
            return f"{expr.op.value}({_text(expr.lhs, 0)}, {_text(expr.rhs, 0)})", _ALONE
    level = _LEVELS[expr.op]
    left, right = (level + 1, level) if expr.op is DurationOp.POW else (level, level + 1)
    return f"{_text(expr.lhs, left)} {expr.op.value} {_right(expr.rhs, right)}", level
