"""What a family of expressions gives, merged from what all shards have shipped."""

from collections import defaultdict
from collections.abc import Sequence
from functools import partial as bound

import numpy as np

from streamgauge.promql.data.faults import InvalidQuery
from streamgauge.promql.data.labels import LabelTable
from streamgauge.promql.data.query import Query
from streamgauge.promql.data.vectors import Vector
from streamgauge.promql.functions.partials import Partial
from streamgauge.promql.plan.lanes import LaneAnswer, finish
from streamgauge.rules.machine.evaluation import Point
from streamgauge.rules.stream.compile.expressions import Family
from streamgauge.rules.stream.compile.shapes import HIDDEN
from streamgauge.rules.stream.parts.label_blocks import Rows, unpacked_rows
from streamgauge.rules.stream.parts.pack import InvalidPack
from streamgauge.rules.stream.parts.partials import InvalidPartial, fits
from streamgauge.rules.stream.parts.together import Together, numbers_of
from streamgauge.rules.stream.shard.gathering import shipped


class Blocks:
    """Packed labels that were read, kept as long as every tick has them again."""

    def __init__(self) -> None:
        self._old: dict[tuple[bytes, int], LabelTable] = {}
        self._new: dict[tuple[bytes, int], LabelTable] = {}

    def turn(self) -> None:
        """A tick begins."""
        self._old, self._new = self._new, {}

    def answers(self, shards: Sequence[Sequence[Rows]], family: Family) -> list[LaneAnswer]:
        """What each shard gives for a family.

        :raises InvalidPartial: for what is none of it.
        """
        found = []
        for shard in shards:
            parts = [Partial(self._labels(rows.labels, len(family.asks)), rows.columns) for rows in shard]
            if not all(fits(part.labels.count, part.columns) for part in parts):
                raise InvalidPartial("columns that are not of their series")
            found.append(LaneAnswer(parts, [()] * len(parts), (), 0))
        return found

    def _labels(self, data: bytes, members: int) -> LabelTable:
        key = data, members
        table = self._old.get(key) or self._new.get(key)
        if table is None:
            try:
                table = unpacked_rows(data, members)
            except InvalidPack as fault:
                raise InvalidPartial(str(fault)) from None
        self._new[key] = table
        return table


class FamilyAnswers:
    """points: of each ask that gives any, by its number; None if they have to be evaluated alone, by `of`."""

    def __init__(self, family: Family, answers: Sequence[LaneAnswer]) -> None:
        self._family = family
        self._answers = answers
        self.points: dict[int, list[Point]] | None = {}

    def evaluate(self, query: Query, max_together: int) -> None:
        """Find the points, if they can be found together.

        :param max_together: how many values.
        """
        if not self._answers:
            return
        family = self._family
        if sum(map(shipped, self._answers)) > max_together:
            self.points = None
            return
        evaluators = bound(Together, family.shape, family.numbers)
        try:
            value = finish(family.plan, query, self._answers, evaluators=evaluators).value
        except InvalidQuery:
            self.points = None
            return
        if not isinstance(value, Vector):
            raise TypeError(f"a family that gives {type(value)}")
        found: dict[int, list[Point]] = defaultdict(list)
        rows = value.labels.drop({HIDDEN}).rows()
        numbers = numbers_of(value.labels).tolist() if rows else []
        for number, labels, point in zip(numbers, rows, value.values[:, 0].tolist(), strict=True):
            found[family.asks[number]].append(Point(labels, point))
        self.points = found

    def of(self, number: int) -> list[LaneAnswer]:
        """What the shards give for one member, by its number in the family."""
        found = []
        for answer in self._answers:
            parts = [_own(part, number) for part in answer.partials]
            if any(part.labels.count for part in parts):
                found.append(LaneAnswer(parts, answer.remarks, answer.series, answer.samples))
        return found


def _own(part: Partial, number: int) -> Partial:
    rows = np.flatnonzero(numbers_of(part.labels) == number)
    labels = part.labels.take(rows).drop({HIDDEN})
    return Partial(labels, {name: column[rows] for name, column in part.columns.items()})
