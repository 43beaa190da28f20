"""Parses durations: of ranges, steps and offsets, computed or not."""

import math

from streamgauge.promql.syntax.ast import (
    Duration,
    DurationBinary,
    DurationExpr,
    DurationLeaf,
    DurationOp,
    DurationTerm,
    DurationUnary,
    NumberLiteral,
    Span,
)
from streamgauge.promql.syntax.cursor import Cursor
from streamgauge.promql.syntax.literals import MAX_DURATION_S
from streamgauge.promql.syntax.parser_literals import at_number, number_literal, signed
from streamgauge.promql.syntax.tokens import Token

_LEVELS = {"+": 1, "-": 1, "*": 2, "/": 2, "%": 2, "^": 3}
_POWER = 3


def positive_duration(cursor: Cursor) -> Duration:
    """A range or a step. Whether a computed one is positive shows once it is computed."""
    found = _expression(cursor, 0)
    if isinstance(found, NumberLiteral):
        milliseconds = _milliseconds(cursor, found)
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
    return _milliseconds(cursor, found) if isinstance(found, NumberLiteral) else found


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


def _milliseconds(cursor: Cursor, literal: NumberLiteral) -> int:
    if math.isnan(literal.value):
        raise cursor.fault("duration out of range", literal.span)
    if literal.is_duration:
        # whole milliseconds to begin with
        return round(literal.value * 1000)
    # nanoseconds first, as Prometheus does, so that 4.018 is 4018 ms; less than a millisecond is cut off
    nanoseconds = round(literal.value * 1e9)
    return nanoseconds // 10**6 if nanoseconds >= 0 else -(-nanoseconds // 10**6)
