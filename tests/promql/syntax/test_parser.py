import math

import pytest

from streamgauge.promql.syntax.ast import (
    Aggregate,
    AggregateOp,
    AtBoundary,
    Binary,
    BinaryOp,
    Call,
    Card,
    DurationBinary,
    DurationLeaf,
    DurationOp,
    DurationTerm,
    DurationUnary,
    Matching,
    MatrixSelector,
    NumberLiteral,
    Paren,
    StringLiteral,
    Subquery,
    Unary,
    UnaryOp,
    VectorSelector,
    walk,
)
from streamgauge.promql.syntax.functions_table import FUNCTIONS, ValueType
from streamgauge.promql.syntax.parser import parse
from streamgauge.series.matchers import Matcher, MatchOp

A, B, C = VectorSelector("a"), VectorSelector("b"), VectorSelector("c")
STEP, RANGE = DurationLeaf(DurationTerm.STEP), DurationLeaf(DurationTerm.RANGE)


def _equal(name, value):
    return Matcher(name, MatchOp.EQUAL, value)


def _binary(op, lhs, rhs, **changes):
    return Binary(BinaryOp(op), lhs, rhs, matching=Matching(**changes))


def _seconds(value):
    return NumberLiteral(value, is_duration=True)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        (".5", 0.5),
        ("5.", 5),
        ("5e-3", 0.005),
        ("1E3", 1000),
        ("1_000.5", 1000.5),
        ("0x1F", 31),
        ("0x_ab", 171),
        ("0755", 493),
        ("0_7", 7),
        ("089", 89),
        ("9223372036854775808", 2.0**63),
        ("Inf", math.inf),
        ("+iNF", math.inf),
        ("-Inf", -math.inf),
        ("nan", math.nan),
        ("--1", 1),
        ("-0", -0.0),
    ],
)
def test_a_number_has_many_forms_and_takes_up_its_sign(text, value):
    assert parse(text) == NumberLiteral(value)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5m", 300),
        ("1h30m", 5400),
        ("1d12h", 129_600),
        ("-1w", -604_800),
        ("1y", 31_536_000),
        ("1s5ms", 1.005),
    ],
)
def test_a_duration_is_a_number_of_seconds(text, seconds):
    assert parse(text) == NumberLiteral(seconds, is_duration=True)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('"a b"', "a b"),
        ("'a\"b'", 'a"b'),
        ("`a\\n\"'`", "a\\n\"'"),
        ("`a\nb`", "a\nb"),
        (r'"\a\b\f\n\r\t\v\\\""', '\a\b\f\n\r\t\v\\"'),
        (r"'\''", "'"),
        (r'"\x41\101\u00e4\U0001f600"', "AAä😀"),
        (r'"\xc3\xa4"', "ä"),
    ],
)
def test_strings_resolve_escapes_but_not_in_back_quotes(text, value):
    assert parse(text) == StringLiteral(value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", A),
        ("a:b", VectorSelector("a:b")),
        ("a{}", A),
        ('{"a"}', VectorSelector("", (_equal("__name__", "a"),))),
        ('{"a.b", c="d"}', VectorSelector("", (_equal("__name__", "a.b"), _equal("c", "d")))),
        ("a{'b.c'=\"d\",}", VectorSelector("a", (_equal("b.c", "d"),))),
        ('a{ # first\n b="1" # second\n }', VectorSelector("a", (_equal("b", "1"),))),
        (
            'a{e!~"4",d=~"3",c!="2",b="1"}',
            VectorSelector(
                "a",
                (
                    _equal("b", "1"),
                    Matcher("c", MatchOp.NOT_EQUAL, "2"),
                    Matcher("d", MatchOp.REGEX, "3"),
                    Matcher("e", MatchOp.NOT_REGEX, "4"),
                ),
            ),
        ),
        ('a{on="1",sum="2",NaN="3"}', VectorSelector("a", tuple(map(_equal, ("NaN", "on", "sum"), "312")))),
        ("a offset 5m", VectorSelector("a", offset=300_000)),
        ("a OFFSET -1.5", VectorSelector("a", offset=-1500)),
        ("a offset 0s offset 1s", VectorSelector("a", offset=1000)),
        ("a @ 1603774568", VectorSelector("a", at=1_603_774_568_000)),
        ("a @ -0.0005", VectorSelector("a", at=-1)),
        ("a @ 0x10", VectorSelector("a", at=16_000)),
        ("a @ 1m", VectorSelector("a", at=60_000)),
        ("a @ START()", VectorSelector("a", at=AtBoundary.START)),
        ("a @ end ( ) offset 1s", VectorSelector("a", offset=1000, at=AtBoundary.END)),
        ("a anchored", VectorSelector("a", anchored=True)),
        ("a smoothed offset 1s", VectorSelector("a", offset=1000, smoothed=True)),
        ("a[5m]", MatrixSelector(A, 300_000)),
        ("a[4.018]", MatrixSelector(A, 4018)),
        ("a[ 1ms ] @ 1 offset 1s", MatrixSelector(VectorSelector("a", offset=1000, at=1000), 1)),
        ("a[5m] anchored", MatrixSelector(VectorSelector("a", anchored=True), 300_000)),
        ("a smoothed[5m]", MatrixSelector(VectorSelector("a", smoothed=True), 300_000)),
        ("a[10m:6s]", Subquery(A, 600_000, 6000)),
        ("a[10m:]", Subquery(A, 600_000)),
        ("a offset 1s[5m:]", Subquery(VectorSelector("a", offset=1000), 300_000)),
        ("(a)[5m:1m] @ end() offset 1s", Subquery(Paren(A), 300_000, 60_000, 1000, AtBoundary.END)),
    ],
)
def test_selectors(text, expected):
    assert parse(text) == expected


