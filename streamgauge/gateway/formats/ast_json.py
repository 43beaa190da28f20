"""An expression's tree as the JSON of Prometheus's /api/v1/parse_query."""

from collections.abc import Sequence
from math import isfinite
from typing import Any

from streamgauge.promql.syntax.ast import (
    Aggregate,
    At,
    AtBoundary,
    Binary,
    Call,
    Duration,
    DurationBinary,
    DurationExpr,
    DurationLeaf,
    DurationUnary,
    Expr,
    Matching,
    MatrixSelector,
    NumberLiteral,
    Paren,
    StringLiteral,
    Subquery,
    Unary,
    VectorSelector,
)
from streamgauge.promql.syntax.functions_table import FUNCTIONS
from streamgauge.promql.syntax.literals import number_text
from streamgauge.series.labels import NAME
from streamgauge.series.matchers import Matcher, MatchOp


def tree(expr: Expr) -> dict[str, Any]:
    """The JSON of an expression and all below it."""
    match expr:
        case Aggregate():
            return {
                "type": "aggregation",
                "op": expr.op.value,
                "expr": tree(expr.expr),
                "param": tree(expr.param) if expr.param else None,
                "grouping": list(expr.grouping),
                "without": expr.without,
            }
        case Binary():
            return {
                "type": "binaryExpr",
                "op": expr.op.value,
                "lhs": tree(expr.lhs),
                "rhs": tree(expr.rhs),
                "matching": _matching(expr.matching),
                "bool": expr.return_bool,
            }
        case Call():
            return {
                "type": "call",
                "func": _function(expr.function),
                "args": [tree(arg) for arg in expr.args],
            }
        case MatrixSelector():
            return _selector(expr.selector, "matrixSelector") | _duration("range", expr.range)
        case NumberLiteral():
            return {"type": "numberLiteral", "val": number_text(expr.value)}
        case Paren():
            return {"type": "parenExpr", "expr": tree(expr.expr)}
        case StringLiteral():
            return {"type": "stringLiteral", "val": expr.value}
        case Subquery():
            return {
                "type": "subquery",
                "expr": tree(expr.expr),
                **_duration("range", expr.range),
                **_duration("offset", expr.offset),
                **_duration("step", expr.step or 0),
                **_at(expr.at),
            }
        case Unary():
            return {"type": "unaryExpr", "op": expr.op.value, "expr": tree(expr.expr)}
        case VectorSelector():
            return _selector(expr, "vectorSelector")


def _selector(selector: VectorSelector, kind: str) -> dict[str, Any]:
    return {
        "type": kind,
        "name": selector.name,
        **_duration("offset", selector.offset),
        "matchers": _matchers(selector),
        **_at(selector.at),
        "anchored": selector.anchored,
        "smoothed": selector.smoothed,
    }


def _matchers(selector: VectorSelector) -> list[dict[str, str]]:
    """As Prometheus has them: the name that stands before the braces comes last."""
    own: Sequence[Matcher] = selector.matchers
    if selector.name:
        own = (*own, Matcher(NAME, MatchOp.EQUAL, selector.name))
    return [{"name": each.name, "value": each.value, "type": each.op.value} for each in own]


def _at(at: At | None) -> dict[str, Any]:
    if isinstance(at, AtBoundary):
        return {"timestamp": None, "startOrEnd": at.value}
    return {"timestamp": at, "startOrEnd": None}


def _function(name: str) -> dict[str, Any]:
    signature = FUNCTIONS[name]
    return {
        "name": name,
        "argTypes": [each.value for each in signature.args],
        "variadic": signature.variadic,
        "returnType": signature.returns.value,
    }


def _matching(matching: Matching | None) -> dict[str, Any] | None:
    if matching is None:
        return None
    fills = {"lhs": matching.fill_left, "rhs": matching.fill_right}
    return {
        "card": matching.card.value,
        "labels": list(matching.labels),
        "on": matching.on,
        "include": list(matching.include),
        "fillValues": {side: _fill(fill.value) if fill else None for side, fill in fills.items()},
    }


def _fill(number: float) -> float | str:
    """JSON has no NaN and no infinities; Prometheus has no answer then."""
    return number if isfinite(number) else number_text(number)


def _duration(name: str, duration: Duration) -> dict[str, Any]:
    """Milliseconds, and the expression of those that are computed."""
    if isinstance(duration, int):
        return {name: duration, f"{name}Expr": None}
    return {name: 0, f"{name}Expr": _computed(duration)}


def _computed(expr: DurationExpr) -> dict[str, Any]:
    match expr:
        case NumberLiteral():
            return {"type": "numberLiteral", "val": number_text(expr.value), "duration": expr.is_duration}
        case DurationLeaf():
            return _operation(expr.term.value, None, None)
        case DurationUnary():
            return _operation("-", None, expr.operand)
        case DurationBinary():
            return _operation(expr.op.value, expr.lhs, expr.rhs)


def _operation(op: str, lhs: DurationExpr | None, rhs: DurationExpr | None) -> dict[str, Any]:
    # our tree does not know of parentheses, so nothing is said to stand in them
    return {
        "type": "durationExpr",
        "op": op,
        "lhs": _computed(lhs) if lhs else None,
        "rhs": _computed(rhs) if rhs else None,
        "wrapped": False,
    }
