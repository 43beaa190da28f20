"""How values lie within a centroid.

The piecewise parabolic method (Colella & Woodward 1984, equations 1.6 to 1.10) for the quantile function, of
which centroids are averages over ranks: conservative and monotone.
"""

import numpy as np

from streamgauge.compiled import njit


@njit(cache=True, nogil=True)
def edges(means, weights, at):  # type: ignore[no-untyped-def]
    """The values at the lower and upper rank of centroid `at`, with a parabola of its mean between them."""
    left = border(means, weights, at - 1)
    return bounded(left, means[at], border(means, weights, at))


@njit(cache=True, nogil=True)
def bounded(left, mean, right):  # type: ignore[no-untyped-def]
    """The edges of a centroid between two borders, such that the parabola does not turn between them."""
    if not (left < mean < right) or not np.isfinite(right - left):
        return mean, mean
    width = right - left
    lean = width * (mean - (left + right) / 2.0)
    if lean > width * width / 6.0:
        left = 3.0 * mean - 2.0 * right
    elif lean < -width * width / 6.0:
        right = 3.0 * mean - 2.0 * left
    return left, right


@njit(cache=True, nogil=True)
def inside(means, weights, at, part):  # type: ignore[no-untyped-def]
    """The value at this `part` (0 to 1) of the ranks of a centroid.

    A single value has no inside; between two of them it lies on the line from rank to rank.
    """
    mean = means[at]
    if weights[at] == 1:
        if part >= 0.5 and at + 1 < len(means) and weights[at + 1] == 1:
            return mean * (1.5 - part) + means[at + 1] * (part - 0.5)
        if part < 0.5 and at > 0 and weights[at - 1] == 1:
            return means[at - 1] * (0.5 - part) + mean * (part + 0.5)
        return mean
    left, right = edges(means, weights, at)
    bend = 6.0 * (mean - (left + right) / 2.0)
    value = left + part * (right - left + bend * (1.0 - part))
    return min(max(value, left), right) if np.isfinite(value) else mean


@njit(cache=True, nogil=True)
def border(means, weights, at):  # type: ignore[no-untyped-def]
    """The value at the rank between the centroids `at` and `at` + 1; -1 and the last: the outermost means."""
    if at < 0 or at + 1 == len(means):
        return means[max(at, 0)]
    lower, upper = means[at], means[at + 1]
    step = upper - lower
    b, c = float(weights[at]), float(weights[at + 1])
    if at < 1 or at + 2 >= len(means):
        return lower + step * b / (b + c)
    a, d = float(weights[at - 1]), float(weights[at + 2])
    before, after = (a + b) / (2.0 * b + c), (d + c) / (2.0 * c + b)
    value = lower + b / (b + c) * step
    value += (
        2.0 * c * b / (b + c) * (before - after) * step
        - b * before * _slope(means, weights, at + 1)
        + c * after * _slope(means, weights, at)
    ) / (a + b + c + d)
    return min(max(value, lower), upper)


@njit(cache=True, nogil=True)
def _slope(means, weights, at):  # type: ignore[no-untyped-def]
    """How much the values rise over a centroid; monotone."""
    down, up = means[at] - means[at - 1], means[at + 1] - means[at]
    if down <= 0.0 or up <= 0.0:
        return 0.0
    a, b, c = float(weights[at - 1]), float(weights[at]), float(weights[at + 1])
    rise = b / (a + b + c) * ((2.0 * a + b) / (c + b) * up + (b + 2.0 * c) / (a + b) * down)
    return min(rise, 2.0 * down, 2.0 * up)
