"""The tokens of PromQL and how error texts name them."""

from enum import StrEnum
from typing import NamedTuple

from streamgauge.promql.syntax.literals import quoted
from streamgauge.promql.syntax.words import AggregateOp, BinaryOp


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
