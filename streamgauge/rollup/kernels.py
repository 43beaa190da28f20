"""The kernel that reduces a window of samples to its aggregates, one pass a series."""

import numpy as np
from numba import njit

from streamgauge.series.samples import STALE_BITS

_STALE = np.uint64(STALE_BITS)


@njit(cache=True, nogil=True)
def reduce(  # type: ignore[no-untyped-def]
    offsets,
    timestamps,
    values,
    window_start,
    count,
    total,
    low,
    high,
    first,
    first_time,
    last,
    last_time,
    quantiles,
):
    """Fill one entry of each output per series; `count` 0 marks a series of stale markers only.

    `quantiles` is (n, 3) float64 for p50, p95, p99. The sum is compensated (Neumaier 1974).
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
            last[series] = value
            last_time[series] = timestamps[sample] - window_start
            sum_, rest = _add(sum_, rest, value)
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
        nans = sort_nan_first(scratch, kept)
        for which in range(3):
            rank = (0.5, 0.95, 0.99)[which]
            quantiles[series, which] = _quantile(scratch, kept, nans, rank)


@njit(cache=True, nogil=True)
def _add(sum_, rest, value):  # type: ignore[no-untyped-def]
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


@njit(cache=True, nogil=True)
def _quantile(ordered, size, nans, quantile):  # type: ignore[no-untyped-def]
    """Linear interpolation between the two nearest ranks, as quantile_over_time does."""
    rank = quantile * (size - 1)
    lower = int(np.floor(rank))
    upper = min(lower + 1, size - 1)
    weight = rank - lower
    if lower < nans:
        return np.nan
    return ordered[lower] * (1.0 - weight) + ordered[upper] * weight