@pytest.mark.parametrize(
    "name",
    [
        "and",
        "or",
        "unless",
        "sum",
        "topk",
        "limit_ratio",
        "by",
        "without",
        "offset",
        "anchored",
        "smoothed",
        "start",
        "end",
        "step",
        "range",
        "max_of",
        "min_of",
        "fill",
        "fill_left",
        "bool_",
        "Sum",
    ],
)
def test_words_of_the_language_can_be_names_of_metrics(name):
    assert parse(name) == VectorSelector(name)
    assert parse(f'{name}{{b="c"}}[5m]').selector == VectorSelector(name, (_equal("b", "c"),))
    assert parse(f"a + {name}") == _binary("+", A, VectorSelector(name))


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("step()", STEP),
        ("STEP ( )", STEP),
        ("-step()", DurationUnary(STEP)),
        ("+step()", STEP),
        ("(5m)", 300_000),
        ("2 * 3m", DurationBinary(DurationOp.MUL, NumberLiteral(2), _seconds(180))),
        ("1 + 2 * 3", "1 + (2 * 3)"),
        ("1 - 2 - 3", "(1 - 2) - 3"),
        ("2 ^ 3 ^ 4", "2 ^ (3 ^ 4)"),
        ("-2 ^ 2", "-(2 ^ 2)"),
        ("-step() * 2", "(-step()) * 2"),
        ("1m % range()", DurationBinary(DurationOp.MOD, _seconds(60), RANGE)),
        ("max_of(step(), 5s)", DurationBinary(DurationOp.MAX_OF, STEP, _seconds(5))),
        ("min_of(1, -2 + step())", "min_of(1, (-2) + step())"),
    ],
)
def test_durations_can_be_computed(text, duration):
    expected = parse(f"a[{duration}]").range if isinstance(duration, str) else duration
    assert parse(f"a[{text}]").range == expected
    assert parse(f"a[1h:{text}]").step == expected
    assert parse(f"a offset ({text})").offset == expected


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("a offset 5m + 1m", "(a offset 5m) + 1m"),
        ("a offset -5m ^ 2", "(a offset -5m) ^ 2"),
        ("a offset step() * 2", "(a offset step()) * 2"),
        ("a offset -(1m + 1m) - 1", "(a offset -(1m + 1m)) - 1"),
        ("a offset -min_of(1m, 2m) + 1", "(a offset -min_of(1m, 2m)) + 1"),
        ("a offset (5m) + 1m", "a offset (5m + 1m)"),
        ("a offset --5m + 1m", "a offset (5m + 1m)"),
    ],
)
def test_an_offset_ends_before_an_operator_unless_it_starts_with_a_parenthesis_or_two_signs(text, same):
    found, expected = parse(text), parse(same)
    if isinstance(expected, Binary):
        assert found == Binary(expected.op, expected.lhs.expr, expected.rhs)
    else:
        assert found == expected


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("a + b * c", "a + (b * c)"),
        ("a - b - c", "(a - b) - c"),
        ("a ^ b ^ c", "a ^ (b ^ c)"),
        ("a * b % c", "(a * b) % c"),
        ("a atan2 b / c", "(a atan2 b) / c"),
        ("a > b + c", "a > (b + c)"),
        ("a </ b == c", "(a </ b) == c"),
        ("a and b > c", "a and (b > c)"),
        ("a unless b and c", "(a unless b) and c"),
        ("a or b and c", "a or (b and c)"),
        ("-a * b", "(-a) * b"),
        ("-a ^ b", "-(a ^ b)"),
        ("a ^ -b * c", "(a ^ (-b)) * c"),
        ("a * -b ^ c", "a * (-(b ^ c))"),
        ("-a[5m:]", "-(a[5m:])"),
    ],
)
def test_precedence_and_associativity(text, same):
    def bare(expr):
        match expr:
            case Paren():
                return bare(expr.expr)
            case Unary():
                return Unary(expr.op, bare(expr.expr))
            case Binary():
                return Binary(expr.op, bare(expr.lhs), bare(expr.rhs))
        return expr

    if "[" in text:
        with pytest.raises(ValueError, match="unary expression only allowed"):
            parse(text)
    else:
        assert bare(parse(text)) == bare(parse(same))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a + b", _binary("+", A, B)),
        ("a AND b", _binary("and", A, B, card=Card.MANY_TO_MANY)),
        ("a or on(x) b", _binary("or", A, B, card=Card.MANY_TO_MANY, labels=("x",), on=True)),
        ("a * on() b", _binary("*", A, B, on=True)),
        ("a * ignoring(x, y,) b", _binary("*", A, B, labels=("x", "y"))),
        (
            "a / on(x) group_left b",
            _binary("/", A, B, card=Card.MANY_TO_ONE, labels=("x",), on=True),
        ),
        (
            'a / ignoring("x.y") group_right(z, on) b',
            _binary("/", A, B, card=Card.ONE_TO_MANY, labels=("x.y",), include=("z", "on")),
        ),
        ("a - fill(1) b", _binary("-", A, B, fill_left=NumberLiteral(1), fill_right=NumberLiteral(1))),
        ("a - fill_left(-Inf) b", _binary("-", A, B, fill_left=NumberLiteral(-math.inf))),
        (
            "a - on(x) fill_right(1m) fill_left (2) b",
            _binary(
                "-",
                A,
                B,
                labels=("x",),
                on=True,
                fill_left=NumberLiteral(2),
                fill_right=NumberLiteral(60, True),
            ),
        ),
        ("fill + fill_left", _binary("+", VectorSelector("fill"), VectorSelector("fill_left"))),
        ("a > bool 1", Binary(BinaryOp.GREATER, A, NumberLiteral(1), return_bool=True)),
        ("1 == bool 2", Binary(BinaryOp.EQUAL, NumberLiteral(1), NumberLiteral(2), return_bool=True)),
        ("1 + on() group_left() 2", Binary(BinaryOp.ADD, NumberLiteral(1), NumberLiteral(2))),
        ("a >/ 1", Binary(BinaryOp.TRIM_LOWER, A, NumberLiteral(1))),
        ("-a", Unary(UnaryOp.MINUS, A)),
        ("+a", Unary(UnaryOp.PLUS, A)),
        ("-(1)", Unary(UnaryOp.MINUS, Paren(NumberLiteral(1)))),
        ("- 1 ^ 2", Unary(UnaryOp.MINUS, Binary(BinaryOp.POW, NumberLiteral(1), NumberLiteral(2)))),
    ],
)
def test_operators_and_matching(text, expected):
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sum(a)", Aggregate(AggregateOp.SUM, A)),
        ("Sum by (x) (a)", Aggregate(AggregateOp.SUM, A, grouping=("x",))),
        ("sum(a) by (x, y,)", Aggregate(AggregateOp.SUM, A, grouping=("x", "y"))),
        ("sum by () (a)", Aggregate(AggregateOp.SUM, A)),
        ("sum without () (a)", Aggregate(AggregateOp.SUM, A, without=True)),
        (
            "sum without(and, by, x:y, start, 'z.z') (a)",
            Aggregate(AggregateOp.SUM, A, grouping=("and", "by", "x:y", "start", "z.z"), without=True),
        ),
        ("topk(5, a)", Aggregate(AggregateOp.TOPK, A, NumberLiteral(5))),
        ("count_values('v', a)", Aggregate(AggregateOp.COUNT_VALUES, A, StringLiteral("v"))),
        ("limit_ratio(-0.5, a)", Aggregate(AggregateOp.LIMIT_RATIO, A, NumberLiteral(-0.5))),
        ("sum(sum)", Aggregate(AggregateOp.SUM, VectorSelector("sum"))),
        ("time()", Call("time")),
        ("start() ", Call("start")),
        ("max_of(step(), range())", Call("max_of", (Call("step"), Call("range")))),
        ("rate(a[5m])", Call("rate", (MatrixSelector(A, 300_000),))),
        ("round(a)", Call("round", (A,))),
        ("info(a, {b='c'})", Call("info", (A, VectorSelector("", (_equal("b", "c"),))))),
        ("info(a, {b!='c'})", Call("info", (A, VectorSelector("", (Matcher("b", MatchOp.NOT_EQUAL, "c"),))))),
        (
            "histogram_quantiles(a, 'q', 0.5, 0.9)",
            Call("histogram_quantiles", (A, StringLiteral("q"), NumberLiteral(0.5), NumberLiteral(0.9))),
        ),
    ],
)
def test_aggregations_and_calls(text, expected):
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", ValueType.SCALAR),
        ("1 + 2", ValueType.SCALAR),
        ("(1) + scalar(a)", ValueType.SCALAR),
        ("-(1 + a)", ValueType.VECTOR),
        ("a and b", ValueType.VECTOR),
        ("time()", ValueType.SCALAR),
        ("vector(1)", ValueType.VECTOR),
        ("sum(a)", ValueType.VECTOR),
        ("a[5m]", ValueType.MATRIX),
        ("(a[5m:])", ValueType.MATRIX),
        ("'x'", ValueType.STRING),
    ],
)
def test_every_expression_has_a_type(text, expected):
    assert parse(text).type is expected


