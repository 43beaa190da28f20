"""Cuts the text of a query into tokens.

The text means different things in braces, where words are label names, and at the start of brackets, where
only durations stand. What cannot be cut ends the tokens with a fault, so that the parser reports what comes
first.
"""

import re
from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple, TypeAlias

from streamgauge.promql.syntax.ast import AggregateOp, BinaryOp
from streamgauge.promql.syntax.literals import StringFault, quoted, string_end


class TokenKind(StrEnum):
    """The kinds of token; the values of the first seven are the words of error texts."""

    END = "end of input"
    IDENTIFIER = "identifier"
    METRIC_IDENTIFIER = "metric identifier"
    NUMBER = "number"
    DURATION = "duration"
    STRING = "string"
    FAULT = "error"
    PUNCTUATION = "punctuation"
    OPERATOR = "op"
    AGGREGATOR = "aggr"
    KEYWORD = "keyword"
    # names of functions that are also words of @ and of duration expressions
    PREPROCESSOR = "preprocessor"


class Token(NamedTuple):
    """A piece of a query from character `start` on.

    `word` is the text in lower case, for words whose case does not matter. A fault has its message as `text`.
    """

    kind: TokenKind
    word: str
    text: str
    start: int

    @property
    def end(self) -> int:
        """The character after it."""
        return self.start + len(self.text)

    def described(self) -> str:
        """What an error text calls it."""
        match self.kind:
            case TokenKind.END:
                return self.kind.value
            case TokenKind.OPERATOR | TokenKind.AGGREGATOR:
                return f"<{self.kind.value}:{self.text}>"
            case TokenKind.KEYWORD:
                return f"<{self.text}>"
            case TokenKind.PUNCTUATION | TokenKind.PREPROCESSOR:
                return quoted(self.text)
            case TokenKind.IDENTIFIER | TokenKind.METRIC_IDENTIFIER:
                return f"{self.kind.value} {quoted(self.text)}"
        shown = quoted(self.text[:10]) + "..." if len(self.text) > 10 else quoted(self.text)
        return f"{self.kind.value} {shown}"


PREPROCESSORS = frozenset({"start", "end", "step", "range", "max_of", "min_of"})
DURATION_WORDS = PREPROCESSORS - {"start", "end"}
MODIFIERS = frozenset({"fill", "fill_left", "fill_right"})
KEYWORDS: dict[str, TokenKind] = {
    **{op.value: TokenKind.OPERATOR for op in BinaryOp if op.value.isalnum()},
    **{op.value: TokenKind.AGGREGATOR for op in AggregateOp},
    **dict.fromkeys(
        (
            "anchored",
            "bool",
            "by",
            "group_left",
            "group_right",
            "ignoring",
            "offset",
            "on",
            "smoothed",
            "without",
            *sorted(MODIFIERS),
        ),
        TokenKind.KEYWORD,
    ),
    **dict.fromkeys(sorted(PREPROCESSORS), TokenKind.PREPROCESSOR),
    **dict.fromkeys(("inf", "nan"), TokenKind.NUMBER),
}


_DECIMAL = frozenset("0123456789")
_HEX = frozenset("0123456789abcdefABCDEF")
_UNITS = re.compile(r"[smhdwy]s?(?:[0-9]+[smhdw]s?)*")
_DIGITS = re.compile(r"[0-9]+")
_ALPHANUMERIC = re.compile(r"[a-zA-Z0-9_]")


def number_or_duration(text: str, start: int) -> tuple[int, TokenKind | None]:
    """The end of what starts here with a digit or a dot, and which of the two it is.

    None is neither; the end is then where that showed, for the error text.
    """
    end, is_number = _number(text, start)
    if is_number:
        return end, TokenKind.NUMBER
    units = _UNITS.match(text, end)
    if units is None:
        return end, None
    end = units.end()
    digits = _DIGITS.match(text, end)
    if digits:
        # a number at the end lacks its unit
        return min(digits.end(), len(text)), None
    if _ALPHANUMERIC.match(text, end):
        return end + 1, None
    return end, TokenKind.DURATION


