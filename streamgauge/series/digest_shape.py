"""The shape of a t-digest: how much weight each centroid has.

Weights follow from the count alone. A centroid at quantile q covers at most 0.148 (q (1 - q))^(3/4) of it,
between the scale functions k1 (power 1/2) and k2 (power 1) of Dunning & Ertl 2019: k1 is better for the
median and no worse when digests are merged again and again, k2 is better beyond p99. Only correctly rounded
operations are used, so that the weights are the same on every machine and need not be stored.
"""

import numpy as np

from streamgauge.compiled import njit

COMPRESSION = 100
"""As in Dunning & Ertl 2019: half as many centroids if all are full."""
MAX_CENTROIDS = 100
"""Also the number of distinct values up to which a digest is exact."""
MAX_COUNT = 2**53
_SPAN = 7.416298709205487
_UNIT = 2 * _SPAN / COMPRESSION


@njit(cache=True, nogil=True)
def cell_weights(total, weights):  # type: ignore[no-untyped-def]
    """Fill in the weights of the centroids of `total` (at most MAX_COUNT) values; return how many (at most 70).

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
