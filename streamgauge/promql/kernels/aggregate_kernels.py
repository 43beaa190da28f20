"""Kernels of aggregations over series.

`values` and `present` are (series, steps) float64 and bool, `codes` (series,) int64 the group of each series.
Results go to arrays (groups, steps) that start as 0: `out` float64, and `seen` int64, how many series had a
value. Series are taken in their order, as rounding depends on it.
"""

from collections.abc import Mapping

import numpy as np

from streamgauge.compiled import njit
from streamgauge.promql.kernels.over_time_kernels import sorted_quantile
from streamgauge.promql.kernels.window_kernels import kahan
from streamgauge.series.sized import NUMBER, Index, Number, Offsets, Rule, sized

_KEPT = 1 << 16
_GROUPED: Mapping[str, Rule | str] = {
    "values": "series, steps",
    "present": "series, steps",
    "codes": Index("series", below="groups"),
    "out": "groups, steps",
    "seen": "groups, steps",
}
_ORDERED: Mapping[str, Rule | str] = {
    "values": "series, steps",
    "present": "series, steps",
    "order": Index("places", below="series"),
    "starts": Offsets("groups", within="places"),
    "first_step": Number(most="steps"),
    "end_step": Number(most="steps"),
}


@sized(**_GROUPED, lost="groups, steps")
@njit(cache=True, nogil=True)
def total(values, present, codes, out, lost, seen):  # type: ignore[no-untyped-def]
    """The sum of each group, and what rounding lost of it, which is to be added (Neumaier)."""
    for series in range(len(codes)):
        group = codes[series]
        for step in range(values.shape[1]):
            if not present[series, step]:
                continue
            if seen[group, step]:
                out[group, step], lost[group, step] = kahan(
                    values[series, step], out[group, step], lost[group, step]
                )
            else:
                out[group, step] = values[series, step]
            seen[group, step] += 1


@sized(**_GROUPED, lost="groups, steps", incremental="groups, steps")
@njit(cache=True, nogil=True)
def mean(values, present, codes, out, lost, seen, incremental):  # type: ignore[no-untyped-def]
    """The sum of each group as in `total`, or its mean from where the sum is not finite any more.

    `incremental` (groups, steps) bool says which of the two it is.
    """
    for series in range(len(codes)):
        group = codes[series]
        for step in range(values.shape[1]):
            if not present[series, step]:
                continue
            value = values[series, step]
            seen[group, step] += 1
            number = np.float64(seen[group, step])
            if number == 1:
                out[group, step] = value
                continue
            if not incremental[group, step]:
                new, new_lost = kahan(value, out[group, step], lost[group, step])
                if not np.isinf(new):
                    out[group, step], lost[group, step] = new, new_lost
                    continue
                incremental[group, step] = True
                out[group, step] /= number - 1
                lost[group, step] /= number - 1
            share = (number - 1) / number
            out[group, step], lost[group, step] = kahan(
                value / number, share * out[group, step], share * lost[group, step]
            )


@sized(**_GROUPED, sign=NUMBER)
@njit(cache=True, nogil=True)
def extreme(values, present, codes, sign, out, seen):  # type: ignore[no-untyped-def]
    """The largest value (`sign` 1) or the smallest (-1) of each group; NaN only if there is nothing else.

    `seen` is bool here.
    """
    for series in range(len(codes)):
        group = codes[series]
        for step in range(values.shape[1]):
            if not present[series, step]:
                continue
            value, held = values[series, step], out[group, step]
            if not seen[group, step] or sign * value > sign * held or np.isnan(held):
                out[group, step] = value
            seen[group, step] = True


