"""Parses PromQL, all of Prometheus 3.16's with every experimental feature on.

A recursive descent with precedence climbing. The first fault ends it: first what cannot be read, from left
to right, then what does not fit together.
"""

import math
from dataclasses import replace

from streamgauge.promql.syntax.ast import (
    LEVELS,
    POWER,
    Aggregate,
    AggregateOp,
    At,
    AtBoundary,
    Binary,
    BinaryOp,
    Call,
    Card,
    Expr,
    Matching,
    MatrixSelector,
    NumberLiteral,
    Paren,
    Span,
    Subquery,
    Unary,
    UnaryOp,
    VectorSelector,
    depth,
)
from streamgauge.promql.syntax.checker import NO_MATCHER, check
from streamgauge.promql.syntax.cursor import (
    Cursor,
    at_number,
    grouping_labels,
    number_literal,
    signed,
    signed_number,
    string_literal,
)
from streamgauge.promql.syntax.durations import offset_duration, positive_duration
from streamgauge.promql.syntax.functions_table import FUNCTIONS
from streamgauge.promql.syntax.invalid_expression import ExpressionFault, InvalidExpression, parse_error
from streamgauge.promql.syntax.lexer import Token, TokenKind
from streamgauge.promql.syntax.literals import matcher_text, number_text, quoted
from streamgauge.series.labels import NAME
from streamgauge.series.matchers import InvalidMatcher, Matcher, MatchOp
from streamgauge.series.regexes import RegexAllowance

_DURATION = "number, duration, step(), or range()"
_SELECTORS = "an instant vector selector or range vector selector or a subquery"
# 35,000 years: beyond, seconds as a float do not tell milliseconds apart
_MAX_AT_MS = 2.0**50
_MATCH_OPS = {op.value: op for op in MatchOp}


def vector_selector(cursor: Cursor, name: str, start: int) -> VectorSelector:
    """A selector whose name, if any, was taken already. Its matchers are put in the order of their text."""
    found = sorted(_matchers(cursor), key=matcher_text) if cursor.at("{") else []
    return VectorSelector(name, tuple(found), span=Span(start, cursor.end))


def with_suffixes(cursor: Cursor, expr: Expr) -> Expr:
    """An expression with all that follows it and binds closer than any operator."""
    while True:
        if cursor.at("["):
            expr = _ranged(cursor, expr)
        elif cursor.take_if("offset"):
            expr = _offset(cursor, expr)
        elif cursor.take_if("@"):
            expr = _at(cursor, expr)
        elif modifier := cursor.take_if("anchored", "smoothed"):
            expr = _extended(cursor, expr, modifier.word)
        else:
            return expr


def _matchers(cursor: Cursor) -> list[Matcher]:
    cursor.expect("{")
    found: list[Matcher] = []
    while not cursor.take_if("}"):
        found.append(_matcher(cursor))
        if not cursor.at(",", "}"):
            raise cursor.unexpected("label matching", '"," or "}"')
        cursor.take_if(",")
    return found


def _matcher(cursor: Cursor) -> Matcher:
    token = cursor.token
    is_quoted = token.kind is TokenKind.STRING
    if is_quoted:
        name = string_literal(cursor).value
    elif token.kind is TokenKind.IDENTIFIER:
        name = cursor.take().text
    else:
        raise cursor.unexpected("label matching", 'identifier or "}"')
    op = _MATCH_OPS.get(cursor.token.word)
    if op is None:
        if is_quoted:
            return Matcher(NAME, MatchOp.EQUAL, name)
        raise cursor.unexpected("label matching", "label matching operator")
    cursor.take()
    if cursor.token.kind is not TokenKind.STRING:
        raise cursor.unexpected("label matching", "string")
    value = string_literal(cursor)
    try:
        return Matcher(name, op, value.value, cursor.regexes)
    except InvalidMatcher as error:
        raise cursor.fault(
            f"error parsing regexp: {error.detail}", Span(token.start, value.span.end)
        ) from None


