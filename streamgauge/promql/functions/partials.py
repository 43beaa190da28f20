"""Aggregations in parts: what is kept of the series of one lane, how lanes are merged, what comes of it.

Everything is plain columns, so that it can cross a network. Only aggregations whose parts are smaller than the
series, or whose values are kept whole, are here; `aggregations` chooses.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from streamgauge.promql.data.labels import Codes, LabelTable, concat
from streamgauge.promql.data.query import Limits
from streamgauge.promql.data.vectors import Mask, Values, Vector, counts
from streamgauge.promql.kernels import aggregate_kernels, merge_kernels
from streamgauge.promql.syntax.ast import AggregateOp

Columns: TypeAlias = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Partial:
    """What one lane gives.

    labels: of the rows, which are groups or series. columns: arrays by their names, (rows, steps) each, float64,
    int64 or bool; those of raw samples are flat, as in `vectors.Matrix`.
    """

    labels: LabelTable
    columns: Columns

    @property
    def nbytes(self) -> int:
        """The bytes of the columns."""
        return sum(column.nbytes for column in self.columns.values())


class Family(NamedTuple):
    """One aggregation in its parts.

    collect: the columns of groups from a vector and the group of each series. merge: the columns of fewer groups
    from those of rows and the group of each. finish: values and presence.
    """

    collect: Callable[[Vector, Codes, int, Limits], Columns]
    merge: Callable[[Columns, Codes, int, Limits], Columns]
    finish: Callable[[Columns], tuple[Values, Mask]]


def stacked(partials: Sequence[Partial]) -> Partial:
    """The rows of all, in their order."""
    if len(partials) == 1:
        return partials[0]
    return Partial(
        concat([partial.labels for partial in partials]),
        {
            name: np.concatenate([partial.columns[name] for partial in partials])
            for name in partials[0].columns
        },
    )


def of_vector(vector: Vector) -> Partial:
    """Series as they are."""
    return Partial(vector.labels, {"values": vector.values, "present": vector.present})


def to_vector(partial: Partial) -> Vector:
    """The other way round."""
    return Vector(partial.labels, partial.columns["values"], partial.columns["present"])


def _floats(like: npt.NDArray[Any], groups: int) -> Values:
    return np.zeros((groups, like.shape[1]))


def _numbers(like: npt.NDArray[Any], groups: int) -> npt.NDArray[np.int64]:
    return np.zeros((groups, like.shape[1]), np.int64)


def _flags(like: npt.NDArray[Any], groups: int) -> Mask:
    return np.zeros((groups, like.shape[1]), bool)


def _sum(vector: Vector, codes: Codes, groups: int, limits: Limits) -> Columns:
    values = vector.values
    out, lost, seen = _floats(values, groups), _floats(values, groups), _numbers(values, groups)
    for part in limits.parts(*values.shape):
        aggregate_kernels.total(values[part], vector.present[part], codes[part], out, lost, seen)
    return {"sum": out, "lost": lost, "count": seen}


def _sums(rows: Columns, codes: Codes, groups: int, limits: Limits) -> Columns:
    sums, losses, seens = rows["sum"], rows["lost"], rows["count"]
    out, lost, seen = _floats(sums, groups), _floats(sums, groups), _numbers(sums, groups)
    for part in limits.parts(*sums.shape):
        merge_kernels.totals(sums[part], losses[part], seens[part], codes[part], out, lost, seen)
    return {"sum": out, "lost": lost, "count": seen}


def _summed(columns: Columns) -> tuple[Values, Mask]:
    return columns["sum"] + columns["lost"], columns["count"] > 0


def _avg(vector: Vector, codes: Codes, groups: int, limits: Limits) -> Columns:
    values = vector.values
    out, lost, seen = _floats(values, groups), _floats(values, groups), _numbers(values, groups)
    is_mean = _flags(values, groups)
    for part in limits.parts(*values.shape):
        aggregate_kernels.mean(values[part], vector.present[part], codes[part], out, lost, seen, is_mean)
    return {"sum": out, "lost": lost, "count": seen, "is_mean": is_mean}


def _avgs(rows: Columns, codes: Codes, groups: int, limits: Limits) -> Columns:
    sums, losses, seens, means = rows["sum"], rows["lost"], rows["count"], rows["is_mean"]
    out, lost, seen = _floats(sums, groups), _floats(sums, groups), _numbers(sums, groups)
    is_mean = _flags(sums, groups)
    for part in limits.parts(*sums.shape):
        merge_kernels.means(
            sums[part], losses[part], seens[part], means[part], codes[part], out, lost, seen, is_mean
        )
    return {"sum": out, "lost": lost, "count": seen, "is_mean": is_mean}


def _averaged(columns: Columns) -> tuple[Values, Mask]:
    count = columns["count"]
    parts = np.where(columns["is_mean"] | (count == 0), 1, count)
    return columns["sum"] / parts + columns["lost"] / parts, count > 0


def _count(vector: Vector, codes: Codes, groups: int, _: Limits) -> Columns:
    return {"count": counts(codes, groups, vector.present)}


def _counts(rows: Columns, codes: Codes, groups: int, _: Limits) -> Columns:
    seen = _numbers(rows["count"], groups)
    merge_kernels.added(rows["count"], codes, seen)
    return {"count": seen}


def _counted(columns: Columns) -> tuple[Values, Mask]:
    return columns["count"].astype(np.float64), columns["count"] > 0


def _group(vector: Vector, codes: Codes, groups: int, _: Limits) -> Columns:
    return {"present": counts(codes, groups, vector.present) > 0}


def _groups(rows: Columns, codes: Codes, groups: int, _: Limits) -> Columns:
    return {"present": counts(codes, groups, rows["present"]) > 0}


def _grouped(columns: Columns) -> tuple[Values, Mask]:
    return np.ones(columns["present"].shape), columns["present"]


def _moments(vector: Vector, codes: Codes, groups: int, limits: Limits) -> Columns:
    values = vector.values
    middle, squares, seen = _floats(values, groups), _floats(values, groups), _numbers(values, groups)
    for part in limits.parts(*values.shape):
        aggregate_kernels.variance(values[part], vector.present[part], codes[part], middle, squares, seen)
    return {"mean": middle, "squares": squares, "count": seen}


def _momentses(rows: Columns, codes: Codes, groups: int, limits: Limits) -> Columns:
    means, distances, seens = rows["mean"], rows["squares"], rows["count"]
    middle, squares, seen = _floats(means, groups), _floats(means, groups), _numbers(means, groups)
    for part in limits.parts(*means.shape):
        merge_kernels.variances(means[part], distances[part], seens[part], codes[part], middle, squares, seen)
    return {"mean": middle, "squares": squares, "count": seen}


def _variance(columns: Columns) -> tuple[Values, Mask]:
    return columns["squares"] / np.maximum(columns["count"], 1), columns["count"] > 0


def _deviation(columns: Columns) -> tuple[Values, Mask]:
    values, present = _variance(columns)
    return np.sqrt(values), present


def _extreme(sign: float) -> Family:
    def over(values: Values, present: Mask, codes: Codes, groups: int, limits: Limits) -> Columns:
        out, seen = _floats(values, groups), _flags(values, groups)
        for part in limits.parts(*values.shape):
            aggregate_kernels.extreme(values[part], present[part], codes[part], sign, out, seen)
        return {"values": out, "present": seen}

    return Family(
        lambda vector, *rest: over(vector.values, vector.present, *rest),
        lambda rows, *rest: over(rows["values"], rows["present"], *rest),
        lambda columns: (columns["values"], columns["present"]),
    )


FAMILIES: Mapping[AggregateOp, Family] = {
    AggregateOp.SUM: Family(_sum, _sums, _summed),
    AggregateOp.AVG: Family(_avg, _avgs, _averaged),
    AggregateOp.COUNT: Family(_count, _counts, _counted),
    AggregateOp.GROUP: Family(_group, _groups, _grouped),
    AggregateOp.MAX: _extreme(1.0),
    AggregateOp.MIN: _extreme(-1.0),
    AggregateOp.STDDEV: Family(_moments, _momentses, _deviation),
    AggregateOp.STDVAR: Family(_moments, _momentses, _variance),
}
