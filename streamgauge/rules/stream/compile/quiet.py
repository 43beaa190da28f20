"""Which expressions give nothing, not even an error, where no series is selected."""

from streamgauge.promql.functions.vector_functions import MATH
from streamgauge.promql.syntax.ast import (
    Aggregate,
    Binary,
    Call,
    Expr,
    MatrixSelector,
    NumberLiteral,
    Paren,
    Subquery,
    Unary,
    VectorSelector,
    bare,
)
from streamgauge.promql.syntax.functions_table import CALENDAR, FUNCTIONS, ValueType

_OF_ONE = frozenset(
    {
        *(*MATH, *CALENDAR, "clamp", "clamp_max", "clamp_min", "histogram_quantile", "round"),
        *("sort", "sort_desc", "timestamp"),
    }
)
_OF_NOTHING = frozenset({"absent_over_time"})


def is_quiet(expression: Expr) -> bool:
    """Whether an expression that gives series gives none if its selectors find none.

    Only what certainly does is named here; the rest is evaluated whatever there is.
    """
    match expression:
        case VectorSelector() | MatrixSelector():
            return True
        case Paren() | Subquery():
            return is_quiet(expression.expr)
        case Unary():
            return expression.type is ValueType.VECTOR and is_quiet(expression.expr)
        case Aggregate():
            return expression.param is None and is_quiet(expression.expr)
        case Binary():
            return _is_quiet_operation(expression)
        case Call():
            return _is_quiet_call(expression)
    return False


def _is_quiet_operation(node: Binary) -> bool:
    vectors = [side for side in (node.lhs, node.rhs) if side.type is ValueType.VECTOR]
    scalars = [side for side in (node.lhs, node.rhs) if side.type is ValueType.SCALAR]
    return bool(vectors) and all(map(is_quiet, vectors)) and all(map(_is_number, scalars))


def _is_quiet_call(node: Call) -> bool:
    ranged = FUNCTIONS[node.function].args[:1] == (ValueType.MATRIX,) and node.function not in _OF_NOTHING
    if not (ranged or node.function in _OF_ONE):
        return False
    series = [one for one in node.args if one.type in (ValueType.VECTOR, ValueType.MATRIX)]
    others = [one for one in node.args if one.type not in (ValueType.VECTOR, ValueType.MATRIX)]
    return bool(series) and all(map(is_quiet, series)) and all(map(_is_number, others))


def _is_number(node: Expr) -> bool:
    while isinstance(node, Unary):
        node = node.expr
    return isinstance(bare(node), NumberLiteral)
