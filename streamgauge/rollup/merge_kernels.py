"""The kernel that merges the aggregates of successive windows, one pass over the rows of a series."""

import numpy as np

from streamgauge.compiled import njit
from streamgauge.rollup.kernels import AGGREGATES, add
from streamgauge.series.sized import Index, Offsets, sized


def _every_series_has_a_row(begins):  # type: ignore[no-untyped-def]
    return (begins[1:] > begins[:-1]).all()


@sized(
    _every_series_has_a_row,
    order=Index("rows", below="rows"),
    begins=Offsets("series", within="rows"),
    shifts="rows",
    **dict.fromkeys(AGGREGATES, "rows"),
    **{f"out_{name}": "series" for name in AGGREGATES},
)
@njit(cache=True, nogil=True)
def merge(  # type: ignore[no-untyped-def]
    order,
    begins,
    shifts,
    count,
    total,
    squares,
    low,
    high,
    first,
    first_time,
    last,
    last_time,
    reset_total,
    resets,
    out_count,
    out_total,
    out_squares,
    out_low,
    out_high,
    out_first,
    out_first_time,
    out_last,
    out_last_time,
    out_reset_total,
    out_resets,
):
    """Fill one entry of each output per series.

    order: rows by series, then by window. begins: (n + 1,), where each series' rows begin in it. shifts: ms to
    add to each row's times. Squared deviations merge as in Chan, Golub and LeVeque 1979.
    """
    for series in range(len(begins) - 1):
        row = order[begins[series]]
        sum_, rest = total[row], 0.0
        number, mean, deviations = float(count[row]), total[row] / count[row], squares[row]
        counted = np.int64(count[row])
        smallest, largest = low[row], high[row]
        out_first[series] = first[row]
        out_first_time[series] = first_time[row] + shifts[row]
        dropped, drops = reset_total[row], np.int64(resets[row])
        before = row
        for place in range(begins[series] + 1, begins[series + 1]):
            row = order[place]
            sum_, rest = add(sum_, rest, total[row])
            counted += count[row]
            more = float(count[row])
            distance = total[row] / more - mean
            deviations += squares[row] + distance * distance * (number * more / (number + more))
            number += more
            mean += distance * (more / number)
            # a comparison with NaN is false, so NaN yields to any number
            if not smallest <= low[row] and low[row] == low[row]:
                smallest = low[row]
            if not largest >= high[row] and high[row] == high[row]:
                largest = high[row]
            if first[row] < last[before]:
                dropped += last[before]
                drops += 1
            dropped += reset_total[row]
            drops += resets[row]
            before = row
        out_count[series] = counted
        out_total[series] = sum_ + rest if np.isfinite(sum_) else sum_
        out_squares[series] = deviations
        out_low[series] = smallest
        out_high[series] = largest
        out_last[series] = last[before]
        out_last_time[series] = last_time[before] + shifts[before]
        out_reset_total[series] = dropped
        out_resets[series] = drops
