"""What every kernel over sliding windows shares, and the simplest of them.

All take samples as compressed rows: series i owns [offsets[i], offsets[i + 1]) of `timestamps` (int64 ms,
rising) and `values` (float64). `ends` (steps,) int64 ms, not falling, are the windows' ends; a window is
(end - width, end]. Results go to `out` (series, steps) float64 and `present` (series, steps) bool, which
start as all False: a NaN is a value like any other.
"""

from collections.abc import Mapping

import numpy as np

from streamgauge.compiled import njit
from streamgauge.series.samples import STALE_BITS
from streamgauge.series.sized import NUMBER, Offsets, Rule, sized

_STALE = np.uint64(STALE_BITS)
WINDOWS: Mapping[str, Rule | str] = {
    "offsets": Offsets("series", within="samples"),
    "timestamps": "samples",
    "values": "samples",
    "ends": "steps",
    "width": NUMBER,
    "out": "series, steps",
    "present": "series, steps",
}
"""What every kernel over sliding windows relies on."""


@njit(cache=True, nogil=True)
def after(timestamps, at, stop, time):  # type: ignore[no-untyped-def]
    """The first index from `at` on, `stop` at most, whose time is later than `time`."""
    while at < stop and timestamps[at] <= time:
        at += 1
    return at


@njit(cache=True, nogil=True)
def kahan(addend, total, lost):  # type: ignore[no-untyped-def]
    """Add to a sum and what rounding lost of it (Neumaier's variant of Kahan's summation)."""
    new = total + addend
    if np.isinf(new):
        return new, 0.0
    if abs(total) >= abs(addend):
        return new, lost + ((total - new) + addend)
    return new, lost + ((addend - new) + total)


@sized(**WINDOWS, times=NUMBER)
@njit(cache=True, nogil=True)
def last_before_stale(offsets, timestamps, values, ends, width, times, out, present):  # type: ignore[no-untyped-def]
    """The last sample of each window unless it is a stale marker; with `times`, its time in seconds."""
    bits = values.view(np.uint64)
    for series in range(len(offsets) - 1):
        start, stop = offsets[series], offsets[series + 1]
        high = start
        for step in range(len(ends)):
            high = after(timestamps, high, stop, ends[step])
            last = high - 1
            if last < start or timestamps[last] <= ends[step] - width or bits[last] == _STALE:
                continue
            out[series, step] = timestamps[last] / 1000 if times else values[last]
            present[series, step] = True


@sized(**WINDOWS)
@njit(cache=True, nogil=True)
def interpolated(offsets, timestamps, values, ends, width, out, present):  # type: ignore[no-untyped-def]
    """The value on the line between the samples around each end, at most `width` away on either side.

    Without a later sample it is the earlier one's value; stale markers must be gone.
    """
    for series in range(len(offsets) - 1):
        start, stop = offsets[series], offsets[series + 1]
        high = start
        for step in range(len(ends)):
            end = ends[step]
            high = after(timestamps, high, stop, end)
            last = high - 1
            if last < start or timestamps[last] <= end - width:
                continue
            value = values[last]
            if timestamps[last] != end and high < stop and timestamps[high] <= end + width:
                passed = np.float64(end - timestamps[last])
                value += (values[high] - value) * passed / np.float64(timestamps[high] - timestamps[last])
            out[series, step] = value
            present[series, step] = True


@sized(**{name: rule for name, rule in WINDOWS.items() if name != "values"})
@njit(cache=True, nogil=True)
def count(offsets, timestamps, ends, width, out, present):  # type: ignore[no-untyped-def]
    """How many samples each window has."""
    for series in range(len(offsets) - 1):
        stop = offsets[series + 1]
        low = high = offsets[series]
        for step in range(len(ends)):
            high = after(timestamps, high, stop, ends[step])
            low = after(timestamps, low, high, ends[step] - width)
            if high > low:
                out[series, step] = high - low
                present[series, step] = True


@sized(**WINDOWS, first=NUMBER, times=NUMBER)
@njit(cache=True, nogil=True)
def edge(offsets, timestamps, values, ends, width, first, times, out, present):  # type: ignore[no-untyped-def]
    """The first or else the last sample of each window: its value or, with `times`, its time in seconds."""
    for series in range(len(offsets) - 1):
        stop = offsets[series + 1]
        low = high = offsets[series]
        for step in range(len(ends)):
            high = after(timestamps, high, stop, ends[step])
            low = after(timestamps, low, high, ends[step] - width)
            if high > low:
                at = low if first else high - 1
                out[series, step] = timestamps[at] / 1000 if times else values[at]
                present[series, step] = True
