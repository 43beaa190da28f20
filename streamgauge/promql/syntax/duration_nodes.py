"""The part of PromQL's tree that durations and numbers are made of, and the place of every node."""

from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from streamgauge.promql.syntax.value_type import ValueType
from streamgauge.promql.syntax.words import DurationOp, DurationTerm


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
