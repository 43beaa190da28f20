"""Kernels of the rate family: rate, increase, delta, irate, idelta, changes, resets.

Arguments and results as `window_kernels` describes.
"""

import numpy as np

from streamgauge.compiled import njit
from streamgauge.promql.kernels.window_kernels import WINDOWS, after
from streamgauge.series.sized import NUMBER, sized


@njit(cache=True, nogil=True)
def next_resets(offsets, values):  # type: ignore[no-untyped-def]
    """For each sample, the first later index in its series at which the value fell, else the series' end."""
    found = np.empty(len(values), np.int64)
    for series in range(len(offsets) - 1):
        coming = offsets[series + 1]
        for at in range(offsets[series + 1] - 1, offsets[series] - 1, -1):
            found[at] = coming
            if at > offsets[series] and values[at] < values[at - 1]:
                coming = at
    return found


@sized(**WINDOWS, counter=NUMBER, per_second=NUMBER)
@njit(cache=True, nogil=True)
def extrapolated(offsets, timestamps, values, ends, width, counter, per_second, out, present):  # type: ignore[no-untyped-def]
    """Prometheus's extrapolated difference between the last and the first sample of each window.

    A counter's resets are made up for, and it is not extrapolated to below zero.
    """
    resets = next_resets(offsets, values) if counter else np.empty(0, np.int64)
    for series in range(len(offsets) - 1):
        stop = offsets[series + 1]
        low = high = offsets[series]
        for step in range(len(ends)):
            end = ends[step]
            high = after(timestamps, high, stop, end)
            low = after(timestamps, low, high, end - width)
            if high - low < 2:
                continue
            first, last = low, high - 1
            change = values[last] - values[first]
            if counter:
                reset = resets[first]
                while reset < high:
                    change += values[reset - 1]
                    reset = resets[reset]
            sampled = (timestamps[last] - timestamps[first]) / 1000
            mean_gap = sampled / (last - first)
            to_start = (timestamps[first] - (end - width)) / 1000
            to_end = (end - timestamps[last]) / 1000
            if to_start >= mean_gap * 1.1:
                to_start = mean_gap / 2
            if counter and change > 0 and values[first] >= 0:
                to_start = min(to_start, sampled * (values[first] / change))
            if to_end >= mean_gap * 1.1:
                to_end = mean_gap / 2
            factor = (sampled + to_start + to_end) / sampled
            if per_second:
                factor /= width / 1000
            out[series, step] = change * factor
            present[series, step] = True


@sized(**WINDOWS, rate=NUMBER)
@njit(cache=True, nogil=True)
def last_two(offsets, timestamps, values, ends, width, rate, out, present):  # type: ignore[no-untyped-def]
    """The difference of each window's last two samples; as a `rate` per second, and from zero at a reset."""
    for series in range(len(offsets) - 1):
        stop = offsets[series + 1]
        low = high = offsets[series]
        for step in range(len(ends)):
            high = after(timestamps, high, stop, ends[step])
            low = after(timestamps, low, high, ends[step] - width)
            if high - low < 2:
                continue
            change = values[high - 1]
            if not (rate and values[high - 1] < values[high - 2]):
                change -= values[high - 2]
            if rate:
                change /= (timestamps[high - 1] - timestamps[high - 2]) / 1000
            out[series, step] = change
            present[series, step] = True


@sized(**WINDOWS, lookback=NUMBER, resets=NUMBER)
@njit(cache=True, nogil=True)
def turns(offsets, timestamps, values, ends, width, lookback, resets, out, present):  # type: ignore[no-untyped-def]
    """How often the value changed in each window, or how often it fell.

    With a `lookback` (ms) above 0 the window is anchored: the last sample before it, if not older, counts as
    its first.
    """
    total = np.zeros(len(values) + 1, np.int64)
    for series in range(len(offsets) - 1):
        for at in range(offsets[series], offsets[series + 1]):
            turned = 0
            if at > offsets[series]:
                old, new = values[at - 1], values[at]
                fell = new < old
                changed = new != old and not (np.isnan(new) and np.isnan(old))
                turned = int(fell if resets else changed)
            total[at + 1] = total[at] + turned
    for series in range(len(offsets) - 1):
        start, stop = offsets[series], offsets[series + 1]
        low = high = start
        for step in range(len(ends)):
            begin = ends[step] - width
            high = after(timestamps, high, stop, ends[step])
            low = after(timestamps, low, high, begin)
            if high == low:
                continue
            first = low
            if lookback and low > start and timestamps[low - 1] > begin - lookback:
                first -= 1
            out[series, step] = total[high] - total[first + 1]
            present[series, step] = True


@njit(cache=True, nogil=True)
def _between(timestamps, values, at, time, counter):  # type: ignore[no-untyped-def]
    """The value at `time` on the line from sample `at` to the next; a reset counter starts at zero."""
    left, right = values[at], values[at + 1]
    if counter and right < left:
        left = 0.0
    passed = np.float64(time - timestamps[at])
    return left + (right - left) * passed / np.float64(timestamps[at + 1] - timestamps[at])


@sized(**WINDOWS, lookback=NUMBER, smoothed=NUMBER, counter=NUMBER, per_second=NUMBER)
@njit(cache=True, nogil=True)
def extended(offsets, timestamps, values, ends, width, lookback, smoothed, counter, per_second, out, present):  # type: ignore[no-untyped-def]
    """The difference between the windows' two edges, without extrapolation.

    Anchored: an edge's value is that of the last sample before it, at most `lookback` older than the window.
    Smoothed: it lies on the line between the samples around the edge, at most `lookback` outside.
    """
    for series in range(len(offsets) - 1):
        stop = offsets[series + 1]
        low = high = offsets[series]
        for step in range(len(ends)):
            end = ends[step]
            begin = end - width
            high = after(timestamps, high, stop, end + lookback if smoothed else end)
            low = after(timestamps, low, high, begin - lookback)
            if high == low:
                continue
            first, last = low, high - 1
            while first < last and timestamps[first + 1] <= begin:
                first += 1
            if smoothed:
                last = low
                while last < high - 1 and timestamps[last] < end:
                    last += 1
            if timestamps[last] <= begin or (smoothed and timestamps[first] > end):
                continue
            left, right = values[first], values[last]
            if smoothed and timestamps[first] < begin:
                left = _between(timestamps, values, first, begin, counter)
            if smoothed and last > low and timestamps[last] > end:
                right = _between(timestamps, values, last - 1, end, counter)
            change = right - left
            made_up = 0.0
            if counter:
                inner = first + 1 if timestamps[first] <= begin else first
                inner_stop = last if timestamps[last] >= end else last + 1
                previous = left
                for at in range(inner, inner_stop):
                    if values[at] < previous:
                        made_up += previous
                    previous = values[at]
                if right < previous:
                    made_up += previous
            change += made_up
            out[series, step] = change / (width / 1000) if per_second else change
            present[series, step] = True
