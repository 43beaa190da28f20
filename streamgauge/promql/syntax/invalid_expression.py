"""What is wrong with the text of an expression, in Prometheus's words and with the place."""

from enum import StrEnum

from streamgauge.promql.syntax.ast import Span


class ExpressionFault(StrEnum):
    """Why a text was refused as an expression."""

    SYNTAX = "syntax_error"
    TYPE = "type_error"
    EMPTY = "empty_selector"
    DURATION = "bad_duration"
    TOO_LONG = "expression_too_long"
    TOO_DEEP = "expression_too_deep"


class InvalidExpression(ValueError):
    """A text that is not PromQL, or is too large, or has a duration that none can be.

    :param reason: the kind of fault, for counters. :param place: where it is, for people.
    :param detail: what it is. :param span: the place, in characters of the query.
    """

    def __init__(self, reason: ExpressionFault, place: str, detail: str, span: Span) -> None:
        super().__init__(f"{place}: {detail}")
        self.reason = reason
        self.detail = detail
        self.span = span


def parse_error(reason: ExpressionFault, detail: str, span: Span, query: str) -> InvalidExpression:
    """The refusal of a query, such as `1:7: parse error: unexpected ...`."""
    return InvalidExpression(reason, f"{_place(query, span.start)}: parse error", detail, span)


def _place(query: str, position: int) -> str:
    """Line and column of a character; columns count bytes of UTF-8, as Prometheus's do."""
    if not query:
        return "unknown position"
    line_start = query.rfind("\n", 0, position) + 1
    column = len(query[line_start:position].encode(errors="surrogatepass")) + 1
    line = query.count("\n", 0, line_start) + 1
    return f"{line}:{column}"