def test_every_expression_knows_where_it_stands():
    text = ' sum by (x) (rate(a{b="c"}[5m] offset 1m)) +\n -(b @ 1) * "ä"'.replace('* "ä"', "* 2")
    found = {text[expr.span.start : expr.span.end] for expr in walk(parse(text))}
    assert found == {
        text.strip(),
        'sum by (x) (rate(a{b="c"}[5m] offset 1m))',
        'rate(a{b="c"}[5m] offset 1m)',
        'a{b="c"}[5m] offset 1m',
        'a{b="c"}',
        "-(b @ 1) * 2",
        "-(b @ 1)",
        "(b @ 1)",
        "b @ 1",
        "2",
    }


def test_places_do_not_count_when_expressions_are_compared():
    assert parse("a  +  b") == parse("a+b")
    assert hash(parse("a  +  b")) == hash(parse("a+b"))


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS.keys())
def test_every_function_takes_as_many_arguments_of_its_types_as_it_says(function):
    samples = {"vector": "a", "matrix": "a[5m]", "scalar": "1", "string": "'x'"}
    given = [samples[kind.value] for kind in function.args]
    if function.name == "info":
        given[1] = "{b='c'}"
    given += (given or ["1"])[-1:] * 10
    for count in range(len(given)):
        text = f"{function.name}({', '.join(given[:count])})"
        if count < function.least or (function.most is not None and count > function.most):
            with pytest.raises(ValueError, match=r"argument\(s\)"):
                parse(text)
        else:
            call = parse(text)
            assert (call.function, len(call.args), call.type) == (function.name, count, function.returns)