@sized(**_GROUPED, middle="groups, steps")
@njit(cache=True, nogil=True)
def variance(values, present, codes, middle, out, seen):  # type: ignore[no-untyped-def]
    """The mean of each group to `middle`, the sum of the squared distances from it to `out` (Welford).

    The latter is NaN if the first value is not finite.
    """
    for series in range(len(codes)):
        group = codes[series]
        for step in range(values.shape[1]):
            if not present[series, step]:
                continue
            value = values[series, step]
            seen[group, step] += 1
            if seen[group, step] == 1:
                middle[group, step] = value
                out[group, step] = 0.0 if np.isfinite(value) else np.nan
                continue
            delta = value - middle[group, step]
            middle[group, step] += delta / seen[group, step]
            out[group, step] += delta * (value - middle[group, step])


@sized(**_ORDERED, qs="steps", out="groups, steps", seen="groups, steps")
@njit(cache=True, nogil=True)
def quantile(values, present, order, starts, qs, first_step, end_step, out, seen):  # type: ignore[no-untyped-def]
    """The quantile `qs` (steps,) of each group at the steps from `first_step` to before `end_step`.

    `order` (series,) lists the series group by group; group i owns [starts[i], starts[i + 1]).
    """
    window = np.empty(len(order), np.float64)
    for group in range(len(starts) - 1):
        for step in range(first_step, end_step):
            size = absent = 0
            for place in range(starts[group], starts[group + 1]):
                series = order[place]
                if not present[series, step]:
                    continue
                value = values[series, step]
                # a NaN counts as smallest, but sorts last
                absent += int(np.isnan(value))
                window[size] = value
                size += 1
            if size:
                ranked = np.sort(window[:size])
                if absent:
                    ranked = np.concatenate((ranked[size - absent :], ranked[: size - absent]))
                out[group, step] = sorted_quantile(ranked, size, qs[step])
                seen[group, step] = size


@sized(**_ORDERED, limits="steps", sign=NUMBER, rank="series, steps")
@njit(cache=True, nogil=True)
def ranked(values, present, order, starts, limits, sign, first_step, end_step, rank):  # type: ignore[no-untyped-def]
    """The rank from 1 on of the best `limits` (steps,) int64 series of each group, others stay 0.

    Best are the largest (`sign` 1), the smallest (-1) or the first (0); NaN is worst, of equals the first is
    best. `rank` (series, steps) int64. The rest is as in `quantile`.
    """
    most = 1
    for step in range(first_step, end_step):
        most = max(most, limits[step])
    # some steps at a time, as the values of a series lie together
    width = max(1, min(end_step - first_step, _KEPT // most))
    kept, sizes, worst = np.empty((width, most), np.int64), np.empty(width, np.int64), np.empty(width)
    for group in range(len(starts) - 1):
        for begin in range(first_step, end_step, width):
            end = min(end_step, begin + width)
            sizes[:] = 0
            for place in range(starts[group], starts[group + 1]):
                series = order[place]
                for step in range(begin, end):
                    if not present[series, step] or limits[step] < 1:
                        continue
                    value, column = values[series, step], step - begin
                    size = sizes[column]
                    if size == limits[step]:
                        if sign == 0 or np.isnan(value) or sign * value <= sign * worst[column]:
                            continue
                        size -= 1
                    _insert(values, series, step, sign, kept[column], size)
                    sizes[column] = size + 1
                    worst[column] = values[kept[column, size], step]
            for step in range(begin, end):
                for place in range(sizes[step - begin]):
                    rank[kept[step - begin, place], step] = place + 1


@njit(cache=True, nogil=True)
def _insert(values, series, step, sign, kept, size):  # type: ignore[no-untyped-def]
    """Put a series at its place among the best `size` ones, which `kept` holds in order."""
    value = values[series, step]
    low, high = 0, size
    while low < high:
        middle = (low + high) // 2
        if _better(value, values[kept[middle], step], sign):
            high = middle
        else:
            low = middle + 1
    for moved in range(size, low, -1):
        kept[moved] = kept[moved - 1]
    kept[low] = series


@njit(cache=True, nogil=True)
def _better(value, other, sign):  # type: ignore[no-untyped-def]
    if sign == 0:
        return False
    if np.isnan(other):
        return not np.isnan(value)
    return sign * value > sign * other
