"""Results cut into pieces, and put together again with their infos."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from streamgauge.promql.data.annotations import COUNTER_SUFFIXES, Remark
from streamgauge.promql.data.labels import LabelTable, concat
from streamgauge.promql.data.query import Limits
from streamgauge.promql.data.vectors import Mask, Values, Vector
from streamgauge.promql.engine.evaluator import Value
from streamgauge.promql.syntax.ast import NOWHERE, Call, Expr, MatrixSelector, Span, bare, walk
from streamgauge.series.matchers import names_of


class Note(NamedTuple):
    """An info, and the number of the part of the expression that it is about, -1 for none."""

    text: str
    place: int


class Piece(NamedTuple):
    """The result at some steps.

    labels: of the series, None for a scalar, which is one row. values: (series, steps) float64. present: (series,
    steps) bool. notes: the infos about it, in their order.
    """

    labels: LabelTable | None
    values: Values
    present: Mask
    notes: tuple[Note, ...] = ()

    @property
    def points(self) -> int:
        """How many values there are."""
        return int(self.present.sum())

    def steps(self, first: int, count: int) -> "Piece":
        """Some of the steps, with the series that have a value there."""
        chosen = slice(first, first + count)
        values, present = self.values[:, chosen], self.present[:, chosen]
        if self.labels is None:
            return Piece(None, values, present, self.notes)
        rows = present.any(axis=1)
        if rows.all():
            return Piece(self.labels, values, present, self.notes)
        return Piece(self.labels.take(rows), values[rows], present[rows], self.notes)


def piece_of(value: Value, notes: tuple[Note, ...] = ()) -> Piece:
    """The whole result of a range query.

    :raises TypeError: for a value that no range query has.
    """
    if isinstance(value, Vector):
        return Piece(value.labels, value.values, value.present, notes)
    if not isinstance(value, np.ndarray):
        raise TypeError("a range query gives scalars and vectors only")
    return Piece(None, value[None, :], np.ones((1, len(value)), bool), notes)


def joined(pieces: Sequence[Piece], limits: Limits) -> Value:
    """The result whose steps are those of the pieces, at least one, in their order.

    :raises InvalidQuery: if there are too many values.
    """
    tables = [piece.labels for piece in pieces if piece.labels is not None]
    if not tables:
        scalar: Values = np.concatenate([piece.values[0] for piece in pieces])
        return scalar
    # a table without series has no labels that could be put together with others'
    held = [table for table in tables if table.count]
    steps = sum(piece.values.shape[1] for piece in pieces)
    if not held:
        return Vector(LabelTable(0, {}), np.zeros((0, steps)), np.zeros((0, steps), bool))
    labels = concat(held)
    codes, first = labels.groups()
    limits.settle(0, sum(piece.values.nbytes + piece.present.nbytes for piece in pieces))
    limits.check_size(len(first), steps)
    values, present = np.zeros((len(first), steps)), np.zeros((len(first), steps), bool)
    row = column = 0
    for piece in pieces:
        series, width = piece.values.shape
        own = codes[row : row + series]
        values[own, column : column + width] = piece.values
        present[own, column : column + width] = piece.present
        row, column = row + series, column + width
    found = Vector(labels.take(first), values, present)
    rows = found.labels.order()
    return found if (rows == np.arange(len(rows))).all() else found.take(rows)


def notes_of(remarks: Sequence[Remark], expression: Expr) -> tuple[Note, ...] | None:
    """Remarks by what they are about, which has another place in another text; None if that is no part of it."""
    places: dict[Span, int] = {NOWHERE: -1}
    for number, node in enumerate(walk(expression)):
        places.setdefault(node.span, number)
    found = [(remark.text, places.get(Span(remark.start, remark.end))) for remark in remarks]
    notes = tuple(Note(text, place) for text, place in found if place is not None)
    return notes if len(notes) == len(found) else None


def span_of(note: Note, expression: Expr) -> Span:
    """Where what a note is about stands in the text of the expression."""
    spans = (node.span for number, node in enumerate(walk(expression)) if number == note.place)
    return next(spans, NOWHERE)


Notes = tuple[Note, ...]


def may_inform(expression: Expr) -> bool:
    """Whether there may be infos that name metrics: which ones depends on the series that have values at the steps."""
    return any(
        isinstance(node, Call) and node.function in ("rate", "increase") and not _is_counter(node.args[0])
        for node in walk(expression)
    )


def _is_counter(argument: Expr) -> bool:
    ranged = bare(argument)
    if not isinstance(ranged, MatrixSelector):
        return False
    names = names_of(ranged.selector.conditions)
    return bool(names) and all(name.endswith(COUNTER_SUFFIXES) for name in names)


def together(whole: Iterable[Notes], cut: Iterable[Notes]) -> Notes | None:
    """The infos about all parts; None if that cannot be told from those about each.

    Parts that have the same infos, or none, have them in the order in which the whole would. What is about a part of
    which only some steps were asked for may be about the others.

    :param whole: of the parts of which all steps were asked for. :param cut: of the others.
    """
    certain = {notes for notes in whole if notes}
    possible = {notes for notes in cut if notes}
    if len(certain) > 1 or not possible <= certain:
        return None
    return certain.pop() if certain else ()
