import pytest
from hypothesis import given, settings

from streamgauge.promql.syntax import printer
from streamgauge.promql.syntax.ast import (
    Binary,
    BinaryOp,
    DurationBinary,
    DurationOp,
    DurationUnary,
    MatrixSelector,
    NumberLiteral,
    Subquery,
    Unary,
    UnaryOp,
    VectorSelector,
)
from streamgauge.promql.syntax.parser import parse
from streamgauge.promql.syntax.printer import canonical, pretty
from tests.support.promql_expressions import expressions

A, B, C = VectorSelector("a"), VectorSelector("b"), VectorSelector("c")


@settings(max_examples=400, deadline=None)
@given(expressions)
def test_what_is_printed_parses_to_the_same_tree(expr):
    assert parse(canonical(expr)) == expr
    assert parse(pretty(expr)) == expr


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("1e3", "1000"),
        ("1e-7", "0.0000001"),
        ("-0", "-0"),
        ("inf", "+Inf"),
        ("90m", "1h30m"),
        ("7d", "1w"),
        ("8d", "8d"),
        ("-1.5", "-1.5"),
        ("'a\"\\n\\u0000\ufeff'", r'"a\"\n\x00\ufeff"'),
        ("a{}", "a"),
        ('{"a"}', '{__name__="a"}'),
        ("a{z='1',b!='2','x.y'=~'3'}", 'a{"x.y"=~"3",b!="2",z="1"}'),
        ("a offset 11574d1h46m39s997ms", "a offset 11574d1h46m39s997ms"),
        ("a[300] OFFSET 60 @ 1.5", "a[5m] @ 1.500 offset 1m"),
        ("a[5m] smoothed offset -1m @ end()", "a[5m] smoothed @ end() offset -1m"),
        ("a[step()+1m:(5m)]", "a[step() + 1m:5m]"),
        ("a offset (step()+1m)", "a offset +(step() + 1m)"),
        ("a offset -(step()+1m)", "a offset -(step() + 1m)"),
        ("a[2^(3^2)-(1-2)]", "a[2 ^ 3 ^ 2 - (1 - 2)]"),
        ("sum(a)by(x,'y.z')", 'sum by (x, "y.z") (a)'),
        ("sum by()(a)", "sum(a)"),
        ("sum by('NaN','inf','without',by)(a)", 'sum by ("NaN", "inf", "without", by) (a)'),
        ("TOPK without()(1,a)", "topk without () (1, a)"),
        ("a+ignoring()b", "a + b"),
        ("a+on()b", "a + on () b"),
        ("a/on(x)group_left b", "a / on (x) group_left () b"),
        ("a/ignoring()group_right(y)fill(1)b", "a / ignoring () group_right (y) fill (1) b"),
        ("a-fill_right(2)fill_left(1)b", "a - fill_left (1) fill_right (2) b"),
        ("a>bool 1", "a > bool 1"),
        ("1+on()2", "1 + 2"),
        ("-a^-b", "-a ^ -b"),
        ("round( a,5 ) # comment", "round(a, 5)"),
    ],
)
def test_the_canonical_form(text, printed):
    assert canonical(parse(text)) == printed
    assert parse(printed) == parse(text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("rate(a[5m])", "rate(a[5m:])"),
        ("a", '{"a"}'),
        ("a offset 1m", "a @ 60"),
        ("a + b + c", "a + (b + c)"),
        ("sum(a)", "sum without () (a)"),
        ("1", "1s"),
        ("0", "-0"),
    ],
)
def test_different_trees_print_differently(one, other):
    assert parse(one) != parse(other)
    assert canonical(parse(one)) != canonical(parse(other))


def _sum(lhs, rhs):
    return Binary(BinaryOp.ADD, lhs, rhs)


@pytest.mark.parametrize(
    ("tree", "printed"),
    [
        (Binary(BinaryOp.MUL, _sum(A, B), C), "(a + b) * c"),
        (_sum(A, _sum(B, C)), "a + (b + c)"),
        (Binary(BinaryOp.POW, Binary(BinaryOp.POW, A, B), C), "(a ^ b) ^ c"),
        (Binary(BinaryOp.POW, NumberLiteral(-1.0), A), "(-1) ^ a"),
        (Binary(BinaryOp.POW, A, Unary(UnaryOp.MINUS, B)), "a ^ -b"),
        (Binary(BinaryOp.POW, Unary(UnaryOp.MINUS, A), B), "(-a) ^ b"),
        (Unary(UnaryOp.MINUS, _sum(A, B)), "-(a + b)"),
        (Unary(UnaryOp.MINUS, Unary(UnaryOp.PLUS, A)), "-+a"),
        (Subquery(_sum(A, B), 60_000), "(a + b)[1m:]"),
        (Subquery(Unary(UnaryOp.MINUS, A), 60_000), "(-a)[1m:]"),
        (
            MatrixSelector(
                A,
                DurationBinary(
                    DurationOp.POW,
                    DurationUnary(DurationBinary(DurationOp.ADD, NumberLiteral(1.0), NumberLiteral(2.0))),
                    NumberLiteral(-1.0),
                ),
            ),
            "a[(-(1 + 2)) ^ -1]",
        ),
    ],
)
def test_a_tree_that_no_parser_built_gets_the_parentheses_that_it_needs(tree, printed):
    assert canonical(tree) == printed
    assert canonical(parse(printed)) == printed


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("sum(a)", ["sum(a)"]),
        (
            "sum by(job)(rate(requests_total[5m])) / 2",
            ["  sum by (job) (", "    rate(", "      requests_total[5m]", "    )", "  )", "/", "  2"],
        ),
        (
            "topk(10,(long_name_of_a_metric))",
            ["topk(", "  10,", "  (", "    long_name_of_a_metric", "  )", ")"],
        ),
        (
            "aaaaaaaaa + on(x) group_left bbbbbbbbbb == bool ccccccc",
            [
                "    aaaaaaaaa",
                "  + on (x) group_left ()",
                "    bbbbbbbbbb",
                "== bool",
                "  ccccccc",
            ],
        ),
        (
            "-max_over_time((a + long_names)[5m:])",
            ["-max_over_time(", "  (", "    a + long_names", "  )[5m:]", ")"],
        ),
        ("a_long_name_of_a_metric{b='c'}", ['a_long_name_of_a_metric{b="c"}']),
    ],
)
def test_the_pretty_form_breaks_what_is_too_long_for_a_line(text, lines, monkeypatch):
    monkeypatch.setattr(printer, "LINE_LENGTH", 15)
    assert pretty(parse(text)).split("\n") == lines
    assert parse("\n".join(lines)) == parse(text)
