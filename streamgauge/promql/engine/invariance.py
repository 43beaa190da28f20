"""Which parts of an expression are the same at every step, so that Prometheus evaluates them at the first only.

It matters for the answer too: an aggregation over such a part takes its parameter at the first step, a remark
counts one evaluation, and sorting is not said to be in vain.
"""

from streamgauge.promql.syntax.ast import (
    Aggregate,
    Binary,
    Call,
    Expr,
    MatrixSelector,
    NumberLiteral,
    Paren,
    StringLiteral,
    Subquery,
    Unary,
    VectorSelector,
    bare,
)

# what these give depends on the time of the step even if their arguments do not
_OF_THE_STEP = frozenset(
    {
        "day_of_month",
        "day_of_week",
        "day_of_year",
        "days_in_month",
        "hour",
        "minute",
        "month",
        "predict_linear",
        "time",
        "timestamp",
        "year",
    }
)


def invariant_parts(expr: Expr) -> frozenset[int]:
    """The id() of each node to evaluate at one step only, without those in parameters of aggregations."""
    nodes, waiting = [], [expr]
    while waiting:
        node = waiting.pop()
        nodes.append(node)
        waiting.extend(_below(node))
    fixed: set[int] = set()
    # children come after their parents
    for node in reversed(nodes):
        if _is_fixed(node, fixed):
            fixed.add(id(node))
    plain = MatrixSelector | Subquery | NumberLiteral | StringLiteral
    return frozenset(id(node) for node in nodes if id(node) in fixed and not isinstance(node, plain))


def _below(node: Expr) -> tuple[Expr, ...]:
    match node:
        case Binary():
            return node.lhs, node.rhs
        case Call():
            return node.args
        case Aggregate() | Paren() | Unary() | Subquery():
            return (node.expr,)
        case _:
            return ()


def _is_fixed(node: Expr, fixed: set[int]) -> bool:
    match node:
        case VectorSelector() | Subquery():
            return node.at is not None
        case MatrixSelector():
            return node.selector.at is not None
        case Call() if node.function == "timestamp":
            return isinstance(bare(node.args[0]), VectorSelector) and id(node.args[0]) in fixed
        case Call() if node.function in _OF_THE_STEP:
            return False
        case _:
            return all(id(child) in fixed for child in _below(node))
