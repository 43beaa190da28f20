"""Parses numbers, strings and lists of labels."""

from streamgauge.promql.syntax.ast import NumberLiteral, Span, StringLiteral
from streamgauge.promql.syntax.cursor import Cursor
from streamgauge.promql.syntax.literals import duration, number, quoted, unquote
from streamgauge.promql.syntax.tokens import Token, TokenKind

_NUMBERS = (TokenKind.NUMBER, TokenKind.DURATION)
_WORDS = (
    TokenKind.IDENTIFIER,
    TokenKind.METRIC_IDENTIFIER,
    TokenKind.AGGREGATOR,
    TokenKind.KEYWORD,
    TokenKind.PREPROCESSOR,
)


def at_number(cursor: Cursor) -> bool:
    """Whether a number or a duration is next."""
    return cursor.token.kind in _NUMBERS


def number_literal(cursor: Cursor) -> NumberLiteral:
    """A number, or a duration as its seconds."""
    token = cursor.take()
    span = Span(token.start, token.end)
    try:
        if token.kind is TokenKind.DURATION:
            return NumberLiteral(duration(token.text) / 1000, is_duration=True, span=span)
        return NumberLiteral(number(token.text), span=span)
    except ValueError as error:
        raise cursor.fault(str(error), span) from None


def signed_number(cursor: Cursor) -> NumberLiteral | None:
    """A number with or without a sign; None, with the sign taken, if there is none."""
    sign = cursor.take_if("+", "-")
    if not at_number(cursor):
        return None
    literal = number_literal(cursor)
    return signed(sign, literal) if sign else literal


def signed(sign: Token, literal: NumberLiteral) -> NumberLiteral:
    """A literal that takes up the sign in front of it."""
    value = -literal.value if sign.word == "-" else literal.value
    return NumberLiteral(value, literal.is_duration, Span(sign.start, literal.span.end))


def string_literal(cursor: Cursor) -> StringLiteral:
    """A string that is next."""
    token = cursor.take()
    span = Span(token.start, token.end)
    try:
        return StringLiteral(unquote(token.text), span=span)
    except ValueError as error:
        raise cursor.fault(str(error), span) from None


def grouping_labels(cursor: Cursor) -> tuple[str, ...]:
    """Labels in parentheses, after by, without, on, ignoring, group_left and group_right."""
    if not cursor.at("("):
        raise cursor.unexpected("grouping opts", '"("')
    cursor.take()
    labels: list[str] = []
    while not cursor.take_if(")"):
        labels.append(_grouping_label(cursor))
        if not cursor.at(",", ")"):
            raise cursor.unexpected("grouping opts", '"," or ")"')
        cursor.take_if(",")
    return tuple(labels)


def _grouping_label(cursor: Cursor) -> str:
    token = cursor.token
    if token.kind is TokenKind.STRING:
        name = string_literal(cursor).value
        if not name:
            raise cursor.fault(
                f"invalid label name for grouping: {quoted(name)}", Span(token.start, token.end)
            )
        return name
    is_word = token.kind in _WORDS or (token.kind is TokenKind.OPERATOR and token.word.isalnum())
    if not is_word or token.word == "without":
        raise cursor.unexpected("grouping opts", "label")
    return cursor.take().text
