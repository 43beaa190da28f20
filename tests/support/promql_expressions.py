"""Hypothesis strategies for trees of the parser: well-typed, with parentheses where their text needs them."""

import math

from hypothesis import strategies as st

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
)
from streamgauge.promql.syntax.functions_table import FUNCTIONS, ValueType
from streamgauge.promql.syntax.literals import matcher_text
from streamgauge.series.labels import NAME
from streamgauge.series.matchers import Matcher, MatchOp

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
label_names = st.sampled_from(["a", "le", "on", "sum", "without", "NaN", "a.b", "ä", 'x"y']) | texts.filter(
    bool
)
metric_names = st.sampled_from(
    ["a", "b_total", "c:rate", "sum", "and", "offset", "step", "fill", "start", "Inf_"]
)
floats = (
    st.floats() | st.integers(-10, 10).map(float) | st.sampled_from([math.inf, -math.inf, math.nan, -0.0])
)
seconds = st.integers(-(10**9), 10**9).map(lambda ms: NumberLiteral(ms / 1000, is_duration=True))
numbers = st.builds(NumberLiteral, floats) | seconds
milliseconds = st.integers(1, 10**12) | st.sampled_from([1, 60_000, 86_400_000, 7 * 86_400_000])
ats = st.none() | st.sampled_from(AtBoundary) | st.integers(-(2**50), 2**50)


def _terms(children):
    binary = st.builds(DurationBinary, st.sampled_from(DurationOp), children, children)
    signed = children.filter(lambda term: not isinstance(term, NumberLiteral)).map(DurationUnary)
    return binary.filter(_divides) | signed


def _divides(term):
    """Whether the text is no division by a plain zero, which the parser refuses."""
    by_zero = isinstance(term.rhs, NumberLiteral) and term.rhs.value == 0
    return not (by_zero and term.op in (DurationOp.DIV, DurationOp.MOD))


leaves = st.sampled_from(DurationTerm).map(DurationLeaf)
amounts = st.floats(-1e9, 1e9).map(NumberLiteral) | seconds
computed = st.recursive(leaves | amounts, _terms, max_leaves=5).filter(
    lambda term: not isinstance(term, NumberLiteral)
)
ranges = milliseconds | computed
offsets = st.just(0) | milliseconds | milliseconds.map(lambda ms: -ms) | computed

matchers = st.builds(
    Matcher,
    label_names.filter(lambda name: name != NAME),
    st.sampled_from([MatchOp.EQUAL, MatchOp.NOT_EQUAL]),
    texts,
) | st.builds(
    Matcher,
    st.just("a"),
    st.sampled_from([MatchOp.REGEX, MatchOp.NOT_REGEX]),
    st.sampled_from(["", ".*", "a|b", r"\d+", '"']),
)


def _in_order(found):
    return tuple(sorted(found, key=matcher_text))


def _selects(selector):
    return bool(selector.name) or not all(matcher.matches(b"") for matcher in selector.matchers)


@st.composite
def vector_selectors(draw):
    modifier = draw(st.sampled_from(["", "", "anchored", "smoothed"]))
    return draw(
        st.builds(
            VectorSelector,
            metric_names | st.just(""),
            st.lists(matchers, max_size=3).map(_in_order),
            offsets,
            ats,
            st.just(modifier == "anchored"),
            st.just(modifier == "smoothed"),
        ).filter(_selects)
    )


def _enclosed(expr):
    return Paren(expr) if isinstance(expr, Binary | Unary | NumberLiteral) else expr


def _signed(children):
    return st.builds(Unary, st.sampled_from(UnaryOp), children.map(_enclosed))


_ARITHMETIC = [op for op in BinaryOp if not op.is_set and not op.is_comparison]
_COMPARISONS = [op for op in BinaryOp if op.is_comparison]
_SETS = [op for op in BinaryOp if op.is_set]
labels = st.lists(label_names, max_size=2).map(tuple)


@st.composite
def matchings(draw, cards):
    card, on = draw(st.sampled_from(cards)), draw(st.booleans())
    found = draw(labels)
    grouped = card in (Card.MANY_TO_ONE, Card.ONE_TO_MANY)
    include = draw(labels) if grouped else ()
    if on:
        include = tuple(name for name in include if name not in found)
    fills = st.none() | numbers if card is not Card.MANY_TO_MANY else st.none()
    return Matching(card, found, on, include, draw(fills), draw(fills))


_ONE_TO_ONE = [Card.ONE_TO_ONE, Card.MANY_TO_ONE, Card.ONE_TO_MANY]


@st.composite
def _between_vectors(draw, vectors):
    op = draw(st.sampled_from(BinaryOp))
    matching = draw(matchings([Card.MANY_TO_MANY] if op.is_set else _ONE_TO_ONE))
    sides = [_enclosed(draw(vectors)) for _ in range(2)]
    return Binary(op, *sides, op.is_comparison and draw(st.booleans()), matching)


@st.composite
def _with_scalar(draw, left, right, always_bool):
    op = draw(st.sampled_from(_ARITHMETIC + _COMPARISONS))
    return_bool = op.is_comparison and (always_bool or draw(st.booleans()))
    return Binary(op, _enclosed(draw(left)), _enclosed(draw(right)), return_bool)


def _calls(function, of_type):
    def named(count):
        kinds = [function.args[min(number, len(function.args) - 1)] for number in range(count)]
        given = [of_type[kind] for kind in kinds]
        if function.name == "info" and count > 1:
            given[1] = st.lists(matchers, max_size=2).map(lambda found: VectorSelector("", _in_order(found)))
        return st.tuples(*given).map(lambda args: Call(function.name, args))

    most = function.least + 2 if function.most is None else min(function.most, function.least + 2)
    return st.integers(function.least, most).flatmap(named)


def _returning(kind, of_type):
    functions = [function for function in FUNCTIONS.values() if function.returns is kind]
    return st.sampled_from(functions).flatmap(lambda function: _calls(function, of_type))


@st.composite
def _aggregates(draw, of_type):
    op = draw(st.sampled_from(AggregateOp))
    kind = ValueType.STRING if op is AggregateOp.COUNT_VALUES else ValueType.SCALAR
    param = draw(of_type[kind]) if op.has_param else None
    return Aggregate(op, draw(of_type[ValueType.VECTOR]), param, draw(labels), draw(st.booleans()))


def _expressions():
    strings = st.builds(StringLiteral, texts)
    of_type = {ValueType.STRING: strings}
    of_type[ValueType.SCALAR] = st.deferred(lambda: scalars)
    of_type[ValueType.VECTOR] = st.deferred(lambda: vectors)
    of_type[ValueType.MATRIX] = st.deferred(lambda: matrices)
    inner, scalar = of_type[ValueType.VECTOR], of_type[ValueType.SCALAR]
    vectors = (
        vector_selectors()
        | inner.map(Paren)
        | _signed(inner)
        | _between_vectors(inner)
        | _with_scalar(inner, scalar, False)
        | _with_scalar(scalar, inner, False)
        | _aggregates(of_type)
        | _returning(ValueType.VECTOR, of_type)
    )
    scalars = (
        numbers
        | scalar.map(Paren)
        | _signed(scalar)
        | _with_scalar(scalar, scalar, True)
        | _returning(ValueType.SCALAR, of_type)
    )
    plain = vector_selectors()
    matrices = st.builds(MatrixSelector, plain, ranges) | st.builds(
        Subquery, inner.map(_enclosed), ranges, st.none() | ranges, offsets, ats
    )
    return vectors | scalars | matrices | strings


expressions = _expressions()
