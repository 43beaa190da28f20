"""Parses PromQL, all of Prometheus 3.16's with every experimental feature on.

A recursive descent with precedence climbing. The first fault ends it: first what cannot be read, from left
to right, then what does not fit together.
"""

from streamgauge.promql.syntax.ast import (
    Aggregate,
    AggregateOp,
    Binary,
    BinaryOp,
    Call,
    Card,
    Expr,
    Matching,
    NumberLiteral,
    Paren,
    Span,
    Unary,
    UnaryOp,
    VectorSelector,
)
from streamgauge.promql.syntax.checker import NO_MATCHER, check
from streamgauge.promql.syntax.cursor import Cursor
from streamgauge.promql.syntax.functions_table import FUNCTIONS
from streamgauge.promql.syntax.invalid_expression import ExpressionFault, InvalidExpression, parse_error
from streamgauge.promql.syntax.literals import quoted
from streamgauge.promql.syntax.parser_literals import (
    at_number,
    grouping_labels,
    number_literal,
    signed,
    signed_number,
    string_literal,
)
from streamgauge.promql.syntax.parser_selectors import vector_selector, with_suffixes
from streamgauge.promql.syntax.precedence import LEVELS, POWER
from streamgauge.promql.syntax.tokens import Token, TokenKind
from streamgauge.promql.syntax.walk import depth
from streamgauge.series.matchers import Matcher
from streamgauge.series.regexes import RegexAllowance

MAX_CHARACTERS = 65_536
# what an evaluator may rely on when it recurses
MAX_DEPTH = 200

_OPERATORS = {op.value: op for op in BinaryOp}
# keywords that no metric can be named after
_RESERVED = frozenset({"atan2", "bool", "group_left", "group_right", "ignoring", "on"})
_CALLABLE = (TokenKind.IDENTIFIER, TokenKind.PREPROCESSOR)
_NAMES = (TokenKind.AGGREGATOR, TokenKind.KEYWORD, TokenKind.METRIC_IDENTIFIER, *_CALLABLE)


def parse(text: str, regexes: RegexAllowance | None = None) -> Expr:
    """Parse an expression; its tree is at most `MAX_DEPTH` deep.

    :param regexes: what those of its request may weigh that were not parsed yet; as much as a request's if not given.
    :raises InvalidExpression: for a text that is not PromQL, is too long or nested too deeply.
    """
    cursor = _cursor(text, regexes)
    if cursor.done:
        raise cursor.fault("no expression found in input", Span(0, 0))
    expr = _expression(cursor, 0)
    if not cursor.done:
        raise cursor.unexpected()
    if depth(expr) > MAX_DEPTH:
        raise _too_deep(cursor, expr.span)
    return check(expr, text)


def selector(text: str, regexes: RegexAllowance | None = None) -> tuple[Matcher, ...]:
    """The matchers of a series selector that not every series fulfils, that of the name before the braces first.

    :param regexes: as for `parse`.
    :raises InvalidExpression: for anything else.
    """
    return series_selector(text, regexes).conditions


def series_selector(text: str, regexes: RegexAllowance | None = None) -> VectorSelector:
    """A series selector that not every series fulfils. Unlike in an expression its name may be given more than once.

    :param regexes: as for `parse`.
    :raises InvalidExpression: for anything else.
    """
    found = any_selector(text, regexes)
    if all(matcher.matches(b"") for matcher in found.conditions):
        raise parse_error(ExpressionFault.EMPTY, NO_MATCHER, Span(0, len(text)), text)
    return found


def any_selector(text: str, regexes: RegexAllowance | None = None) -> VectorSelector:
    """A series selector, which may be without any matcher.

    :param regexes: as for `parse`.
    :raises InvalidExpression: for anything else.
    """
    cursor = _cursor(text, regexes)
    start = cursor.token.start
    name = cursor.take().text if _at_name(cursor) else ""
    if not name and not cursor.at("{"):
        raise cursor.unexpected()
    found = vector_selector(cursor, name, start)
    if not cursor.done:
        raise cursor.unexpected()
    return found


def _cursor(text: str, regexes: RegexAllowance | None) -> Cursor:
    if len(text) > MAX_CHARACTERS:
        detail = f"expression has more than {MAX_CHARACTERS} characters"
        raise parse_error(ExpressionFault.TOO_LONG, detail, Span(0, len(text)), text)
    return Cursor(text, regexes or RegexAllowance())


def _expression(cursor: Cursor, minimum: int) -> Expr:
    """An expression whose operators outside of parentheses have at least this level."""
    cursor.enter()
    sign = cursor.take_if("+", "-")
    lhs = _signed(sign, _expression(cursor, POWER)) if sign else with_suffixes(cursor, _operand(cursor))
    links = 0
    while True:
        op = _OPERATORS.get(cursor.token.word)
        if op is None or LEVELS[op] < minimum or cursor.token.kind is not TokenKind.OPERATOR:
            break
        cursor.take()
        links += 1
        if links > MAX_DEPTH:
            raise _too_deep(cursor, lhs.span)
        return_bool = cursor.take_if("bool") is not None
        matching = _matching(cursor)
        level = LEVELS[op]
        rhs = _expression(cursor, level if op is BinaryOp.POW else level + 1)
        span = Span(lhs.span.start, rhs.span.end)
        lhs = Binary(op, lhs, rhs, return_bool, matching, span=span)
    cursor.leave()
    return lhs


