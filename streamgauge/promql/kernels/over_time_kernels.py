"""Kernels of the *_over_time family.

Arguments and results as `window_kernels` describes.
"""

import numpy as np

from streamgauge.compiled import njit
from streamgauge.promql.kernels.window_kernels import WINDOWS, after, kahan
from streamgauge.series.sized import NUMBER, sized

_FEW = 4
"""New samples between two steps, up to which a sorted window is kept."""


@sized(**WINDOWS)
@njit(cache=True, nogil=True)
def total(offsets, timestamps, values, ends, width, out, present):  # type: ignore[no-untyped-def]
    """The compensated sum of each window."""
    for series in range(len(offsets) - 1):
        stop = offsets[series + 1]
        low = high = offsets[series]
        for step in range(len(ends)):
            high = after(timestamps, high, stop, ends[step])
            low = after(timestamps, low, high, ends[step] - width)
            if high == low:
                continue
            found, lost = 0.0, 0.0
            for at in range(low, high):
                found, lost = kahan(values[at], found, lost)
            out[series, step] = found if np.isinf(found) else found + lost
            present[series, step] = True


@sized(**WINDOWS)
@njit(cache=True, nogil=True)
def mean(offsets, timestamps, values, ends, width, out, present):  # type: ignore[no-untyped-def]
    """The mean of each window: of the sum as long as that is finite, from there on incrementally."""
    for series in range(len(offsets) - 1):
        stop = offsets[series + 1]
        low = high = offsets[series]
        for step in range(len(ends)):
            high = after(timestamps, high, stop, ends[step])
            low = after(timestamps, low, high, ends[step] - width)
            if high == low:
                continue
            found, lost = values[low], 0.0
            incremental = False
            for at in range(low + 1, high):
                number = at - low + 1
                if not incremental:
                    new, new_lost = kahan(values[at], found, lost)
                    if not np.isinf(new):
                        found, lost = new, new_lost
                        continue
                    incremental = True
                    found /= number - 1
                    lost /= number - 1
                share = (number - 1) / number
                found, lost = kahan(values[at] / number, share * found, share * lost)
            if not incremental:
                found /= high - low
                lost /= high - low
            out[series, step] = found + lost
            present[series, step] = True


@sized(**WINDOWS, root=NUMBER)
@njit(cache=True, nogil=True)
def variance(offsets, timestamps, values, ends, width, root, out, present):  # type: ignore[no-untyped-def]
    """The population variance of each window (Welford, compensated), or its square `root`."""
    for series in range(len(offsets) - 1):
        stop = offsets[series + 1]
        low = high = offsets[series]
        for step in range(len(ends)):
            high = after(timestamps, high, stop, ends[step])
            low = after(timestamps, low, high, ends[step] - width)
            if high == low:
                continue
            middle, middle_lost, squares, squares_lost = 0.0, 0.0, 0.0, 0.0
            for at in range(low, high):
                delta = values[at] - (middle + middle_lost)
                middle, middle_lost = kahan(delta / (at - low + 1), middle, middle_lost)
                squares, squares_lost = kahan(
                    delta * (values[at] - (middle + middle_lost)), squares, squares_lost
                )
            found = (squares + squares_lost) / (high - low)
            out[series, step] = np.sqrt(found) if root else found
            present[series, step] = True


@sized(**WINDOWS, sign=NUMBER, times=NUMBER)
@njit(cache=True, nogil=True)
def extreme(offsets, timestamps, values, ends, width, sign, times, out, present):  # type: ignore[no-untyped-def]
    """The largest value (`sign` 1) or the smallest (-1) of each window; NaN only if there is nothing else.

    With `times` it is the time of the latest such sample, in seconds. Indices of values that can still
    become the extreme wait in a queue, the best in front: a wider window makes no sample cost more.
    """
    queue = np.empty(len(values) and max(1, np.diff(offsets).max()), np.int64)
    for series in range(len(offsets) - 1):
        stop = offsets[series + 1]
        low = high = offsets[series]
        head = tail = 0
        for step in range(len(ends)):
            fresh = after(timestamps, high, stop, ends[step])
            for at in range(high, fresh):
                if np.isnan(values[at]):
                    continue
                while tail > head:
                    old, new = sign * values[queue[tail - 1]], sign * values[at]
                    if old > new or (old == new and not times):
                        break
                    tail -= 1
                if head == tail:
                    head = tail = 0
                queue[tail] = at
                tail += 1
            high = fresh
            low = after(timestamps, low, high, ends[step] - width)
            if high == low:
                continue
            while head < tail and queue[head] < low:
                head += 1
            at = queue[head] if head < tail else high - 1
            out[series, step] = timestamps[at] / 1000 if times else values[at]
            present[series, step] = True


