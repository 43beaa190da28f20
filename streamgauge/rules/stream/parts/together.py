"""Evaluates the expressions of a family at once: each takes its own literals, by the hidden label."""

from collections.abc import Mapping, Sequence

import numpy as np

from streamgauge.promql.data.annotations import Annotations
from streamgauge.promql.data.labels import Codes, Column, LabelTable
from streamgauge.promql.data.query import Grid, Limits, Query, Source
from streamgauge.promql.data.vectors import Values, Vector
from streamgauge.promql.engine.evaluator import Evaluator, Known, Value
from streamgauge.promql.functions.arithmetic import vector_and_scalar
from streamgauge.promql.syntax.ast import Binary
from streamgauge.rules.stream.compile.shapes import HIDDEN, Shape


class Numbered(Sequence[str]):
    """The values of a hidden label: "" and the numbers from 0 on, so that the code of each is one more."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count + 1

    def __getitem__(self, at: int) -> str:  # type: ignore[override]
        if not 0 <= at <= self._count:
            raise IndexError(at)
        return str(at - 1) if at else ""


def hidden_column(numbers: Codes, count: int) -> Column:
    """The hidden label of series whose expressions have these numbers, of `count` expressions."""
    return Column(numbers + 1, Numbered(count))


def numbers_of(labels: LabelTable) -> Codes:
    """The number of the expression of each series."""
    found: Codes | None = labels.made.get(HIDDEN)
    if not labels.count:
        return np.zeros(0, np.int64)
    if found is None:
        codes, values = labels.columns[HIDDEN]
        if isinstance(values, Numbered):
            found = codes - 1
        else:
            found = np.array([int(value or "-1") for value in values], np.int64)[codes]
        labels.made[HIDDEN] = found
    return found


class Together(Evaluator):
    """An evaluator of a shape's expression for all of a family.

    :param numbers: the literals of each expression, (expressions, literals).
    """

    def __init__(
        self,
        shape: Shape,
        numbers: Values,
        query: Query,
        source: Source,
        limits: Limits,
        annotations: Annotations,
        known: Mapping[tuple[int, Grid], Known],
    ) -> None:
        super().__init__(query, source, limits, annotations, known)
        self._shape = shape
        self._numbers = numbers

    def _operated(self, node: Binary, left: Value, right: Value) -> Value:
        slot = self._shape.slots.get(id(node))
        if slot is None:
            return super()._operated(node, left, right)
        swapped = not isinstance(left, Vector)
        vector = right if swapped else left
        if not isinstance(vector, Vector):
            raise TypeError(f"a literal and {type(vector)}")
        if not vector.labels.count:
            return vector if node.op.is_comparison and not node.return_bool else vector.without_metadata()
        own = self._numbers[numbers_of(vector.labels), slot][:, None]
        return vector_and_scalar(node.op, vector, own, swapped, node.return_bool)