def _too_deep(cursor: Cursor, span: Span) -> InvalidExpression:
    detail = f"expression is nested in more than {MAX_DEPTH} levels"
    return cursor.fault(detail, span, ExpressionFault.TOO_DEEP)


def _signed(sign: Token, operand: Expr) -> Expr:
    if isinstance(operand, NumberLiteral):
        return signed(sign, operand)
    return Unary(UnaryOp(sign.word), operand, span=Span(sign.start, operand.span.end))


def _operand(cursor: Cursor) -> Expr:
    token = cursor.token
    if token.kind is TokenKind.STRING:
        return string_literal(cursor)
    if at_number(cursor):
        return number_literal(cursor)
    if cursor.take_if("("):
        inner = _expression(cursor, 0)
        cursor.expect(")")
        return Paren(inner, span=Span(token.start, cursor.end))
    if token.kind is TokenKind.AGGREGATOR and cursor.following in ("(", "by", "without"):
        return _aggregate(cursor)
    if token.kind in _CALLABLE and cursor.following == "(":
        return _call(cursor)
    if token.word == "{":
        return vector_selector(cursor, "", token.start)
    if _at_name(cursor):
        return vector_selector(cursor, cursor.take().text, token.start)
    raise cursor.unexpected()


def _at_name(cursor: Cursor) -> bool:
    """Whether the next token may be the name of a metric."""
    token = cursor.token
    return (token.kind in _NAMES or token.word in ("and", "or", "unless")) and token.word not in _RESERVED


def _call(cursor: Cursor) -> Call:
    name = cursor.take()
    args = _arguments(cursor)
    if name.text not in FUNCTIONS:
        raise cursor.fault(f"unknown function with name {quoted(name.text)}", Span(name.start, name.end))
    return Call(name.text, args, span=Span(name.start, cursor.end))


def _arguments(cursor: Cursor) -> tuple[Expr, ...]:
    cursor.expect("(")
    if cursor.take_if(")"):
        return ()
    found = [_expression(cursor, 0)]
    while comma := cursor.take_if(","):
        if cursor.at(")", ","):
            raise cursor.fault(
                "trailing commas not allowed in function call args", Span(comma.start, comma.end)
            )
        found.append(_expression(cursor, 0))
    cursor.expect(")")
    return tuple(found)


def _aggregate(cursor: Cursor) -> Aggregate:
    name = cursor.take()
    op = AggregateOp(name.word)
    with cursor.within("aggregation"):
        clause = cursor.take_if("by", "without")
        grouping = grouping_labels(cursor) if clause else ()
        args = _arguments(cursor)
    if clause is None:
        clause = cursor.take_if("by", "without")
        grouping = grouping_labels(cursor) if clause else ()
    span = Span(name.start, cursor.end)
    if not args:
        raise cursor.fault("no arguments for aggregate expression provided", span)
    wanted = 1 + op.has_param
    if len(args) != wanted:
        detail = f"wrong number of arguments for aggregate expression provided, expected {wanted}"
        raise cursor.fault(f"{detail}, got {len(args)}", span)
    param = args[0] if op.has_param else None
    without = clause is not None and clause.word == "without"
    return Aggregate(op, args[-1], param, grouping, without, span=span)


def _matching(cursor: Cursor) -> Matching:
    clause = cursor.take_if("on", "ignoring")
    labels = grouping_labels(cursor) if clause else ()
    card = Card.ONE_TO_ONE
    include: tuple[str, ...] = ()
    group = cursor.take_if("group_left", "group_right") if clause else None
    if group:
        card = Card.MANY_TO_ONE if group.word == "group_left" else Card.ONE_TO_MANY
        include = grouping_labels(cursor) if cursor.at("(") else ()
    left, right = _fills(cursor)
    on = clause is not None and clause.word == "on"
    return Matching(card, labels, on, include, left, right)


def _fills(cursor: Cursor) -> tuple[NumberLiteral | None, NumberLiteral | None]:
    """The values of fill, or of fill_left and fill_right in any order."""
    if _fill_is_next(cursor, "fill"):
        value = _fill_value(cursor)
        return value, value
    found: dict[str, NumberLiteral] = {}
    for _ in range(2):
        for word in {"fill_left", "fill_right"} - found.keys():
            if _fill_is_next(cursor, word):
                found[word] = _fill_value(cursor)
    return found.get("fill_left"), found.get("fill_right")


def _fill_is_next(cursor: Cursor, word: str) -> bool:
    return cursor.at(word) and cursor.token.kind is TokenKind.KEYWORD


def _fill_value(cursor: Cursor) -> NumberLiteral:
    cursor.take()
    cursor.expect("(")
    value = signed_number(cursor)
    if value is None:
        raise cursor.unexpected()
    cursor.expect(")")
    return value
