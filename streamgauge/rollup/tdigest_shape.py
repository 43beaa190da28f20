"""The shape of a t-digest: how much weight each centroid has, and how values lie within it.

Weights follow from the count alone. A centroid at quantile q covers at most 0.148 (q (1 - q))^(3/4) of it,
between the scale functions k1 (power 1/2) and k2 (power 1) of Dunning & Ertl 2019: k1 is better for the
median and no worse when digests are merged again and again, k2 is better beyond p99. Only correctly rounded
operations are used, so that the weights are the same on every machine and need not be stored.
"""

import numpy as np
from numba import njit

COMPRESSION = 100
"""As in Dunning & Ertl 2019: half as many centroids if all are full."""
SPREAD = 4
"""Points into which a centroid is taken apart before it is merged with others."""
_SPAN = 7.416298709205487
_UNIT = 2 * _SPAN / COMPRESSION


@njit(cache=True, nogil=True)
def cell_weights(total, weights):  # type: ignore[no-untyped-def]
    """Fill in the weights of the centroids of `total` values; return how many (at most 70).

    They are symmetric, the first and the last are 1.
    """
    count, below = 0, 0
    while total - 2 * below > 0:
        most = _most(below, total)
        if below and total - 2 * below <= most:
            break
        if total - 2 * below == 1:
            break
        weights[count] = min(most, (total - 2 * below) // 2)
        below += weights[count]
        count += 1
    mirrored = count
    if total > 2 * below:
        weights[count] = total - 2 * below
        count += 1
    for at in range(mirrored - 1, -1, -1):
        weights[count] = weights[at]
        count += 1
    return count


@njit(cache=True, nogil=True)
def _most(below, total):  # type: ignore[no-untyped-def]
    """The weight of the centroid with `below` values before it, by the midpoint rule."""
    if below == 0:
        return 1
    middle = (below + total * _share(below / total) / 2.0) / total
    return max(1, int(total * _share(min(middle, 0.5))))


@njit(cache=True, nogil=True)
def _share(q):  # type: ignore[no-untyped-def]
    root = np.sqrt(q * (1.0 - q))
    return _UNIT * root * np.sqrt(root)


@njit(cache=True, nogil=True)
def edges(means, weights, at):  # type: ignore[no-untyped-def]
    """The values at the lower and upper rank of centroid `at`, of a parabola with its mean between them.

    The piecewise parabolic method (Colella & Woodward 1984, equations 1.6 to 1.10) for the quantile function,
    of which centroids are averages over ranks: conservative and monotone.
    """
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
