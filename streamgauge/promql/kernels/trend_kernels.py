"""Kernels that fit a trend: deriv, predict_linear, double_exponential_smoothing.

Arguments and results as `window_kernels` describes.
"""

import numpy as np

from streamgauge.compiled import njit
from streamgauge.promql.kernels.window_kernels import WINDOWS, after, kahan
from streamgauge.series.sized import sized


@njit(cache=True, nogil=True, error_model="numpy")
def _line(timestamps, values, low, high, origin):  # type: ignore[no-untyped-def]
    """Slope per second and value at `origin` (ms) of the least squares line through samples [low, high)."""
    constant = True
    sum_x, lost_x, sum_y, lost_y, sum_xy, lost_xy, sum_xx, lost_xx = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for at in range(low, high):
        y = values[at]
        constant = constant and (at == low or y == values[low])
        x = (timestamps[at] - origin) / 1000
        sum_x, lost_x = kahan(x, sum_x, lost_x)
        sum_y, lost_y = kahan(y, sum_y, lost_y)
        sum_xy, lost_xy = kahan(x * y, sum_xy, lost_xy)
        sum_xx, lost_xx = kahan(x * x, sum_xx, lost_xx)
    if constant:
        if np.isinf(values[low]):
            return np.nan, np.nan
        return 0.0, values[low]
    sum_x += lost_x
    sum_y += lost_y
    sum_xy += lost_xy
    sum_xx += lost_xx
    number = np.float64(high - low)
    covariance = sum_xy - sum_x * sum_y / number
    spread = sum_xx - sum_x * sum_x / number
    slope = covariance / spread
    return slope, sum_y / number - slope * sum_x / number


@sized(**WINDOWS)
@njit(cache=True, nogil=True, error_model="numpy")
def slope(offsets, timestamps, values, ends, width, out, present):  # type: ignore[no-untyped-def]
    """The slope of each window's line, per second."""
    for series in range(len(offsets) - 1):
        stop = offsets[series + 1]
        low = high = offsets[series]
        for step in range(len(ends)):
            high = after(timestamps, high, stop, ends[step])
            low = after(timestamps, low, high, ends[step] - width)
            if high - low >= 2:
                out[series, step] = _line(timestamps, values, low, high, timestamps[low])[0]
                present[series, step] = True


@sized(**WINDOWS, origins="steps", ahead="steps")
@njit(cache=True, nogil=True, error_model="numpy")
def prediction(offsets, timestamps, values, ends, width, origins, ahead, out, present):  # type: ignore[no-untyped-def]
    """Where each window's line is `ahead` (steps,) seconds after `origins` (steps,) ms."""
    for series in range(len(offsets) - 1):
        stop = offsets[series + 1]
        low = high = offsets[series]
        for step in range(len(ends)):
            high = after(timestamps, high, stop, ends[step])
            low = after(timestamps, low, high, ends[step] - width)
            if high - low >= 2:
                rise, base = _line(timestamps, values, low, high, origins[step])
                out[series, step] = rise * ahead[step] + base
                present[series, step] = True


@sized(**WINDOWS, factors="steps", trends="steps")
@njit(cache=True, nogil=True)
def smoothed(offsets, timestamps, values, ends, width, factors, trends, out, present):  # type: ignore[no-untyped-def]
    """Double exponential smoothing (Holt) of each window; smoothing and trend factors (steps,) in (0, 1)."""
    for series in range(len(offsets) - 1):
        stop = offsets[series + 1]
        low = high = offsets[series]
        for step in range(len(ends)):
            high = after(timestamps, high, stop, ends[step])
            low = after(timestamps, low, high, ends[step] - width)
            if high - low < 2:
                continue
            factor, trend = factors[step], trends[step]
            level, old = values[low], 0.0
            rise = values[low + 1] - values[low]
            for at in range(low + 1, high):
                if at > low + 1:
                    rise = trend * (level - old) + (1 - trend) * rise
                old, level = level, factor * values[at] + (1 - factor) * (level + rise)
            out[series, step] = level
            present[series, step] = True
