"""The kernel that reduces a window of samples to its aggregates, one pass a series."""

import numpy as np

from streamgauge.compiled import njit
from streamgauge.series.samples import STALE_BITS
from streamgauge.series.sized import NUMBER, Offsets, sized

_STALE = np.uint64(STALE_BITS)
AGGREGATES = (
    "count",
    "total",
    "squares",
    "low",
    "high",
    "first",
    "first_time",
    "last",
    "last_time",
    "reset_total",
    "resets",
)
"""The columns of a window as kernels name them."""


@sized(
    offsets=Offsets("series", within="samples"),
    timestamps="samples",
    values="samples",
    window_start=NUMBER,
    **dict.fromkeys(AGGREGATES, "series"),
)
@njit(cache=True, nogil=True)
def reduce(  # type: ignore[no-untyped-def]
    offsets,
    timestamps,
    values,
    window_start,
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
):
    """Fill one entry of each output per series; `count` 0 marks a series of stale markers only.

    The sum is compensated (Neumaier 1974); `squares` is the sum of squared deviations from the mean, in two passes.
    """
    bits = values.view(np.uint64)
    longest = 0
    for series in range(len(offsets) - 1):
        longest = max(longest, offsets[series + 1] - offsets[series])
    scratch = np.empty(longest, np.float64)
    for series in range(len(offsets) - 1):
        kept = 0
        sum_, rest = 0.0, 0.0
        smallest, largest = np.nan, np.nan
        for sample in range(offsets[series], offsets[series + 1]):
            if bits[sample] == _STALE:
                continue
            value = values[sample]
            if kept == 0:
                first[series] = value
                first_time[series] = timestamps[sample] - window_start
            elif value < last[series]:
                resets[series] += 1
                reset_total[series] += last[series]
            last[series] = value
            last_time[series] = timestamps[sample] - window_start
            sum_, rest = add(sum_, rest, value)
            # a comparison with NaN is false, so NaN yields to any number
            if not smallest <= value and value == value:
                smallest = value
            if not largest >= value and value == value:
                largest = value
            scratch[kept] = value
            kept += 1
        count[series] = kept
        if kept == 0:
            continue
        total[series] = sum_ + rest if np.isfinite(sum_) else sum_
        low[series] = smallest
        high[series] = largest
        squares[series] = _squares(scratch, kept, total[series] / kept)


@njit(cache=True, nogil=True)
def _squares(values, size, mean):  # type: ignore[no-untyped-def]
    """Squared deviations from the mean; the second sum takes back what the mean's rounding adds."""
    squares, drift = 0.0, 0.0
    for place in range(size):
        deviation = values[place] - mean
        squares += deviation * deviation
        drift += deviation
    squares -= drift * drift / size
    return 0.0 if squares < 0.0 else squares


@njit(cache=True, nogil=True)
def add(sum_, rest, value):  # type: ignore[no-untyped-def]
    """One step of a compensated sum: the new sum, and the new rest to be added in the end if that is finite."""
    new = sum_ + value
    if np.isfinite(new):
        if abs(sum_) >= abs(value):
            rest += (sum_ - new) + value
        else:
            rest += (value - new) + sum_
    return new, rest


@njit(cache=True, nogil=True)
def sort_nan_first(scratch, size):  # type: ignore[no-untyped-def]
    """Sort scratch[:size] with NaN below every number, as PromQL does; return the number of NaN."""
    nans = 0
    for place in range(size):
        if scratch[place] != scratch[place]:
            scratch[place] = scratch[nans]
            scratch[nans] = np.nan
            nans += 1
    if size - nans > 32:
        scratch[nans:size].sort()
        return nans
    for place in range(nans + 1, size):
        value = scratch[place]
        before = place
        while before > nans and scratch[before - 1] > value:
            scratch[before] = scratch[before - 1]
            before -= 1
        scratch[before] = value
    return nans
