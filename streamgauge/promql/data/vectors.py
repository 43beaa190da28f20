"""What expressions evaluate to: values of many series at many steps."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from streamgauge.promql.data.faults import InvalidQuery, QueryFault
from streamgauge.promql.data.labels import METADATA, LabelTable, concat
from streamgauge.promql.syntax.literals import label_text, quoted

Values = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Times = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Vector:
    """An instant vector at every step. Never changed in place; arrays may be read-only.

    values: (series, steps) float64. present: (series, steps) bool, where there is a value; NaN is a value.
    The order of the series is that of an instant query's answer.
    """

    labels: LabelTable
    values: Values
    present: Mask

    def take(self, rows: npt.NDArray[np.int64 | np.bool_]) -> "Vector":
        """The series at these row numbers, or those where a mask is True."""
        return Vector(self.labels.take(rows), self.values[rows], self.present[rows])

    def with_labels(self, labels: LabelTable) -> "Vector":
        """The same values under other labels, series that became alike merged.

        :raises InvalidQuery: if two of them have a value at the same step.
        """
        return merged(Vector(labels, self.values, self.present))

    def without_metadata(self) -> "Vector":
        """Without the metric's name, type and unit.

        :raises InvalidQuery: if two series then have a value under the same labels at a step.
        """
        return self.with_labels(self.labels.drop(METADATA))

    def seen(self) -> "Vector":
        """The series that have a value at any step."""
        rows = self.present.any(axis=1)
        return self if rows.all() else self.take(rows)


@dataclass(frozen=True, slots=True)
class Matrix:
    """The samples of a range vector: what is in (ends[i] - width, ends[i]] belongs to step i.

    offsets: (series + 1,) int64; series i owns [offsets[i], offsets[i + 1]). timestamps: int64 ms, rising
    within a series. values: float64, no stale markers. ends: (steps,) int64 ms, or one for all steps.
    width: ms.
    """

    labels: LabelTable
    offsets: Times
    timestamps: Times
    values: Values
    ends: Times
    width: int


def empty(steps: int) -> Vector:
    """No series at all."""
    return Vector(LabelTable(0, {}), np.zeros((0, steps)), np.zeros((0, steps), bool))


def joined(first: Vector, second: Vector) -> Vector:
    """All series of both, in this order.

    :raises InvalidQuery: if two series then have a value under the same labels at a step.
    """
    return merged(
        Vector(
            concat([first.labels, second.labels]),
            np.concatenate([first.values, second.values]),
            np.concatenate([first.present, second.present]),
        )
    )


def merged(vector: Vector) -> Vector:
    """The vector with series of equal labels made one.

    :raises InvalidQuery: if two of them have a value at the same step.
    """
    codes, first = vector.labels.groups()
    if len(first) == vector.labels.count:
        return vector
    vector = vector.seen()
    codes, first = vector.labels.groups()
    if counts(codes, len(first), vector.present).max(initial=0) > 1:
        raise same_labels()
    rows, steps = np.nonzero(vector.present)
    values = np.zeros((len(first), vector.values.shape[1]))
    present = np.zeros(values.shape, bool)
    values[codes[rows], steps] = vector.values[rows, steps]
    present[codes[rows], steps] = True
    return Vector(vector.labels.take(first), values, present)


def counts(codes: Times, groups: int, present: Mask) -> Times:
    """How many series of each group have a value: (groups, steps) int64."""
    found = np.zeros((groups, present.shape[1]), np.int64)
    if len(codes):
        order = np.argsort(codes, kind="stable")
        starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
        found[codes[order][starts]] = np.add.reduceat(present[order], starts, axis=0, dtype=np.int64)
    return found


def same_labels() -> InvalidQuery:
    """The refusal of two values under the same labels at one step."""
    return InvalidQuery(QueryFault.DUPLICATE_SERIES, "vector cannot contain metrics with the same labelset")


def written(labels: Mapping[str, str]) -> str:
    """A label set as Prometheus writes it in its messages."""
    return "{" + ", ".join(f"{label_text(name)}={quoted(labels[name])}" for name in sorted(labels)) + "}"
