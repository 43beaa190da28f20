"""Which part of an expression says what has data: the expression without its conditions."""

from dataclasses import replace

from streamgauge.promql.syntax.ast import Aggregate, Binary, BinaryOp, Call, Expr, Paren, walk
from streamgauge.promql.syntax.functions_table import ValueType

_ABSENCE = ("absent", "absent_over_time")
_SORTS = ("sort", "sort_desc", "sort_by_label", "sort_by_label_desc")


def without_conditions(expression: Expr) -> Expr:
    """An expression that gives a series for each that the condition was tried on, under the same labels.

    `a > 5`, `a and b` and `a unless b` become a, `a > b` becomes `a > bool b`, `a or b` keeps both sides
    without their conditions. Values and metric names mean nothing then. Whatever else filters is left as it
    is: what it does not let through counts as no data.
    """
    match expression:
        case Paren():
            return replace(expression, expr=without_conditions(expression.expr))
        case Binary(op=BinaryOp.OR):
            return replace(
                expression, lhs=without_conditions(expression.lhs), rhs=without_conditions(expression.rhs)
            )
        case Binary(op=BinaryOp.AND | BinaryOp.UNLESS):
            return without_conditions(expression.lhs)
        case Binary() if expression.op.is_comparison and not expression.return_bool:
            return _compared(expression)
        case Call() if expression.function in _SORTS:
            return without_conditions(expression.args[0])
        case Aggregate() if expression.op.has_param and expression.op.value in ("topk", "bottomk", "limitk"):
            return without_conditions(expression.expr)
    return expression


def asks_for_absence(expression: Expr) -> bool:
    """Whether a part gives a series where there is none: then nothing tells what has data."""
    return any(isinstance(part, Call) and part.function in _ABSENCE for part in walk(expression))


def _compared(expression: Binary) -> Expr:
    sides = [without_conditions(side) for side in (expression.lhs, expression.rhs)]
    vectors = [side for side in sides if side.type is ValueType.VECTOR]
    if len(vectors) == 1:
        return vectors[0]
    # which labels two vectors leave depends on how they are matched
    return replace(expression, lhs=sides[0], rhs=sides[1], return_bool=True)
