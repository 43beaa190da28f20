"""What a selector gives at a step: the last sample that is not too old and not a stale marker."""

import numpy as np
import numpy.typing as npt
from numba import njit

from streamgauge.series.samples import STALE_BITS, Samples

_STALE = np.uint64(STALE_BITS)


def at_steps(samples: Samples, first: int, step: int, count: int, lookback: int) -> Samples:
    """The points of a vector selector at `count` steps from `first` on (ms), of the series that have any.

    At a step t it is the last sample in (t - lookback, t], at the time t; a stale marker there means none.
    """
    offsets, steps, values = last_in_lookback(
        samples.offsets, samples.timestamps, samples.values, first, step, count, lookback
    )
    return _without_empty(samples, offsets, first + steps * step, values)


def without_stale(samples: Samples) -> Samples:
    """The samples of a matrix selector: all but stale markers, of the series that have any."""
    kept = samples.values.view(np.uint64) != _STALE
    if kept.all():
        return samples
    before = np.concatenate([np.zeros(1, np.int64), np.cumsum(kept)])
    return _without_empty(samples, before[samples.offsets], samples.timestamps[kept], samples.values[kept])


def _without_empty(
    samples: Samples,
    offsets: npt.NDArray[np.int64],
    timestamps: npt.NDArray[np.int64],
    values: npt.NDArray[np.float64],
) -> Samples:
    rows = np.flatnonzero(np.diff(offsets))
    ends = np.concatenate([np.zeros(1, np.int64), offsets[rows + 1]])
    return Samples(samples.ids[rows], ends, timestamps, values)


@njit(cache=True, nogil=True)
def last_in_lookback(offsets, timestamps, values, first, step, count, lookback):  # type: ignore[no-untyped-def]
    """Return offsets of the points of each series, the number of the step of each, and its value."""
    bits = values.view(np.uint64)
    series_count = len(offsets) - 1
    out_offsets = np.zeros(series_count + 1, np.int64)
    steps = np.empty(max(64, series_count), np.int64)
    out = np.empty(len(steps), np.float64)
    written = 0
    for series in range(series_count):
        if written + count > len(steps):
            size = max(2 * len(steps), written + count)
            steps = _grown(steps, written, size)
            out = _grown(out, written, size)
        after = offsets[series]
        end = offsets[series + 1]
        for number in range(count):
            time = first + number * step
            while after < end and timestamps[after] <= time:
                after += 1
            last = after - 1
            if last < offsets[series] or timestamps[last] <= time - lookback or bits[last] == _STALE:
                continue
            steps[written] = number
            out[written] = values[last]
            written += 1
        out_offsets[series + 1] = written
    return out_offsets, steps[:written], out[:written]


@njit(cache=True, nogil=True)
def _grown(array, used, size):  # type: ignore[no-untyped-def]
    bigger = np.empty(size, array.dtype)
    bigger[:used] = array[:used]
    return bigger
