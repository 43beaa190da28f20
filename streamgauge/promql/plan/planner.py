"""Planning: which parts of an expression lanes evaluate on their own, and what they ship to be merged.

A lane holds all series whose labels but the name are equal. `lanes` executes a plan.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from streamgauge.promql.data.query import Grid, Query
from streamgauge.promql.engine.evaluator import subquery_grid
from streamgauge.promql.engine.invariance import invariant_parts
from streamgauge.promql.engine.selection import window_ends
from streamgauge.promql.plan.placement import NOWHERE, Lane, Placements
from streamgauge.promql.syntax.ast import (
    Aggregate,
    AggregateOp,
    Call,
    Expr,
    MatrixSelector,
    Subquery,
    bare,
    children,
)
from streamgauge.promql.syntax.functions_table import ValueType

_OVER_RANGE = "absent_over_time"


class Ships(StrEnum):
    """What a lane gives of a part."""

    SERIES = "series"
    SAMPLES = "samples"
    PARTIALS = "partials"
    PRESENCE = "presence"


@dataclass(frozen=True, slots=True)
class Piece:
    """A part whose value at the centre is merged from what each lane ships.

    node: the part. lane: what a lane evaluates for it, the part itself or what is below it. place: of `lane`.
    """

    node: Expr
    ships: Ships
    lane: Expr
    place: Lane


class Task(NamedTuple):
    """A piece at some steps. heeds_boundaries: whether @ start() and @ end() are not overlooked there."""

    piece: Piece
    grid: Grid
    heeds_boundaries: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """An expression and its pieces, which are nodes of it.

    metadata_labels: whether it holds for series with the labels __type__ and __unit__ too.
    """

    expression: Expr
    pieces: tuple[Piece, ...]
    metadata_labels: bool

    def tasks(self, query: Query) -> Iterator[Task]:
        """Every piece with the steps at which it is needed: those of the query, the first of them, or a subquery's."""
        pieces = {id(piece.node): piece for piece in self.pieces}
        invariant = invariant_parts(self.expression)
        waiting = [(self.expression, query.grid, True)]
        while waiting:
            node, grid, heeds = waiting.pop()
            if id(node) in invariant and not grid.is_instant:
                grid = grid.first
            if id(node) in pieces:
                yield Task(pieces[id(node)], grid, heeds)
                continue
            below = grid
            if isinstance(node, Subquery):
                below = subquery_grid(node, window_ends(node.at, node.offset, grid, query, heeds), query)
            if below.count:
                in_param = node.param if isinstance(node, Aggregate) else None
                waiting.extend(
                    (child, below, heeds and child is not in_param) for child in reversed(children(node))
                )


def plan(expression: Expr, metadata_labels: bool = False) -> Plan:
    """The plan of an expression whose durations are resolved.

    :param metadata_labels: whether series may have the labels __type__ and __unit__. Nearly none have, and less
        can be done in lanes if they may: functions drop them, but they count when a series is given its lane.
    """
    places = Placements(expression, metadata_labels)
    return Plan(expression, tuple(_pieces(expression, places)), metadata_labels)


def _pieces(node: Expr, places: Placements) -> Iterator[Piece]:
    node = bare(node)
    place = places[node]
    if place == NOWHERE:
        return
    if isinstance(place, Lane):
        ships = Ships.SAMPLES if node.type is ValueType.MATRIX else Ships.SERIES
        yield Piece(node, ships, node, place)
        return
    piece = None
    if isinstance(node, Aggregate):
        piece = _aggregation(node, places)
    elif isinstance(node, Call) and node.function in ("absent", _OVER_RANGE):
        piece = _absence(node, places)
    if piece is not None:
        yield piece
        return
    for child in children(node):
        yield from _pieces(child, places)


def _aggregation(node: Aggregate, places: Placements) -> Piece | None:
    place = places[node.expr]
    constant = node.param is None or places[node.param] == NOWHERE
    if not isinstance(place, Lane) or not place.aligned or not constant or node.op is AggregateOp.LIMIT_RATIO:
        return None
    return Piece(node, Ships.PARTIALS, node.expr, place)


def _absence(node: Call, places: Placements) -> Piece | None:
    [argument] = node.args
    place = places[argument]
    if not isinstance(place, Lane) or not place.aligned:
        return None
    if node.function == _OVER_RANGE:
        argument = bare(argument)
        if isinstance(argument, MatrixSelector) and (
            argument.selector.anchored or argument.selector.smoothed
        ):
            return None
        argument = Call("last_over_time", (argument,), span=node.span)
    return Piece(node, Ships.PRESENCE, argument, place)
