"""Kernels of classic histograms: cumulative buckets, one series each."""

from collections.abc import Mapping

import numpy as np

from streamgauge.compiled import njit
from streamgauge.series.sized import Number, Offsets, Rule, sized

_TOLERANCE = 1e-12
_SMALLEST_NORMAL = 2.2250738585072014e-308
_BUCKETS: Mapping[str, Rule | str] = {
    "values": "buckets, steps",
    "present": "buckets, steps",
    "bounds": "buckets",
    "starts": Offsets("histograms", within="buckets"),
    "first_step": Number(most="steps"),
    "end_step": Number(most="steps"),
    "out": "histograms, steps",
    "seen": "histograms, steps",
}


@njit(cache=True, nogil=True)
def _collect(values, present, bounds, begin, end, step, uppers, counts):  # type: ignore[no-untyped-def]
    """Gather the buckets that are there at a step, equal bounds added up; return how many."""
    size = 0
    for series in range(begin, end):
        if not present[series, step]:
            continue
        if size and uppers[size - 1] == bounds[series]:
            counts[size - 1] += values[series, step]
            continue
        uppers[size] = bounds[series]
        counts[size] = values[series, step]
        size += 1
    return size


@njit(cache=True, nogil=True)
def _almost_equal(left, right):  # type: ignore[no-untyped-def]
    if np.isnan(left) or np.isnan(right):
        return np.isnan(left) and np.isnan(right)
    if left == right:
        return True
    size, difference = abs(left) + abs(right), abs(left - right)
    if left == 0 or right == 0 or size < _SMALLEST_NORMAL:
        return difference < _TOLERANCE * _SMALLEST_NORMAL
    return difference / min(size, np.finfo(np.float64).max) < _TOLERANCE


@njit(cache=True, nogil=True)
def _made_monotonic(uppers, counts, size, repair):  # type: ignore[no-untyped-def]
    """Let counts never fall. `repair` (3,) takes the least and largest bound and largest fall repaired."""
    repair[0], repair[1], repair[2] = np.inf, -np.inf, 0.0
    repaired = False
    previous = counts[0]
    for bucket in range(1, size):
        count = counts[bucket]
        if count == previous:
            continue
        if _almost_equal(previous, count):
            counts[bucket] = previous
        elif count < previous:
            counts[bucket] = previous
            repaired = True
            repair[0] = min(repair[0], uppers[bucket])
            repair[1] = max(repair[1], uppers[bucket])
            repair[2] = max(repair[2], previous - count)
        else:
            previous = count
    return repaired


@njit(cache=True, nogil=True, error_model="numpy")
def _bucket_quantile(q, uppers, counts, size):  # type: ignore[no-untyped-def]
    observations = counts[size - 1]
    if size < 2 or observations == 0:
        return np.nan
    rank = q * observations
    low, high = 0, size - 1
    while low < high:
        middle = (low + high) // 2
        if counts[middle] >= rank:
            high = middle
        else:
            low = middle + 1
    if low == size - 1:
        return uppers[size - 2]
    if low == 0 and uppers[0] <= 0:
        return uppers[0]
    start, below = 0.0, 0.0
    if low > 0:
        start, below = uppers[low - 1], counts[low - 1]
    return start + (uppers[low] - start) * ((rank - below) / (counts[low] - below))


@sized(**_BUCKETS, qs="steps", repairs="histograms, steps, 3")
@njit(cache=True, nogil=True)
def quantile(values, present, bounds, starts, qs, first_step, end_step, out, seen, repairs):  # type: ignore[no-untyped-def]
    """The quantile `qs` (steps,) of each histogram at the steps from `first_step` to before `end_step`.

    `values`, `present` (buckets, steps); histogram i owns the buckets [starts[i], starts[i + 1]), by rising
    `bounds`. `out`, `seen` (histograms, steps). `repairs` (histograms, steps, 3) takes what `_made_monotonic`
    repaired, NaN in the first where nothing.
    """
    uppers, counts = np.empty(len(bounds)), np.empty(len(bounds))
    repair = np.empty(3)
    for histogram in range(len(starts) - 1):
        for step in range(first_step, end_step):
            begin, end = starts[histogram], starts[histogram + 1]
            size = _collect(values, present, bounds, begin, end, step, uppers, counts)
            repairs[histogram, step, 0] = np.nan
            if size == 0:
                continue
            seen[histogram, step] = True
            q = qs[step]
            if np.isnan(q):
                out[histogram, step] = np.nan
            elif q < 0:
                out[histogram, step] = -np.inf
            elif q > 1:
                out[histogram, step] = np.inf
            elif uppers[size - 1] != np.inf:
                out[histogram, step] = np.nan
            else:
                if _made_monotonic(uppers, counts, size, repair):
                    repairs[histogram, step] = repair
                out[histogram, step] = _bucket_quantile(q, uppers, counts, size)


@njit(cache=True, nogil=True, error_model="numpy")
def _rank_of(bound, uppers, counts, size):  # type: ignore[no-untyped-def]
    """How many observations are below a bound, on a line within a bucket."""
    lower, below = (0.0 if uppers[0] > 0 else -np.inf), 0.0
    for bucket in range(size):
        if bucket:
            lower = uppers[bucket - 1]
        if lower >= bound:
            return below
        if uppers[bucket] > bound:
            if lower == -np.inf:
                return counts[bucket]
            return below + (counts[bucket] - below) * (bound - lower) / (uppers[bucket] - lower)
        below = counts[bucket]
    return counts[size - 1]


@sized(**_BUCKETS, lowers="steps", highers="steps")
@njit(cache=True, nogil=True, error_model="numpy")
def fraction(values, present, bounds, starts, lowers, highers, first_step, end_step, out, seen):  # type: ignore[no-untyped-def]
    """The share of observations between `lowers` and `highers` (steps,); the rest as in `quantile`."""
    uppers, counts = np.empty(len(bounds)), np.empty(len(bounds))
    for histogram in range(len(starts) - 1):
        for step in range(first_step, end_step):
            begin, end = starts[histogram], starts[histogram + 1]
            size = _collect(values, present, bounds, begin, end, step, uppers, counts)
            if size == 0:
                continue
            seen[histogram, step] = True
            lower, upper, total = lowers[step], highers[step], counts[size - 1]
            if uppers[size - 1] != np.inf or total == 0 or np.isnan(lower) or np.isnan(upper):
                out[histogram, step] = np.nan
            elif lower >= upper:
                out[histogram, step] = 0.0
            else:
                first = min(_rank_of(lower, uppers, counts, size), total)
                last = min(_rank_of(upper, uppers, counts, size), total)
                out[histogram, step] = (last - first) / total
