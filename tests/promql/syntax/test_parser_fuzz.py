from hypothesis import example, given, settings
from hypothesis import strategies as st

from streamgauge.promql.syntax.functions_table import FUNCTIONS
from streamgauge.promql.syntax.invalid_expression import InvalidExpression
from streamgauge.promql.syntax.lexer import KEYWORDS
from streamgauge.promql.syntax.parser import parse
from streamgauge.promql.syntax.printer import canonical
from tests.support.promql_expressions import expressions

_WORDS = [
    *KEYWORDS,
    *FUNCTIONS,
    "a",
    "b:c",
    "_",
    "NaN",
    "0x1F",
    "1_0",
    ".5",
    "5.",
    "1e3",
    "2",
    "0",
    "5m",
    "1h30m",
    "1y1y",
]
_SIGNS = [
    *"()[]{},:=<>!~+-*/%^@#\n\t ",
    "==",
    "!=",
    "=~",
    "!~",
    "<=",
    ">=",
    "</",
    ">/",
    "[5m]",
    "[5m:",
    "()",
    "{a='b'}",
]
_STRINGS = ['"x"', "'y'", "`z`", '"\\x41"', '"\\', '"\\377"', "'\ud800'", "ä", "\ufffd", '"(.*"']
_soup = st.lists(st.sampled_from(_WORDS + _SIGNS + _STRINGS), max_size=30)


def _is_read_or_refused(text):
    try:
        expr = parse(text)
    except InvalidExpression:
        return
    assert parse(canonical(expr)) == expr


@settings(max_examples=500, deadline=None)
@given(st.text(max_size=40))
@example("0" * 50_000)
@example("1" * 5000 + "s")
@example("a" + "[5m:]" * 5000)
@example("a" + " offset 0s" * 5000)
@example('"' + "\\" * 9999)
@example("#" * 60_000)
def test_any_text_is_read_or_refused(text):
    _is_read_or_refused(text)


@settings(max_examples=1000, deadline=None)
@given(_soup, st.sampled_from(["", " "]))
def test_any_heap_of_words_and_signs_is_read_or_refused(words, between):
    _is_read_or_refused(between.join(words))


@settings(max_examples=300, deadline=None)
@given(expressions.map(canonical), st.data())
def test_an_expression_with_a_piece_cut_out_or_put_in_is_read_or_refused(text, data):
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 5)))
    piece = data.draw(st.sampled_from(["", *_WORDS, *_SIGNS, *_STRINGS]))
    _is_read_or_refused(text[:start] + piece + text[end:])