def _number(text: str, start: int) -> tuple[int, bool]:
    digits, at = _DECIMAL, start
    if text[at] == "0":
        at += 1
        if text[at : at + 1] in ("x", "X"):
            at += 1 + (text[at + 1 : at + 2] == "_")
            digits = _HEX
    at += text[at : at + 1] == "."
    at += text[at : at + 1] in digits
    dotted = has_exponent = False
    while at < len(text):
        character = text[at]
        if character in "eE":
            if has_exponent:
                return at + 1, False
            has_exponent = True
            at += 1 + (text[at + 1 : at + 2] in ("+", "-"))
            at, goes_on = _not_followed_by(text, at, "._eE")
        elif character == ".":
            if dotted:
                return at + 1, False
            dotted = True
            at, goes_on = _not_followed_by(text, at + 1, "_.", may_end=True)
            goes_on = goes_on and digits is _DECIMAL
        elif character == "_":
            at, goes_on = _not_followed_by(text, at + 1, "._eE")
        elif character in digits:
            at += 1
            while at < len(text) and text[at] in digits:
                at += 1
            continue
        else:
            break
        if not goes_on:
            return at, False
    return at, not _ALPHANUMERIC.match(text, at)


def _not_followed_by(text: str, at: int, refused: str, *, may_end: bool = False) -> tuple[int, bool]:
    if at >= len(text):
        return at, may_end
    return (at + 1, False) if text[at] in refused else (at, True)


_SPACES = re.compile(r"[ \t\n\r]+")
_COMMENT = re.compile(r"#[^\n\r]*")
_WORD = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_LETTERS = re.compile(r"[a-zA-Z_]+")
_NUMBER_START = re.compile(r"\.?[0-9]")
_OPERATOR = re.compile(r"==|!=|<=|</|>=|>/|[-+*/%^<>@]")
_OPEN_PAREN = re.compile(r"[ \t\n\r]*\(")
_LABEL_OPERATOR = re.compile(r"=~|!~|!=")
_QUOTES = "\"'`"
_DURATION_STARTS = frozenset(word[0] for word in DURATION_WORDS)

_LAST = (TokenKind.END, TokenKind.FAULT)

_State: TypeAlias = Callable[[], "_State"]


def tokens(text: str) -> list[Token]:
    """All tokens, comments left out; the last is an end or a fault."""
    return _Lexer(text).run()