@njit(cache=True, nogil=True)
def _position(window, size, value):  # type: ignore[no-untyped-def]
    """The number of entries of a sorted window below `value`; NaN is below all."""
    if np.isnan(value):
        return 0
    low, high = 0, size
    while low < high:
        middle = (low + high) // 2
        if np.isnan(window[middle]) or window[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low


@njit(cache=True, nogil=True)
def sorted_quantile(window, size, q):  # type: ignore[no-untyped-def]
    """The quantile of `size` sorted values, NaN first, on the line between the two nearest ranks."""
    if size == 0 or np.isnan(q):
        return np.nan
    if q < 0:
        return -np.inf
    if q > 1:
        return np.inf
    rank = q * (size - 1)
    lower = int(np.floor(rank))
    upper = min(size - 1, lower + 1)
    weight = rank - np.floor(rank)
    if weight == 0:
        return window[lower]
    return window[lower] * (1 - weight) + window[upper] * weight


@njit(cache=True, nogil=True)
def _select(window, size, rank):  # type: ignore[no-untyped-def]
    """Move the value of a rank to its place, smaller ones before it, larger ones after it (Hoare's FIND)."""
    left, right = 0, size - 1
    while left < right:
        pivot = window[(left + right) // 2]
        low, high = left, right
        while low <= high:
            while window[low] < pivot:
                low += 1
            while pivot < window[high]:
                high -= 1
            if low <= high:
                window[low], window[high] = window[high], window[low]
                low += 1
                high -= 1
        if rank <= high:
            right = high
        elif rank >= low:
            left = low
        else:
            return


@njit(cache=True, nogil=True)
def _selected(start, stop, timestamps, values, ends, width, qs, window, out, present):  # type: ignore[no-untyped-def]
    """The quantile of each window of one series."""
    low = high = start
    for step in range(len(ends)):
        high = after(timestamps, high, stop, ends[step])
        low = after(timestamps, low, high, ends[step] - width)
        if high == low:
            continue
        present[step] = True
        known = 0
        for at in range(low, high):
            if not np.isnan(values[at]):
                window[known] = values[at]
                known += 1
        q, size = qs[step], high - low
        # NaN comes first
        absent = size - known
        if q >= 0 and q <= 1:
            rank = q * (size - 1)
            lower = int(np.floor(rank)) - absent
            if lower < 0:
                out[step] = np.nan
                continue
            _select(window, known, lower)
            weight = rank - np.floor(rank)
            out[step] = window[lower]
            if weight > 0:
                out[step] = window[lower] * (1 - weight) + window[lower + 1 : known].min() * weight
        else:
            out[step] = sorted_quantile(window, size, q)


@sized(**WINDOWS, qs="steps")
@njit(cache=True, nogil=True)
def quantile(offsets, timestamps, values, ends, width, qs, out, present):  # type: ignore[no-untyped-def]
    """The quantile of each window; `qs` (steps,) float64.

    A sorted copy moves along with the window. Where that would sort many samples between two steps, the ranks are
    looked for in each window anew.
    """
    window = np.empty(len(values) and np.diff(offsets).max(), np.float64)
    for series in range(len(offsets) - 1):
        stop = offsets[series + 1]
        if stop - offsets[series] > _FEW * len(ends):
            _selected(
                offsets[series],
                stop,
                timestamps,
                values,
                ends,
                width,
                qs,
                window,
                out[series],
                present[series],
            )
            continue
        low = high = offsets[series]
        size = 0
        for step in range(len(ends)):
            fresh = after(timestamps, high, stop, ends[step])
            new_low = after(timestamps, low, fresh, ends[step] - width)
            for at in range(low, min(new_low, high)):
                place = _position(window, size, values[at])
                size -= 1
                for moved in range(place, size):
                    window[moved] = window[moved + 1]
            for at in range(max(high, new_low), fresh):
                place = _position(window, size, values[at])
                for moved in range(size, place, -1):
                    window[moved] = window[moved - 1]
                window[place] = values[at]
                size += 1
            low, high = new_low, fresh
            if size:
                out[series, step] = sorted_quantile(window, size, qs[step])
                present[series, step] = True


@sized(**WINDOWS)
@njit(cache=True, nogil=True)
def median_deviation(offsets, timestamps, values, ends, width, out, present):  # type: ignore[no-untyped-def]
    """The median absolute deviation of each window, NaN if any value is."""
    for series in range(len(offsets) - 1):
        stop = offsets[series + 1]
        low = high = offsets[series]
        for step in range(len(ends)):
            high = after(timestamps, high, stop, ends[step])
            low = after(timestamps, low, high, ends[step] - width)
            if high == low:
                continue
            window = np.sort(values[low:high])
            present[series, step] = True
            if np.isnan(window[-1]):
                out[series, step] = np.nan
                continue
            middle = sorted_quantile(window, len(window), 0.5)
            out[series, step] = sorted_quantile(np.sort(np.abs(window - middle)), len(window), 0.5)
