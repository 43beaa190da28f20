"""The expressions of PromQL, as the parser gives them and the evaluator takes them.

Every node is immutable and knows its `span`, which takes no part in equality and hashes. Times and
durations are whole milliseconds. A duration that has to be computed (`[step() * 2]`) is an expression of
its own: `durations.resolve` replaces all of them once a query's step and range are known.
"""

from dataclasses import dataclass
from typing import TypeAlias

from streamgauge.promql.syntax.duration_nodes import (
    NOWHERE,
    Duration,
    DurationBinary,
    DurationExpr,
    DurationLeaf,
    DurationUnary,
    NumberLiteral,
    Span,
    span_field,
)
from streamgauge.promql.syntax.functions_table import FUNCTIONS
from streamgauge.promql.syntax.value_type import ValueType
from streamgauge.promql.syntax.words import (
    AggregateOp,
    AtBoundary,
    BinaryOp,
    Card,
    DurationOp,
    DurationTerm,
    UnaryOp,
)
from streamgauge.series.labels import NAME
from streamgauge.series.matchers import Matcher, MatchOp

__all__ = [
    "NOWHERE",
    "Aggregate",
    "AggregateOp",
    "At",
    "AtBoundary",
    "Binary",
    "BinaryOp",
    "Call",
    "Card",
    "Duration",
    "DurationBinary",
    "DurationExpr",
    "DurationLeaf",
    "DurationOp",
    "DurationTerm",
    "DurationUnary",
    "Expr",
    "Matching",
    "MatrixSelector",
    "NumberLiteral",
    "Paren",
    "Span",
    "StringLiteral",
    "Subquery",
    "Unary",
    "UnaryOp",
    "ValueType",
    "VectorSelector",
]


At: TypeAlias = int | AtBoundary


@dataclass(frozen=True, slots=True)
class StringLiteral:
    """A string, its escapes resolved."""

    value: str
    span: Span = span_field()

    @property
    def type(self) -> ValueType:
        """String."""
        return ValueType.STRING


@dataclass(frozen=True, slots=True)
class VectorSelector:
    """The series that fulfil all `conditions`, at `at` or the step, `offset` earlier.

    `name` stands before the braces, "" if there is none; `matchers` stand in them.
    """

    name: str
    matchers: tuple[Matcher, ...] = ()
    offset: Duration = 0
    at: At | None = None
    anchored: bool = False
    smoothed: bool = False
    span: Span = span_field()

    @property
    def type(self) -> ValueType:
        """Vector."""
        return ValueType.VECTOR

    @property
    def conditions(self) -> tuple[Matcher, ...]:
        """All conditions, that of the metric name included."""
        if not self.name:
            return self.matchers
        return (Matcher(NAME, MatchOp.EQUAL, self.name), *self.matchers)


@dataclass(frozen=True, slots=True)
class MatrixSelector:
    """The samples of a selector in (t - range, t], which its offset, @ and modifiers move."""

    selector: VectorSelector
    range: Duration
    span: Span = span_field()

    @property
    def type(self) -> ValueType:
        """Matrix."""
        return ValueType.MATRIX


@dataclass(frozen=True, slots=True)
class Subquery:
    """An expression at every multiple of `step` in (t - range, t]; with the default step if None."""

    expr: "Expr"
    range: Duration
    step: Duration | None = None
    offset: Duration = 0
    at: At | None = None
    span: Span = span_field()

    @property
    def type(self) -> ValueType:
        """Matrix."""
        return ValueType.MATRIX


@dataclass(frozen=True, slots=True)
class Call:
    """A function of `FUNCTIONS` with its arguments; left-out ones are not filled in."""

    function: str
    args: tuple["Expr", ...] = ()
    span: Span = span_field()

    @property
    def type(self) -> ValueType:
        """What the function returns."""
        return FUNCTIONS[self.function].returns


@dataclass(frozen=True, slots=True)
class Aggregate:
    """An aggregation of a vector `by` the labels of `grouping`, or by all others if `without`."""

    op: AggregateOp
    expr: "Expr"
    param: "Expr | None" = None
    grouping: tuple[str, ...] = ()
    without: bool = False
    span: Span = span_field()

    @property
    def type(self) -> ValueType:
        """Vector."""
        return ValueType.VECTOR


@dataclass(frozen=True, slots=True)
class Matching:
    """How series of two vectors find each other: equal in `labels` if `on`, else in all others.

    `include` are labels that the result takes from the one side. A fill value stands in for
    a series that its side misses.
    """

    card: Card = Card.ONE_TO_ONE
    labels: tuple[str, ...] = ()
    on: bool = False
    include: tuple[str, ...] = ()
    fill_left: NumberLiteral | None = None
    fill_right: NumberLiteral | None = None


@dataclass(frozen=True, slots=True)
class Binary:
    """Two expressions and an operator; `matching` is there exactly if both are vectors."""

    op: BinaryOp
    lhs: "Expr"
    rhs: "Expr"
    return_bool: bool = False
    matching: Matching | None = None
    span: Span = span_field()

    @property
    def type(self) -> ValueType:
        """Scalar if both sides are."""
        # without recursion into long chains: only vectors have a matching
        if self.matching is not None or self.op.is_set:
            return ValueType.VECTOR
        both = self.lhs.type is ValueType.SCALAR and self.rhs.type is ValueType.SCALAR
        return ValueType.SCALAR if both else ValueType.VECTOR


@dataclass(frozen=True, slots=True)
class Unary:
    """A sign before an expression that is no number literal: that would carry it."""

    op: UnaryOp
    expr: "Expr"
    span: Span = span_field()

    @property
    def type(self) -> ValueType:
        """That of the expression."""
        return self.expr.type


@dataclass(frozen=True, slots=True)
class Paren:
    """An expression in parentheses."""

    expr: "Expr"
    span: Span = span_field()

    @property
    def type(self) -> ValueType:
        """That of the expression."""
        return self.expr.type


Expr: TypeAlias = (
    Aggregate
    | Binary
    | Call
    | MatrixSelector
    | NumberLiteral
    | Paren
    | StringLiteral
    | Subquery
    | Unary
    | VectorSelector
)
