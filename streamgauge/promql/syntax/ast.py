"""The tree of PromQL expressions: operators and their precedence, nodes, and ways through the tree.

Every node is immutable and knows its `span`, which takes no part in equality and hashes. Times and
durations are whole milliseconds. A duration that has to be computed (`[step() * 2]`) is an expression of
its own: `durations.resolve` replaces all of them once a query's step and range are known.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, TypeAlias

from streamgauge.promql.syntax.functions_table import FUNCTIONS, ValueType
from streamgauge.series.labels import NAME
from streamgauge.series.matchers import Matcher, MatchOp


class AtBoundary(StrEnum):
    """The time of `@ start()` and `@ end()`: that of the first or last step of the query."""

    START = "start"
    END = "end"


class AggregateOp(StrEnum):
    """An aggregation over series."""

    AVG = "avg"
    BOTTOMK = "bottomk"
    COUNT = "count"
    COUNT_VALUES = "count_values"
    GROUP = "group"
    LIMITK = "limitk"
    LIMIT_RATIO = "limit_ratio"
    MAX = "max"
    MIN = "min"
    QUANTILE = "quantile"
    STDDEV = "stddev"
    STDVAR = "stdvar"
    SUM = "sum"
    TOPK = "topk"

    @property
    def has_param(self) -> bool:
        """Whether the expression has a parameter in front."""
        return self in _WITH_PARAM


_WITH_PARAM = frozenset(
    {
        AggregateOp.BOTTOMK,
        AggregateOp.COUNT_VALUES,
        AggregateOp.LIMITK,
        AggregateOp.LIMIT_RATIO,
        AggregateOp.QUANTILE,
        AggregateOp.TOPK,
    }
)


class BinaryOp(StrEnum):
    """An operator between two expressions. The two trims act on native histograms only."""

    ADD = "+"
    SUB = "-"
    MUL = "*"
    DIV = "/"
    MOD = "%"
    POW = "^"
    ATAN2 = "atan2"
    EQUAL = "=="
    NOT_EQUAL = "!="
    GREATER = ">"
    LESS = "<"
    GREATER_EQUAL = ">="
    LESS_EQUAL = "<="
    AND = "and"
    OR = "or"
    UNLESS = "unless"
    TRIM_UPPER = "</"
    TRIM_LOWER = ">/"

    @property
    def is_comparison(self) -> bool:
        """Whether it filters, or gives 0 and 1 with `bool`."""
        return self in _COMPARISONS

    @property
    def is_set(self) -> bool:
        """Whether it works on sets of series."""
        return self in _SETS


_COMPARISONS = frozenset(
    {
        BinaryOp.EQUAL,
        BinaryOp.NOT_EQUAL,
        BinaryOp.GREATER,
        BinaryOp.LESS,
        BinaryOp.GREATER_EQUAL,
        BinaryOp.LESS_EQUAL,
    }
)
_SETS = frozenset({BinaryOp.AND, BinaryOp.OR, BinaryOp.UNLESS})


class UnaryOp(StrEnum):
    """A sign."""

    PLUS = "+"
    MINUS = "-"


class DurationOp(StrEnum):
    """An operator of duration expressions; the values are their text."""

    ADD = "+"
    SUB = "-"
    MUL = "*"
    DIV = "/"
    MOD = "%"
    POW = "^"
    MAX_OF = "max_of"
    MIN_OF = "min_of"


class DurationTerm(StrEnum):
    """A term that the query's parameters give."""

    STEP = "step"
    RANGE = "range"


class Card(StrEnum):
    """How many series of each side a match may have."""

    ONE_TO_ONE = "one-to-one"
    MANY_TO_ONE = "many-to-one"
    ONE_TO_MANY = "one-to-many"
    MANY_TO_MANY = "many-to-many"


LEVELS = {
    BinaryOp.OR: 1,
    BinaryOp.AND: 2,
    BinaryOp.UNLESS: 2,
    BinaryOp.EQUAL: 3,
    BinaryOp.NOT_EQUAL: 3,
    BinaryOp.GREATER: 3,
    BinaryOp.LESS: 3,
    BinaryOp.GREATER_EQUAL: 3,
    BinaryOp.LESS_EQUAL: 3,
    BinaryOp.TRIM_UPPER: 3,
    BinaryOp.TRIM_LOWER: 3,
    BinaryOp.ADD: 4,
    BinaryOp.SUB: 4,
    BinaryOp.MUL: 5,
    BinaryOp.DIV: 5,
    BinaryOp.MOD: 5,
    BinaryOp.ATAN2: 5,
    BinaryOp.POW: 6,
}
# the only level that associates to the right; a sign before an operand lets it alone bind first
POWER = LEVELS[BinaryOp.POW]


class Span(NamedTuple):
    """Where a node stands in its query, in characters: [start, end)."""

    start: int
    end: int


NOWHERE = Span(0, 0)


def span_field() -> Span:
    """The field of a node for its place, which does not count when nodes are compared."""
    span: Span = field(default=NOWHERE, compare=False, kw_only=True)
    return span


@dataclass(frozen=True, slots=True, eq=False)
class NumberLiteral:
    """A number; `is_duration` if it was written as a duration, whose seconds it is.

    Two are equal if they are the same number to the bit, so NaN equals itself, and -0 is not 0.
    """

    value: float
    is_duration: bool = False
    span: Span = NOWHERE

    @property
    def type(self) -> ValueType:
        """Scalar."""
        return ValueType.SCALAR

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NumberLiteral) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[str, bool]:
        return float(self.value).hex(), self.is_duration


@dataclass(frozen=True, slots=True)
class DurationLeaf:
    """`step()` or `range()` in a duration expression."""

    term: DurationTerm
    span: Span = span_field()


@dataclass(frozen=True, slots=True)
class DurationUnary:
    """A duration expression with a minus in front. `operand` is never a number: that would carry the sign."""

    operand: "DurationExpr"
    span: Span = span_field()


@dataclass(frozen=True, slots=True)
class DurationBinary:
    """Arithmetic of durations; numbers in it are seconds."""

    op: DurationOp
    lhs: "DurationExpr"
    rhs: "DurationExpr"
    span: Span = span_field()


DurationExpr: TypeAlias = NumberLiteral | DurationLeaf | DurationUnary | DurationBinary
# milliseconds if it stands in the query as a plain number, which no NumberLiteral at the top ever is
Duration: TypeAlias = int | DurationLeaf | DurationUnary | DurationBinary


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


def children(expr: Expr) -> tuple[Expr, ...]:
    """The expressions right below one, in the order in which they stand in the query."""
    match expr:
        case Binary():
            return expr.lhs, expr.rhs
        case Call():
            return expr.args
        case Aggregate():
            return (expr.expr,) if expr.param is None else (expr.param, expr.expr)
        case Paren() | Unary() | Subquery():
            return (expr.expr,)
        case MatrixSelector():
            return (expr.selector,)
        case _:
            return ()


def bare(expr: Expr) -> Expr:
    """What stands in parentheses, or the expression itself."""
    while isinstance(expr, Paren):
        expr = expr.expr
    return expr


def walk(expr: Expr) -> Iterator[Expr]:
    """The expression and all below it, parents first."""
    waiting = [expr]
    while waiting:
        found = waiting.pop()
        yield found
        waiting.extend(reversed(children(found)))


def depth(expr: Expr) -> int:
    """How many expressions lie within each other at most."""
    level, levels = [expr], 0
    while level:
        level = [child for parent in level for child in children(parent)]
        levels += 1
    return levels
