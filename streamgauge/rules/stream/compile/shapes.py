"""Expressions that are alike but for their selectors and literal numbers, so that they can be evaluated together.

They are evaluated on the series of all of them at once, to each of which a hidden label gives the number of its
expression. That is right where every operation keeps series of different hidden labels apart, and gives each what
it would give it alone: only such operations are named here.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from streamgauge.promql.engine.selection import milliseconds
from streamgauge.promql.functions.vector_functions import MATH
from streamgauge.promql.plan.placement import Lane, Placements
from streamgauge.promql.syntax.ast import (
    Aggregate,
    AggregateOp,
    Binary,
    Call,
    Expr,
    MatrixSelector,
    NumberLiteral,
    Paren,
    Unary,
    VectorSelector,
    bare,
)
from streamgauge.promql.syntax.functions_table import FUNCTIONS, ValueType
from streamgauge.rules.stream.compile.reach import Conditions

HIDDEN = "\udcff"
"""The hidden label. No text that is read from bytes has it."""
_APART = frozenset(
    {
        *(AggregateOp.SUM, AggregateOp.AVG, AggregateOp.COUNT, AggregateOp.MIN, AggregateOp.MAX),
        *(AggregateOp.GROUP, AggregateOp.STDDEV, AggregateOp.STDVAR),
    }
)
_OF_VALUES = frozenset({*MATH, "clamp", "clamp_max", "clamp_min", "round"})
# one gives series where there are none, the other 1 for whatever there is
_NOT_BY_WINDOWS = frozenset({"absent_over_time", "present_over_time"})


@dataclass(frozen=True, slots=True)
class Leaf:
    """What is read of series: their values, or a function of their windows, each series for itself.

    function: "" for values. width: of the window in ms. numbers: the function's other arguments, as `float.hex` writes
    them, so that two are equal if they are to the bit.
    """

    function: str
    width: int
    offset: int
    numbers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """An expression taken apart.

    key: equal for those that are alike. expression: heeds the hidden label. leaves: what is read, by the `id` of the
    node of `expression`, in the order of the text. selected: what each leaf selects. slots: the number of the literal
    in each operation that has one, by its `id`. numbers: the literals.
    """

    key: Hashable
    expression: Expr
    leaves: Mapping[int, Leaf]
    selected: Sequence[Conditions]
    slots: Mapping[int, int]
    numbers: Sequence[float]


class _NoShape(Exception):
    pass


def shape_of(expression: Expr) -> Shape | None:
    """How an expression is taken apart, or None if it is to be evaluated alone."""
    if expression.type is not ValueType.VECTOR:
        return None
    parts = _Parts()
    try:
        key, found = parts.take(expression)
    except (_NoShape, RecursionError):
        return None
    return Shape(key, found, parts.leaves, parts.selected, parts.slots, parts.numbers)


@dataclass(slots=True)
class _Parts:
    leaves: dict[int, Leaf] = field(default_factory=dict)
    selected: list[Conditions] = field(default_factory=list)
    slots: dict[int, int] = field(default_factory=dict)
    numbers: list[float] = field(default_factory=list)

    def take(self, node: Expr) -> tuple[Hashable, Expr]:
        """A key and the expression that heeds the hidden label. :raises _NoShape: if there is none."""
        match node:
            case VectorSelector():
                return self._leaf(node, Leaf("", 0, milliseconds(node.offset)), node)
            case Paren():
                return self.take(node.expr)
            case Unary():
                key, inner = self.take(node.expr)
                return ("sign", node.op, key), replace(node, expr=inner)
            case Binary():
                return self._binary(node)
            case Aggregate() if node.op in _APART and HIDDEN not in node.grouping:
                key, inner = self.take(node.expr)
                grouping = node.grouping if node.without else (*node.grouping, HIDDEN)
                return ("aggregate", node.op, node.without, node.grouping, key), replace(
                    node, expr=inner, grouping=grouping
                )
            case Call():
                return self._call(node)
        raise _NoShape

    def _leaf(self, node: Expr, leaf: Leaf, selector: VectorSelector) -> tuple[Hashable, Expr]:
        if selector.at is not None or selector.anchored or selector.smoothed:
            raise _NoShape
        self.leaves[id(node)] = leaf
        self.selected.append(selector.conditions)
        place = Placements(selector, metadata_labels=False)[selector]
        return ("leaf", leaf, isinstance(place, Lane) and place.unique), node

    def _binary(self, node: Binary) -> tuple[Hashable, Expr]:
        if node.matching is not None:
            return self._between_vectors(node)
        number_is_left = node.lhs.type is ValueType.SCALAR
        number = _number(node.lhs if number_is_left else node.rhs)
        key, inner = self.take(node.rhs if number_is_left else node.lhs)
        found = replace(node, rhs=inner) if number_is_left else replace(node, lhs=inner)
        self.slots[id(found)] = len(self.numbers)
        self.numbers.append(number)
        return ("number", node.op, node.return_bool, number_is_left, key), found

    def _between_vectors(self, node: Binary) -> tuple[Hashable, Expr]:
        matching = node.matching
        if matching is None or matching.fill_left is not None or matching.fill_right is not None:
            raise _NoShape
        if HIDDEN in (*matching.labels, *matching.include):
            raise _NoShape
        left_key, left = self.take(node.lhs)
        right_key, right = self.take(node.rhs)
        own = replace(matching, labels=(*matching.labels, HIDDEN)) if matching.on else matching
        key = ("vectors", node.op, node.return_bool, matching, left_key, right_key)
        return key, replace(node, lhs=left, rhs=right, matching=own)

    def _call(self, node: Call) -> tuple[Hashable, Expr]:
        name = node.function
        ranged = [one for one in map(bare, node.args) if isinstance(one, MatrixSelector)]
        if ranged and name not in _NOT_BY_WINDOWS:
            numbers = tuple(
                _number(one).hex() for one in node.args if not isinstance(bare(one), MatrixSelector)
            )
            [window] = ranged
            leaf = Leaf(name, milliseconds(window.range), milliseconds(window.selector.offset), numbers)
            return self._leaf(node, leaf, window.selector)
        if name not in _OF_VALUES and name != "histogram_quantile":
            raise _NoShape
        numbers = tuple(_number(one).hex() for one in node.args if one.type is not ValueType.VECTOR)
        [vector] = [one for one in node.args if one.type is ValueType.VECTOR]
        key, inner = self.take(vector)
        args = tuple(inner if one is vector else one for one in node.args)
        return ("call", name, len(FUNCTIONS[name].args), numbers, key), replace(node, args=args)


def _number(node: Expr) -> float:
    found = bare(node)
    if not isinstance(found, NumberLiteral):
        raise _NoShape
    return found.value
