"""The parser's place in the tokens of a query, the errors that it raises there, and what it reads in one go."""

from collections.abc import Iterator
from contextlib import contextmanager

from streamgauge.promql.syntax.ast import NumberLiteral, Span, StringLiteral
from streamgauge.promql.syntax.invalid_expression import ExpressionFault, InvalidExpression, parse_error
from streamgauge.promql.syntax.lexer import Token, TokenKind, tokens
from streamgauge.promql.syntax.literals import duration, number, quoted, unquote
from streamgauge.series.regexes import RegexAllowance

# each level takes up to four frames of Python's stack, of which there are a thousand
MAX_NESTING = 100


class Cursor:
    """Reads tokens in order; a fault of the lexer is raised when its turn comes.

    :param regexes: what those in the text may weigh.
    """

    def __init__(self, text: str, regexes: RegexAllowance) -> None:
        self.text = text
        self.regexes = regexes
        self._tokens = tokens(text)
        self._at = 0
        self._nesting = 0
        self._contexts = [("", "")]

    @property
    def token(self) -> Token:
        """The token that is next.

        :raises InvalidExpression: if the text cannot be cut from here on.
        """
        token = self._tokens[self._at]
        if token.kind is TokenKind.FAULT:
            raise self.fault(token.text, Span(token.start, len(self.text)))
        return token

    @property
    def done(self) -> bool:
        """Whether nothing is left."""
        return self.token.kind is TokenKind.END

    @property
    def following(self) -> str:
        """The word after the next token, "" at the end and where the text cannot be cut."""
        return self._tokens[self._at + 1].word if self._at + 1 < len(self._tokens) else ""

    @property
    def end(self) -> int:
        """The end of the token that was taken last, in characters."""
        return self._tokens[self._at - 1].end

    def take(self) -> Token:
        """The next token; the end is given again and again."""
        token = self.token
        if token.kind is not TokenKind.END:
            self._at += 1
        return token

    def at(self, *words: str) -> bool:
        """Whether the next token is one of these, and no string that looks like it."""
        return self.token.word in words and self.token.kind is not TokenKind.STRING

    def take_if(self, *words: str) -> Token | None:
        """The next token if it is one of these."""
        return self.take() if self.at(*words) else None

    def expect(self, word: str) -> Token:
        """The next token, which has to be this one."""
        if not self.at(word):
            raise self.unexpected()
        return self.take()

    @contextmanager
    def within(self, context: str, expected: str = "") -> Iterator[None]:
        """What `unexpected` says until this is left."""
        self._contexts.append((context, expected))
        yield
        self._contexts.pop()

    def unexpected(self, context: str | None = None, expected: str = "") -> InvalidExpression:
        """The refusal of the next token, in the words of the innermost context if none is given."""
        token = self.token
        if context is None:
            context, expected = self._contexts[-1]
        where = f" in {context}" if context else ""
        instead = f", expected {expected}" if expected else ""
        return self.fault(f"unexpected {token.described()}{where}{instead}", Span(token.start, token.end))

    def fault(
        self, detail: str, span: Span, reason: ExpressionFault = ExpressionFault.SYNTAX
    ) -> InvalidExpression:
        """The refusal of the query."""
        return parse_error(reason, detail, span, self.text)

    def enter(self) -> None:
        """Go a level deeper; `leave` goes back."""
        self._nesting += 1
        if self._nesting > MAX_NESTING:
            start = self._tokens[self._at].start
            detail = f"expression is nested in more than {MAX_NESTING} levels"
            raise self.fault(detail, Span(start, start), ExpressionFault.TOO_DEEP)

    def leave(self) -> None:
        """Go back a level."""
        self._nesting -= 1


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
