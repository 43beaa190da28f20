"""PromQL text that is one selector, which is what is evaluated so far."""

import re
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

import promql_parser as ast

from streamgauge.series.labels import NAME
from streamgauge.series.matchers import InvalidMatcher, Matcher, MatchOp

MAX_CHARACTERS = 8192
MAX_OPERATORS = 1000
_OPAQUE = re.compile(r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|`[^`]*`|#[^\n]*", re.DOTALL)
_OPERATORS = re.compile(r"[-+*/%^<>=!({\[]")
_OPS = (
    (ast.MatchOp.Equal, MatchOp.EQUAL),
    (ast.MatchOp.NotEqual, MatchOp.NOT_EQUAL),
    (ast.MatchOp.Re, MatchOp.REGEX),
    (ast.MatchOp.NotRe, MatchOp.NOT_REGEX),
)
_KINDS = {
    ast.AggregateExpr: "aggregation",
    ast.BinaryExpr: "binary expression",
    ast.Call: "function call",
    ast.NumberLiteral: "number literal",
    ast.StringLiteral: "string literal",
    ast.SubqueryExpr: "subquery",
    ast.UnaryExpr: "unary expression",
}


class ExpressionFault(StrEnum):
    """Why an expression was refused."""

    PARSE_ERROR = "parse_error"
    NOT_EVALUATED = "not_evaluated"


class InvalidExpression(ValueError):
    """An expression that has no answer.

    :param reason: whether it is wrong or only not evaluated yet; for counters and for the status code.
    """

    def __init__(self, reason: ExpressionFault, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Selector:
    """A vector selector, or a matrix selector where `range_ms` is set; `offset_ms` looks back if positive."""

    matchers: tuple[Matcher, ...]
    range_ms: int | None
    offset_ms: int


def parse(text: str) -> Selector:
    """Read an expression that is one selector, in parentheses or not.

    :raises InvalidExpression: for text that is not PromQL, and for all else that PromQL has.
    """
    expression = _parse(text)
    while isinstance(expression, ast.ParenExpr):
        expression = expression.expr
    range_ms = None
    if isinstance(expression, ast.MatrixSelector):
        range_ms = _milliseconds(expression.range)
        expression = expression.vector_selector
    if not isinstance(expression, ast.VectorSelector):
        kind = _KINDS.get(type(expression), type(expression).__name__)
        raise InvalidExpression(
            ExpressionFault.NOT_EVALUATED,
            f"this expression is not evaluated yet, only selectors are: {kind}",
        )
    if expression.at is not None:
        raise InvalidExpression(
            ExpressionFault.NOT_EVALUATED,
            "this expression is not evaluated yet, only selectors are: @ modifier",
        )
    return Selector(_matchers(expression), range_ms, _milliseconds(expression.offset))


def _parse(text: str) -> Any:
    bare = _OPAQUE.sub("", text)
    # the parser recurses, and a stack that overflows there ends the process
    if len(bare) > MAX_CHARACTERS or len(_OPERATORS.findall(bare)) > MAX_OPERATORS:
        raise InvalidExpression(
            ExpressionFault.PARSE_ERROR,
            f"parse error: more than {MAX_CHARACTERS} characters or {MAX_OPERATORS} operators",
        )
    try:
        return ast.parse(text)
    except ValueError as error:
        raise InvalidExpression(ExpressionFault.PARSE_ERROR, f"parse error: {error}") from None
    except BaseException as error:
        # what Rust panics with, such as an offset of inf, is no Exception
        if type(error).__name__ != "PanicException":
            raise
        raise InvalidExpression(ExpressionFault.PARSE_ERROR, f"parse error: {error}") from None


def _matchers(selector: Any) -> tuple[Matcher, ...]:
    if selector.matchers.or_matchers:
        raise InvalidExpression(ExpressionFault.PARSE_ERROR, 'parse error: unexpected "or" in label matching')
    matchers = [Matcher(NAME, MatchOp.EQUAL, selector.name)] if selector.name else []
    try:
        for matcher in selector.matchers.matchers:
            op = next(ours for theirs, ours in _OPS if theirs == matcher.op)
            matchers.append(Matcher(matcher.name, op, matcher.value))
    except InvalidMatcher as error:
        raise InvalidExpression(ExpressionFault.PARSE_ERROR, f"parse error: {error}") from None
    return tuple(matchers)


def _milliseconds(duration: timedelta | None) -> int:
    return duration // timedelta(milliseconds=1) if duration else 0