def _ranged(cursor: Cursor, expr: Expr) -> MatrixSelector | Subquery:
    bracket = cursor.take()
    with cursor.within("subquery or range selector", _DURATION):
        width = positive_duration(cursor)
    if cursor.take_if(":"):
        step = None
        if not cursor.at("]"):
            with cursor.within("subquery selector", f'{_DURATION.replace(", or", ",")}, or "]"'):
                step = positive_duration(cursor)
        if not cursor.at("]"):
            raise cursor.unexpected("subquery selector", '"]"')
        cursor.take()
        return Subquery(expr, width, step, span=Span(expr.span.start, cursor.end))
    if not cursor.at("]"):
        raise cursor.unexpected("subquery or range", '":" or "]"')
    cursor.take()
    brackets = Span(bracket.start, cursor.end)
    if not isinstance(expr, VectorSelector):
        raise cursor.fault("ranges only allowed for vector selectors", brackets)
    if expr.offset != 0:
        raise cursor.fault("no offset modifiers allowed before range", brackets)
    if expr.at is not None:
        raise cursor.fault("no @ modifiers allowed before range", brackets)
    return MatrixSelector(expr, width, span=Span(expr.span.start, cursor.end))


def _offset(cursor: Cursor, expr: Expr) -> Expr:
    with cursor.within("offset", _DURATION):
        offset = offset_duration(cursor)
    span = Span(expr.span.start, cursor.end)
    match expr:
        case VectorSelector(offset=0) | Subquery(offset=0):
            return replace(expr, offset=offset, span=span)
        case MatrixSelector(selector=VectorSelector(offset=0)):
            return replace(expr, selector=replace(expr.selector, offset=offset), span=span)
        case VectorSelector() | MatrixSelector() | Subquery():
            raise cursor.fault("offset may not be set multiple times", expr.span)
    raise cursor.fault(f"offset modifier must be preceded by {_SELECTORS}", expr.span)


def _at(cursor: Cursor, expr: Expr) -> Expr:
    with cursor.within("@", "timestamp"):
        at = _boundary(cursor) or _timestamp(cursor, expr)
    span = Span(expr.span.start, cursor.end)
    match expr:
        case VectorSelector(at=None) | Subquery(at=None):
            return replace(expr, at=at, span=span)
        case MatrixSelector(selector=VectorSelector(at=None)):
            return replace(expr, selector=replace(expr.selector, at=at), span=span)
        case VectorSelector() | MatrixSelector() | Subquery():
            raise cursor.fault("@ <timestamp> may not be set multiple times", expr.span)
    raise cursor.fault(f"@ modifier must be preceded by {_SELECTORS}", expr.span)


def _boundary(cursor: Cursor) -> AtBoundary | None:
    boundary = cursor.take_if("start", "end")
    if boundary is None:
        return None
    cursor.expect("(")
    cursor.expect(")")
    return AtBoundary(boundary.word)


def _timestamp(cursor: Cursor, expr: Expr) -> At:
    literal = signed_number(cursor)
    if literal is None:
        raise cursor.unexpected()
    milliseconds = literal.value * 1000
    if not abs(milliseconds) <= _MAX_AT_MS:
        is_finite = math.isfinite(literal.value)
        shown = f"{literal.value:f}" if is_finite else number_text(literal.value)
        raise cursor.fault(f"timestamp out of bounds for @ modifier: {shown}", expr.span)
    # halves go away from zero, which `round` does not do
    return int(math.copysign(math.floor(abs(milliseconds) + 0.5), milliseconds))


def _extended(cursor: Cursor, expr: Expr, modifier: str) -> Expr:
    match expr:
        case VectorSelector():
            selector = expr
        case MatrixSelector():
            selector = expr.selector
        case Subquery():
            raise cursor.fault(f"{modifier} modifier is not supported for subqueries", expr.span)
        case _:
            raise cursor.fault(f"{modifier} modifier not implemented", expr.span)
    anchored = selector.anchored or modifier == "anchored"
    smoothed = selector.smoothed or modifier == "smoothed"
    if anchored and smoothed:
        raise cursor.fault("anchored and smoothed modifiers cannot be used together", expr.span)
    # to Prometheus this word does not belong to the place of the selector
    selector = replace(selector, anchored=anchored, smoothed=smoothed)
    if isinstance(expr, MatrixSelector):
        return replace(expr, selector=selector)
    return selector


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
