"""Functions of range vectors over rollups: which aggregates they need, and what becomes of these.

| function | from |
|---|---|
| sum, count, min, max, first, last, present, absent _over_time | the aggregate of that name |
| avg_over_time | sum and count |
| stddev, stdvar _over_time | count, sum and squared deviations |
| quantile_over_time | the t-digests |
| rate, increase, delta, resets | first, last, resets; nothing is lost between two windows |
| all others | the last sample of each window, as if there were no others |
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from streamgauge.promql.data.labels import LabelTable
from streamgauge.promql.data.query import Limits
from streamgauge.promql.data.vectors import Times, Values, Vector
from streamgauge.promql.kernels import over_time_kernels, rolled_kernels, window_kernels
from streamgauge.rollup import tdigest
from streamgauge.rollup.rollups import Rollups
from streamgauge.series import digests

_COUNTER = ("first", "first_time", "last", "last_time", "reset_total", "count")
NEEDED: Mapping[str, tuple[str, ...]] = {
    "sum_over_time": ("sum",),
    "count_over_time": ("count",),
    "present_over_time": ("count",),
    "absent_over_time": ("count",),
    "min_over_time": ("min",),
    "max_over_time": ("max",),
    "avg_over_time": ("sum", "count"),
    "first_over_time": ("first",),
    "last_over_time": ("last",),
    "stddev_over_time": ("count", "sum", "squares"),
    "stdvar_over_time": ("count", "sum", "squares"),
    "quantile_over_time": ("digest", "min", "max"),
    "rate": _COUNTER,
    "increase": _COUNTER,
    "delta": _COUNTER,
    "resets": ("first", "last", "resets"),
}
"""The functions that rollups answer, and the aggregates that each needs."""
_GROWS_WITH_RANGE = frozenset({"sum_over_time", "count_over_time"})


class Rolled(NamedTuple):
    """The windows for every step's range: labels of the series, their rollups, the ranges' ends and width (ms).

    resolution: the width (ms) of windows that was asked for.
    """

    labels: LabelTable
    rollups: Rollups
    ends: Times
    width: int
    resolution: int


def apply(name: str, rolled: Rolled, quantiles: Values | None, limits: Limits) -> Vector:
    """A function at every end, under the labels as they are.

    A range that is narrower than a window is widened to one; what grows with the range is then scaled to it.

    :param quantiles: of quantile_over_time, one an end.
    :raises InvalidQuery: by the limits.
    """
    series, windows = rolled.labels.count, len(rolled.ends)
    limits.check_size(series, windows)
    limits.check_time()
    out, present = np.zeros((series, windows)), np.zeros((series, windows), bool)
    _fill(name, rolled, max(rolled.width, rolled.resolution), quantiles, out, present)
    if name in _GROWS_WITH_RANGE and rolled.width < rolled.resolution:
        out *= rolled.width / rolled.resolution
    limits.check_time()
    return Vector(rolled.labels, out, present)


def _fill(
    name: str,
    rolled: Rolled,
    width: int,
    quantiles: Values | None,
    out: Values,
    present: npt.NDArray[np.bool_],
) -> None:
    rollups, ends = rolled.rollups, rolled.ends
    stops = rollups.window_starts + rollups.widths
    columns = {column: _float(rollups, column) for column in NEEDED[name] if column != "digest"}
    offsets = rollups.offsets
    match name:
        case "sum_over_time" | "count_over_time":
            over_time_kernels.total(offsets, stops, columns[name.split("_")[0]], ends, width, out, present)
        case "present_over_time" | "absent_over_time":
            window_kernels.count(offsets, stops, ends, width, out, present)
        case "min_over_time":
            over_time_kernels.extreme(offsets, stops, columns["min"], ends, width, -1.0, False, out, present)
        case "max_over_time":
            over_time_kernels.extreme(offsets, stops, columns["max"], ends, width, 1.0, False, out, present)
        case "avg_over_time":
            counts = np.zeros_like(out)
            over_time_kernels.total(offsets, stops, columns["count"], ends, width, counts, present)
            over_time_kernels.total(offsets, stops, columns["sum"], ends, width, out, present)
            np.divide(out, counts, out=out, where=present)
        case "first_over_time":
            window_kernels.edge(offsets, stops, columns["first"], ends, width, True, False, out, present)
        case "last_over_time":
            window_kernels.edge(offsets, stops, columns["last"], ends, width, False, False, out, present)
        case "stddev_over_time" | "stdvar_over_time":
            parts = (columns["count"], columns["sum"], columns["squares"])
            deviation = name == "stddev_over_time"
            rolled_kernels.variance(offsets, stops, *parts, ends, width, deviation, out, present)
        case "resets":
            parts = (columns["first"], columns["last"], columns["resets"])
            rolled_kernels.resets(offsets, stops, *parts, ends, width, out, present)
        case "rate" | "increase" | "delta":
            starts = rollups.window_starts
            rolled_kernels.increase(
                offsets,
                stops,
                rollups.widths,
                columns["count"],
                columns["first"],
                starts + rollups.columns["first_time"].astype(np.int64),
                columns["last"],
                starts + rollups.columns["last_time"].astype(np.int64),
                columns["reset_total"],
                ends,
                width,
                name != "delta",
                name == "rate",
                out,
                present,
            )
            if name != "rate" and rolled.width < width:
                out *= rolled.width / width
        case "quantile_over_time":
            _quantiles(rolled, stops, columns, width, quantiles, out, present)


def _quantiles(
    rolled: Rolled,
    stops: Times,
    columns: dict[str, Values],
    width: int,
    quantiles: Values | None,
    out: Values,
    present: npt.NDArray[np.bool_],
) -> None:
    """Merge the digests of each range; one end at a time where the quantile differs from end to end."""
    rollups, ends = rolled.rollups, rolled.ends
    if rollups.digests is None or quantiles is None:
        raise ValueError("quantile_over_time needs digests and a quantile")
    begins, rows = rolled_kernels.inside(rollups.offsets, stops, ends, width)
    if not len(rows):
        return
    counts = np.diff(begins)
    groups = np.repeat(np.arange(out.size), counts)
    merged = tdigest.merge(digests.take(rollups.digests, rows), groups, out.size)
    filled = np.flatnonzero(counts)
    low, high = np.full(out.size, np.nan), np.full(out.size, np.nan)
    low[filled] = np.fmin.reduceat(columns["min"][rows], begins[filled])
    high[filled] = np.fmax.reduceat(columns["max"][rows], begins[filled])
    distinct, which = np.unique(quantiles, return_inverse=True)
    values = tdigest.quantiles(merged, low, high, distinct).reshape(*out.shape, len(distinct))
    out[:] = values[:, np.arange(len(ends)), which]
    present[:] = (counts > 0).reshape(out.shape)


def _float(rollups: Rollups, column: str) -> Values:
    return rollups.columns[column].astype(np.float64)
