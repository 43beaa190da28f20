"""A family of expressions of several groups, as one shard evaluates it."""

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from streamgauge.promql.data.annotations import Annotations
from streamgauge.promql.data.labels import METADATA, LabelTable
from streamgauge.promql.data.query import Limits
from streamgauge.promql.data.vectors import Mask, Values, Vector
from streamgauge.promql.engine.evaluator import Known
from streamgauge.promql.functions.partials import Partial
from streamgauge.promql.functions.range_functions import KEEP_NAME
from streamgauge.promql.plan.lanes import lane_answer
from streamgauge.rules.stream.compile.expressions import Family, StreamGroup, Terms, query_of
from streamgauge.rules.stream.compile.shapes import HIDDEN, Leaf
from streamgauge.rules.stream.parts.label_blocks import Rows, packed_rows
from streamgauge.rules.stream.parts.together import Together, hidden_column, numbers_of
from streamgauge.rules.stream.samples.leaves import LeafValues
from streamgauge.rules.stream.samples.pool import Slots
from streamgauge.rules.stream.samples.window import Window
from streamgauge.series.labels import NAME

LeafAt = tuple[Leaf, int]
"""A leaf and the time (ms) of the query."""
MAX_ROWS = 100_000
"""Series of one expression above which it is evaluated alone."""

_NONE = np.zeros(0, np.int64)


class Member(NamedTuple):
    """An expression of a family: the key of its group, and its number among the group's asks."""

    group: str
    ask: int


class Part(NamedTuple):
    """The members of one group: its key, the number of the family there, their asks, and their place among all."""

    group: str
    family: int
    asks: Sequence[int]
    members: slice


class _Selection:
    """The series that a leaf reads for all members, each as often as members read it."""

    def __init__(self, leaf: Leaf, slots: Sequence[Slots], window: Window) -> None:
        self.leaf = leaf
        self.slots = np.concatenate([np.zeros(0, np.int64), *slots])
        self.numbers = np.repeat(np.arange(len(slots)), [len(one) for one in slots])
        is_read = np.zeros(window.slot_count, bool)
        is_read[self.slots] = True
        self.distinct = np.flatnonzero(is_read)
        labels = window.slot_labels.table(self.slots)
        self.has_metadata = np.zeros(len(self.slots), bool)
        for name in labels.columns.keys() & (METADATA - {NAME}):
            self.has_metadata |= labels.columns[name].codes > 0
        labels = labels.with_column(HIDDEN, hidden_column(self.numbers, len(slots)))
        drops_name = leaf.function and leaf.function not in KEEP_NAME
        self._labels = labels.drop(METADATA) if drops_name else labels
        self._seen: tuple[Mask, LabelTable] = np.ones(len(self.slots), bool), self._labels

    def refused(self, terms: Terms) -> set[int]:
        """The members whose plan may not hold, or two series of which are alike under the labels that are left."""
        bad = self.has_metadata & (not terms.metadata_labels)
        if not self._labels.is_unique:
            codes = self._labels.groups().codes
            bad = bad | (np.bincount(codes)[codes] > 1)
        return set(self.numbers[bad].tolist())

    def vector(self, values: Values, present: Mask) -> Vector:
        """The series that have a value; their labels are those of the last time as long as they are the same."""
        if not np.array_equal(present, self._seen[0]):
            self._seen = present, self._labels if present.all() else self._labels.take(present)
        if not present.all():
            values = values[present]
        return Vector(self._seen[1], values[:, None], np.ones((len(values), 1), bool))


