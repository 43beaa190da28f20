"""Parses selectors and what may follow them: ranges, subqueries, offset, @, anchored and smoothed."""

import math
from dataclasses import replace

from streamgauge.promql.syntax.ast import (
    At,
    AtBoundary,
    Expr,
    MatrixSelector,
    Span,
    Subquery,
    VectorSelector,
)
from streamgauge.promql.syntax.cursor import Cursor
from streamgauge.promql.syntax.literals import matcher_text, number_text
from streamgauge.promql.syntax.parser_durations import offset_duration, positive_duration
from streamgauge.promql.syntax.parser_literals import signed_number, string_literal
from streamgauge.promql.syntax.tokens import TokenKind
from streamgauge.series.labels import NAME
from streamgauge.series.matchers import InvalidMatcher, Matcher, MatchOp

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
