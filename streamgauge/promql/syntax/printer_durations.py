"""Prints durations, computed or not."""

from streamgauge.promql.syntax.ast import (
    Duration,
    DurationBinary,
    DurationExpr,
    DurationLeaf,
    DurationOp,
    DurationUnary,
    NumberLiteral,
)
from streamgauge.promql.syntax.literals import duration_text, number_text

_LEVELS = {
    DurationOp.ADD: 1,
    DurationOp.SUB: 1,
    DurationOp.MUL: 2,
    DurationOp.DIV: 2,
    DurationOp.MOD: 2,
    DurationOp.POW: 3,
}
_SIGNED = 2
_POWER = 3
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
