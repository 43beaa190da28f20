"""Where parts of an expression can be evaluated: in each lane on its own, or only where all series are.

A lane holds all series whose labels but the name are equal, whatever their names.
"""

from dataclasses import dataclass, replace
from typing import TypeAlias

from streamgauge.promql.functions.range_functions import KEEP_NAME
from streamgauge.promql.functions.vector_functions import MATH
from streamgauge.promql.syntax.ast import (
    Aggregate,
    AggregateOp,
    Binary,
    BinaryOp,
    Call,
    Card,
    Expr,
    MatrixSelector,
    NumberLiteral,
    Paren,
    StringLiteral,
    Subquery,
    Unary,
    UnaryOp,
    VectorSelector,
    children,
)
from streamgauge.promql.syntax.functions_table import CALENDAR, FUNCTIONS, ValueType
from streamgauge.series.labels import NAME
from streamgauge.series.matchers import MatchOp

_VALUE_BY_VALUE = frozenset({*MATH, *CALENDAR, "clamp_max", "clamp_min", "round", "timestamp"})
_RELABELLING = frozenset({"label_join", "label_replace"})


@dataclass(frozen=True, slots=True)
class Nowhere:
    """It takes no series at all: numbers, strings, times."""


@dataclass(frozen=True, slots=True)
class Lane:
    """In each lane.

    aligned: series of different lanes still differ in more than their names, so that nothing in one lane has to
    do with another. What is not aligned may have series in two lanes that are one, so it may lead through what
    changes neither labels nor presence, but not further, before all are together.
    unique: at any step the series of one lane differ in more than their names.
    strict: two such series are refused even if they have no step in common.
    """

    aligned: bool = True
    unique: bool = False
    strict: bool = False


@dataclass(frozen=True, slots=True)
class Centre:
    """Where all series are."""


Placement: TypeAlias = Nowhere | Lane | Centre
NOWHERE, CENTRE = Nowhere(), Centre()


class Placements:
    """The place of every node of an expression.

    :param metadata_labels: whether series may have the labels __type__ and __unit__, which functions drop, but
        which count when a series is given its lane.
    """

    def __init__(self, expression: Expr, metadata_labels: bool) -> None:
        self._metadata_labels = metadata_labels
        self._found: dict[int, Placement] = {}
        self._expression = expression
        self._visit(expression)

    def __getitem__(self, node: Expr) -> Placement:
        return self._found[id(node)]

    def _visit(self, node: Expr) -> Placement:
        below = [self._visit(child) for child in children(node)]
        found = NOWHERE if self._is_constant(node, below) else self._of(node)
        self._found[id(node)] = found
        return found

    def _is_constant(self, node: Expr, below: list[Placement]) -> bool:
        if isinstance(node, VectorSelector | MatrixSelector):
            return False
        return all(place == NOWHERE for place in below)

    def _of(self, node: Expr) -> Placement:
        match node:
            case VectorSelector():
                return Lane(unique=_has_one_name(node))
            case MatrixSelector():
                return self[node.selector]
            case Paren():
                return self[node.expr]
            case Subquery():
                place = self._if_aligned(node.expr)
                # series that have no step in common meet in a window
                return replace(place, unique=False) if isinstance(place, Lane) else place
            case Unary():
                return self[node.expr] if node.op is UnaryOp.PLUS else self._value_by_value(node.expr)
            case Aggregate():
                return self._aggregate(node)
            case Binary():
                return self._binary(node)
            case Call():
                return self._call(node)
            case NumberLiteral() | StringLiteral():
                return NOWHERE

    def _if_aligned(self, node: Expr) -> Placement:
        place = self[node]
        return place if isinstance(place, Lane) and place.aligned else CENTRE

    def _value_by_value(self, node: Expr) -> Placement:
        """What drops the name, but changes neither other labels nor presence."""
        place = self[node]
        if not isinstance(place, Lane):
            return CENTRE
        return replace(place, aligned=place.aligned and not self._metadata_labels, unique=True)

    def _aggregate(self, node: Aggregate) -> Placement:
        # takes each series or not, by the hash of its labels
        if node.op is AggregateOp.LIMIT_RATIO and node.param is not None and self[node.param] == NOWHERE:
            return self._if_aligned(node.expr)
        return CENTRE

    def _binary(self, node: Binary) -> Placement:
        if node.matching is not None:
            return self._between_vectors(node)
        sides = [self[node.lhs], self[node.rhs]]
        if NOWHERE not in sides or ValueType.SCALAR not in (node.lhs.type, node.rhs.type):
            return CENTRE
        vector = node.rhs if sides[0] == NOWHERE else node.lhs
        if node.op.is_comparison and not node.return_bool:
            return self._if_aligned(vector)
        return self._value_by_value(vector)

    def _between_vectors(self, node: Binary) -> Placement:
        left, right = self._if_aligned(node.lhs), self._if_aligned(node.rhs)
        matching = node.matching
        if not isinstance(left, Lane) or not isinstance(right, Lane) or matching is None:
            return CENTRE
        # which are no labels to match on
        if self._metadata_labels:
            return CENTRE
        if matching.on or matching.labels or matching.card not in (Card.ONE_TO_ONE, Card.MANY_TO_MANY):
            return CENTRE
        if node.op.is_set:
            return Lane(unique=left.unique and (right.unique or node.op is not BinaryOp.OR))
        # several series that match are an error only at steps at which the other side has any series in any lane
        if not (left.unique and right.unique):
            return CENTRE
        return Lane(unique=True)

    def _call(self, node: Call) -> Placement:
        name = node.function
        places = [self[argument] for argument in node.args]
        varying = [at for at, place in enumerate(places) if place != NOWHERE]
        if len(varying) != 1 or FUNCTIONS[name].returns is ValueType.SCALAR or name == "absent_over_time":
            return CENTRE
        argument = node.args[varying[0]]
        place = places[varying[0]]
        if argument.type is ValueType.MATRIX and isinstance(place, Lane):
            if name in KEEP_NAME:
                return place
            return Lane(not self._metadata_labels, unique=True, strict=self._metadata_labels)
        if name in _VALUE_BY_VALUE:
            return self._value_by_value(argument)
        if name == "clamp":
            aligned = self._if_aligned(argument)
            return self._value_by_value(argument) if isinstance(aligned, Lane) else CENTRE
        if name in _RELABELLING and isinstance(place, Lane) and not place.strict:
            return Lane(aligned=False)
        return CENTRE


def _has_one_name(node: VectorSelector) -> bool:
    return bool(node.name) or any(
        matcher.name == NAME and matcher.op is MatchOp.EQUAL and matcher.value for matcher in node.matchers
    )