class ShardFamily:
    """Evaluates all members at once, but for those that have to be evaluated alone.

    members: in the order of `parts`. samples: how many were read for each of them the last time.
    """

    def __init__(
        self, families: Mapping[tuple[str, int], Family], groups: Mapping[str, StreamGroup], terms: Terms
    ):
        """Take the families of groups that are one, by the key of the group and their number in it."""
        self._terms = terms
        self._family = next(iter(families.values()))
        self.members = [Member(key, at) for (key, _), family in families.items() for at in family.asks]
        self._bounds = np.cumsum([0, *(len(family.asks) for family in families.values())])
        bounds = pairwise(self._bounds.tolist())
        self.parts = [
            Part(key, number, family.asks, slice(*own))
            for ((key, number), family), own in zip(families.items(), bounds, strict=True)
        ]
        self._numbers = np.concatenate([family.numbers for family in families.values()])
        self._selected = [groups[key].asks[at].selected for key, at in self.members]
        self._version = -1
        self._selections: list[_Selection] = []
        self._alone: frozenset[int] = frozenset()
        self.samples = np.zeros(len(self.members))

    def alone(self, window: Window) -> list[Member]:
        """The members that `evaluate` leaves out, because of the series that there are."""
        if self._version != window.version:
            self._select(window)
        return [self.members[number] for number in sorted(self._alone)]

    def evaluate(self, window: Window, tick: int, read: dict[LeafAt, LeafValues]) -> dict[str, list[Rows]]:
        """What the plan's tasks ship for each group that has anything, by its key.

        :param read: what leaves give at this tick, taken from there and put there.
        :raises InvalidQuery: if some member has an error.
        """
        if self._version != window.version:
            self._select(window)
        query = query_of(self._terms, tick - self._family.offset_ms)
        shape = self._family.shape
        known = {}
        self.samples[:] = 0
        for node, selection in zip(shape.leaves, self._selections, strict=True):
            at = selection.leaf, query.end
            if at not in read:
                read[at] = LeafValues(selection.leaf, query, window.pool, window.slot_count)
            values, present = read[at].of(selection.distinct, selection.slots)
            known[node, query.grid] = Known(selection.vector(values, present), ())
            weights = read[at].samples(selection.slots)
            self.samples += np.bincount(selection.numbers, weights, len(self.members))
        evaluator = Together(shape, self._numbers, query, window, Limits(), Annotations(), known)
        return self._by_group(lane_answer(self._family.plan, evaluator).partials)

    def _by_group(self, partials: Sequence[Partial]) -> dict[str, list[Rows]]:
        found: dict[str, list[Rows]] = {}
        split = [_in_order(partial) for partial in partials]
        bounds = [np.searchsorted(numbers_of(part.labels), self._bounds) for part in split]
        has_any = np.any([np.diff(one) > 0 for one in bounds], axis=0)
        for group in np.flatnonzero(has_any).tolist():
            rows = []
            for part, one in zip(split, bounds, strict=True):
                own = slice(int(one[group]), int(one[group + 1]))
                labels = packed_rows(part.labels, own, int(self._bounds[group]))
                rows.append(Rows(labels, {name: column[own] for name, column in part.columns.items()}))
            found[self.parts[group].group] = rows
        return found

    def _select(self, window: Window) -> None:
        leaves = list(self._family.shape.leaves.values())
        slots = [[window.slots(one) for one in selected] for selected in self._selected]
        alone = {at for at, own in enumerate(slots) if any(len(one) > MAX_ROWS for one in own)}
        while True:
            self._selections = [
                _Selection(
                    leaf,
                    [own[at] if number not in alone else _NONE for number, own in enumerate(slots)],
                    window,
                )
                for at, leaf in enumerate(leaves)
            ]
            more = set().union(*(one.refused(self._terms) for one in self._selections))
            if not more:
                break
            alone |= more
        self._alone = frozenset(alone)
        self._version = window.version


def shard_families(groups: Mapping[str, StreamGroup], terms: Terms) -> list[ShardFamily]:
    """The families of all groups, those of the same ticks that are alike made one."""
    alike: dict[Hashable, dict[tuple[str, int], Family]] = defaultdict(dict)
    for key, group in groups.items():
        for number, family in enumerate(group.families):
            alike[group.interval_ms, family.key][key, number] = family
    return [ShardFamily(families, groups, terms) for families in alike.values()]


def _in_order(partial: Partial) -> Partial:
    """The rows in the order of their members."""
    numbers = numbers_of(partial.labels)
    if (numbers[1:] >= numbers[:-1]).all():
        return partial
    rows = np.argsort(numbers, kind="stable")
    return Partial(
        partial.labels.take(rows), {name: column[rows] for name, column in partial.columns.items()}
    )
