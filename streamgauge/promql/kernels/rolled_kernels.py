"""Kernels over rollup windows. Arguments and results as `window_kernels` describes, but with windows for samples:

series i owns the windows [offsets[i], offsets[i + 1]); `stops` (int64 ms) are their ends, rising, `widths` how many ms
they are long. Those count that end in (end - width, end].
"""

from collections.abc import Mapping

import numpy as np

from streamgauge.compiled import njit
from streamgauge.promql.kernels.window_kernels import after
from streamgauge.series.sized import NUMBER, Offsets, Rule, sized

_WINDOWS: Mapping[str, Rule | str] = {
    "offsets": Offsets("series", within="windows"),
    "stops": "windows",
    "ends": "steps",
    "width": NUMBER,
}


@sized(
    **_WINDOWS,
    **dict.fromkeys(
        ("widths", "count", "first", "first_time", "last", "last_time", "reset_total"), "windows"
    ),
    counter=NUMBER,
    per_second=NUMBER,
    out="series, steps",
    present="series, steps",
)
@njit(cache=True, nogil=True)
def increase(  # type: ignore[no-untyped-def]
    offsets,
    stops,
    widths,
    count,
    first,
    first_time,
    last,
    last_time,
    reset_total,
    ends,
    width,
    counter,
    per_second,
    out,
    present,
):
    """Prometheus's extrapolated difference, of the samples in the windows that count.

    It is extrapolated to the time which those windows cover, and from there scaled to the range. `first_time` and
    `last_time` are ms of the epoch.
    """
    for series in range(len(offsets) - 1):
        stop = offsets[series + 1]
        low = high = offsets[series]
        for step in range(len(ends)):
            end = ends[step]
            high = after(stops, high, stop, end)
            low = after(stops, low, high, end - width)
            if high == low:
                continue
            samples = 0
            change = last[high - 1] - first[low]
            for at in range(low, high):
                samples += count[at]
                if counter:
                    if at > low and first[at] < last[at - 1]:
                        change += last[at - 1]
                    change += reset_total[at]
            if samples < 2:
                continue
            covered_from = (end - width) // widths[low] * widths[low]
            covered_to = end // widths[high - 1] * widths[high - 1]
            sampled = (last_time[high - 1] - first_time[low]) / 1000
            mean_gap = sampled / (samples - 1)
            to_start = (first_time[low] - covered_from) / 1000
            to_end = (covered_to - last_time[high - 1]) / 1000
            if to_start >= mean_gap * 1.1:
                to_start = mean_gap / 2
            if counter and change > 0 and first[low] >= 0:
                to_start = min(to_start, sampled * (first[low] / change))
            if to_end >= mean_gap * 1.1:
                to_end = mean_gap / 2
            found = change * ((sampled + to_start + to_end) / sampled) / ((covered_to - covered_from) / 1000)
            out[series, step] = found if per_second else found * (width / 1000)
            present[series, step] = True


@sized(
    **_WINDOWS,
    first="windows",
    last="windows",
    inside="windows",
    out="series, steps",
    present="series, steps",
)
@njit(cache=True, nogil=True)
def resets(offsets, stops, first, last, inside, ends, width, out, present):  # type: ignore[no-untyped-def]
    """How often the value fell, within windows (`inside`) and between them."""
    for series in range(len(offsets) - 1):
        stop = offsets[series + 1]
        low = high = offsets[series]
        for step in range(len(ends)):
            high = after(stops, high, stop, ends[step])
            low = after(stops, low, high, ends[step] - width)
            if high == low:
                continue
            found = 0
            for at in range(low, high):
                found += inside[at]
                if at > low and first[at] < last[at - 1]:
                    found += 1
            out[series, step] = found
            present[series, step] = True


@sized(
    **_WINDOWS,
    count="windows",
    total="windows",
    squares="windows",
    deviation=NUMBER,
    out="series, steps",
    present="series, steps",
)
@njit(cache=True, nogil=True)
def variance(offsets, stops, count, total, squares, ends, width, deviation, out, present):  # type: ignore[no-untyped-def]
    """The variance of all samples in the windows, or their standard deviation (Chan, Golub and LeVeque 1979)."""
    for series in range(len(offsets) - 1):
        stop = offsets[series + 1]
        low = high = offsets[series]
        for step in range(len(ends)):
            high = after(stops, high, stop, ends[step])
            low = after(stops, low, high, ends[step] - width)
            if high == low:
                continue
            number, mean, around = 0.0, 0.0, 0.0
            for at in range(low, high):
                more = float(count[at])
                distance = total[at] / more - mean
                around += squares[at] + distance * distance * (number * more / (number + more))
                number += more
                mean += distance * (more / number)
            found = around / number
            out[series, step] = np.sqrt(found) if deviation else found
            present[series, step] = True


@sized(**_WINDOWS)
@njit(cache=True, nogil=True)
def inside(offsets, stops, ends, width):  # type: ignore[no-untyped-def]
    """Which windows count: those of series s and step k are rows[begins[s * steps + k]:begins[s * steps + k + 1]].

    Returns `begins`, (series * steps + 1,) int64, and `rows`, int64.
    """
    begins = np.empty((len(offsets) - 1) * len(ends) + 1, np.int64)
    size = _inside(offsets, stops, ends, width, begins, np.empty(0, np.int64))
    rows = np.empty(size, np.int64)
    _inside(offsets, stops, ends, width, begins, rows)
    return begins, rows


@njit(cache=True, nogil=True)
def _inside(offsets, stops, ends, width, begins, rows):  # type: ignore[no-untyped-def]
    """Fill `begins` and, unless it is empty, `rows`; return how many there are."""
    filled = 0
    place = 0
    for series in range(len(offsets) - 1):
        stop = offsets[series + 1]
        low = high = offsets[series]
        for step in range(len(ends)):
            high = after(stops, high, stop, ends[step])
            low = after(stops, low, high, ends[step] - width)
            begins[place] = filled
            place += 1
            for at in range(low, high):
                if len(rows):
                    rows[filled] = at
                filled += 1
    begins[place] = filled
    return filled