class _Lexer:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._tokens: list[Token] = []
        self._parens = 0
        self._in_brackets = False
        self._colon_seen = False
        # of any bracket before, too: that is how Prometheus tells `[:` from `[5m:`
        self._duration_seen = False

    def run(self) -> list[Token]:
        state: _State = self._expression
        while not self._tokens or self._tokens[-1].kind not in _LAST:
            state = state()
        return self._tokens

    def _expression(self) -> _State:
        self._skip(_SPACES)
        if self._skip(_COMMENT):
            return self._expression
        character = self._character()
        if character == "":
            return self._end()
        if _NUMBER_START.match(self._text, self._at):
            return self._number()
        if character in _QUOTES:
            return self._string(self._expression)
        if _WORD.match(self._text, self._at):
            return self._bracket_word() if self._in_brackets else self._word()
        operator = _OPERATOR.match(self._text, self._at)
        if operator:
            return self._emit(TokenKind.OPERATOR, operator[0], self._expression)
        match character:
            case ",":
                return self._emit(TokenKind.PUNCTUATION, ",", self._expression)
            case "(" | ")":
                return self._paren(character, self._expression)
            case "{":
                return self._emit(TokenKind.PUNCTUATION, "{", self._braces)
            case "[" if not self._in_brackets:
                self._in_brackets, self._colon_seen = True, False
                return self._emit(TokenKind.PUNCTUATION, "[", self._duration)
            case "[":
                return self._fault("unexpected left bracket '['")
            case "]" if self._in_brackets:
                self._in_brackets = False
                return self._emit(TokenKind.PUNCTUATION, "]", self._expression)
            case "]":
                return self._fault("unexpected right bracket ']'")
            case "=" if self._character(1) != "~":
                return self._emit(TokenKind.PUNCTUATION, "=", self._expression)
            case "=" | "!":
                return self._fault(f"unexpected character after '{character}': {_rune(self._character(1))}")
        return self._fault(f"unexpected character: {_rune(character)}")

    def _duration(self) -> _State:
        """What follows `[`, up to the first number."""
        self._skip(_SPACES)
        character = self._character()
        if character == "":
            return self._fault("unexpected end of input in duration expression")
        if _NUMBER_START.match(self._text, self._at):
            self._duration_seen = True
            return self._number()
        if character in "+-*/%^":
            return self._emit(TokenKind.OPERATOR, character, self._duration)
        if character in "()":
            return self._paren(character, self._duration)
        match character:
            case ",":
                return self._emit(TokenKind.PUNCTUATION, ",", self._duration)
            case "]":
                self._in_brackets = False
                return self._emit(TokenKind.PUNCTUATION, "]", self._expression)
            case ":":
                if not self._duration_seen:
                    return self._fault("unexpected colon before duration in duration expression", 1)
                if self._colon_seen:
                    return self._fault("unexpected repeated colon in duration expression", 1)
                self._colon_seen = True
                return self._emit(TokenKind.PUNCTUATION, ":", self._duration)
        word = self._duration_word()
        if word:
            self._duration_seen = True
            return self._emit(TokenKind.PREPROCESSOR, word, self._duration)
        return self._fault(f"unexpected character in duration expression: {_rune(character)}")

    def _braces(self) -> _State:
        self._skip(_SPACES)
        if self._skip(_COMMENT):
            return self._braces
        character = self._character()
        if character == "":
            return self._fault("unexpected end of input inside braces")
        label = _LABEL.match(self._text, self._at)
        if label:
            return self._emit(TokenKind.IDENTIFIER, label[0], self._braces)
        if character in _QUOTES:
            return self._string(self._braces)
        operator = _LABEL_OPERATOR.match(self._text, self._at)
        if operator:
            return self._emit(TokenKind.OPERATOR, operator[0], self._braces)
        match character:
            case "," | "=":
                return self._emit(TokenKind.PUNCTUATION, character, self._braces)
            case "}":
                return self._emit(TokenKind.PUNCTUATION, "}", self._expression)
            case "{":
                return self._fault("unexpected left brace '{'")
            case "!":
                after = _rune(self._character(1))
                return self._fault(f"unexpected character after '!' inside braces: {after}")
        return self._fault(f"unexpected character inside braces: {_rune(character)}")

    def _word(self) -> _State:
        match = _WORD.match(self._text, self._at)
        assert match
        word = match[0].lower()
        kind = KEYWORDS.get(word)
        if word in MODIFIERS and not _OPEN_PAREN.match(self._text, match.end()):
            # a metric may have the name of these newest keywords
            kind = TokenKind.IDENTIFIER
        if kind is None:
            kind = TokenKind.METRIC_IDENTIFIER if ":" in word else TokenKind.IDENTIFIER
        return self._emit(kind, match[0], self._expression)

    def _bracket_word(self) -> _State:
        """A word after the first number in brackets."""
        character = self._character()
        if character == ":":
            if self._colon_seen:
                return self._fault("unexpected colon ':'")
            self._colon_seen = True
            return self._emit(TokenKind.PUNCTUATION, ":", self._expression)
        word = self._duration_word()
        if word:
            return self._emit(TokenKind.PREPROCESSOR, word, self._expression)
        return self._fault(f"unexpected character: {_rune(character)}, expected ':'")

    def _duration_word(self) -> str | None:
        letters = _LETTERS.match(self._text, self._at)
        return letters[0] if letters and letters[0].lower() in DURATION_WORDS else None

    def _number(self) -> _State:
        end, kind = number_or_duration(self._text, self._at)
        if kind is None:
            return self._fault(f"bad number or duration syntax: {quoted(self._text[self._at : end])}")
        return self._emit(kind, self._text[self._at : end], self._expression)

    def _string(self, after: _State) -> _State:
        try:
            end = string_end(self._text, self._at)
        except StringFault as fault:
            return self._fault(str(fault))
        return self._emit(TokenKind.STRING, self._text[self._at : end], after)

    def _paren(self, character: str, after: _State) -> _State:
        self._parens += 1 if character == "(" else -1
        if self._parens < 0:
            return self._fault("unexpected right parenthesis ')'", 1)
        return self._emit(TokenKind.PUNCTUATION, character, after)

    def _end(self) -> _State:
        if self._parens:
            return self._fault("unclosed left parenthesis")
        if self._in_brackets:
            return self._fault("unclosed left bracket")
        return self._emit(TokenKind.END, "", self._expression)

    def _character(self, ahead: int = 0) -> str:
        return self._text[self._at + ahead : self._at + ahead + 1]

    def _skip(self, pattern: re.Pattern[str]) -> bool:
        match = pattern.match(self._text, self._at)
        if match:
            self._at = match.end()
        return match is not None

    def _emit(self, kind: TokenKind, text: str, after: _State) -> _State:
        self._tokens.append(Token(kind, text.lower(), text, self._at))
        self._at += len(text)
        return after

    def _fault(self, message: str, ahead: int = 0) -> _State:
        self._tokens.append(Token(TokenKind.FAULT, "", message, self._at + ahead))
        return self._expression


def _rune(character: str) -> str:
    """A character in quotes; the end of the text shows as what cannot be decoded."""
    return quoted(character, "'") if character else "'\N{REPLACEMENT CHARACTER}'"
