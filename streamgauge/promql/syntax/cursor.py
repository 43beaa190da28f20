"""The parser's place in the tokens of a query, and the errors that it raises there."""

from collections.abc import Iterator
from contextlib import contextmanager

from streamgauge.promql.syntax.ast import Span
from streamgauge.promql.syntax.invalid_expression import ExpressionFault, InvalidExpression, parse_error
from streamgauge.promql.syntax.lexer import tokens
from streamgauge.promql.syntax.tokens import Token, TokenKind
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
