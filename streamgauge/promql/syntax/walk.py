"""Ways through the tree of an expression."""

from collections.abc import Iterator

from streamgauge.promql.syntax.ast import (
    Aggregate,
    Binary,
    Call,
    Expr,
    MatrixSelector,
    Paren,
    Subquery,
    Unary,
)


def children(expr: Expr) -> tuple[Expr, ...]:
    """The expressions right below one, in the order in which they stand in the query."""
    match expr:
        case Binary():
            return expr.lhs, expr.rhs
        case Call():
            return expr.args
        case Aggregate():
            return (expr.expr,) if expr.param is None else (expr.param, expr.expr)
        case Paren() | Unary() | Subquery():
            return (expr.expr,)
        case MatrixSelector():
            return (expr.selector,)
        case _:
            return ()


def bare(expr: Expr) -> Expr:
    """What stands in parentheses, or the expression itself."""
    while isinstance(expr, Paren):
        expr = expr.expr
    return expr


def walk(expr: Expr) -> Iterator[Expr]:
    """The expression and all below it, parents first."""
    waiting = [expr]
    while waiting:
        found = waiting.pop()
        yield found
        waiting.extend(reversed(children(found)))


def depth(expr: Expr) -> int:
    """How many expressions lie within each other at most."""
    level, levels = [expr], 0
    while level:
        level = [child for parent in level for child in children(parent)]
        levels += 1
    return levels
