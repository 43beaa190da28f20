"""Kernels over whole columns of t-digests: build each from its values, and ask each for quantiles."""

import numpy as np
import numpy.typing as npt

from streamgauge.compiled import njit
from streamgauge.rollup.kernels import sort_nan_first
from streamgauge.rollup.tdigest_kernels import of_sorted
from streamgauge.rollup.tdigest_parabola import inside
from streamgauge.series.digest_shape import MAX_CENTROIDS
from streamgauge.series.sized import Offsets, sized


def room(offsets: npt.NDArray[np.int64]) -> int:
    """The most centroids that `build` may write."""
    return int(np.minimum(offsets[1:] - offsets[:-1], MAX_CENTROIDS).sum())


def _built_digests_have_room(offsets, out_means):  # type: ignore[no-untyped-def]
    return room(offsets) <= len(out_means)


@sized(
    _built_digests_have_room,
    offsets=Offsets("series", within="samples"),
    values="samples",
    out_offsets="series + 1",
    out_means="room",
    out_weights="room",
    out_exact="series",
)
@njit(cache=True, nogil=True)
def build(offsets, values, out_offsets, out_means, out_weights, out_exact):  # type: ignore[no-untyped-def]
    """Fill in the digest of each series; return the number of centroids."""
    longest = 0
    for series in range(len(offsets) - 1):
        longest = max(longest, offsets[series + 1] - offsets[series])
    scratch = np.empty(longest, np.float64)
    at = 0
    for series in range(len(offsets) - 1):
        size = offsets[series + 1] - offsets[series]
        scratch[:size] = values[offsets[series] : offsets[series + 1]]
        nans = sort_nan_first(scratch, size)
        at, out_exact[series] = of_sorted(scratch, size, nans, out_means, out_weights, at)
        out_offsets[series + 1] = at
    return at


def _weights_are_positive(weights):  # type: ignore[no-untyped-def]
    return not len(weights) or weights.min() > 0


@sized(
    _weights_are_positive,
    offsets=Offsets("series", within="centroids"),
    means="centroids",
    weights="centroids",
    exact="series",
    minimum="series",
    maximum="series",
    qs="quantiles",
    out="series, quantiles",
)
@njit(cache=True, nogil=True)
def quantiles(offsets, means, weights, exact, minimum, maximum, qs, out):  # type: ignore[no-untyped-def]
    """Fill in `out` (n, len(qs))."""
    ends = np.empty(offsets[-1], np.float64)
    for series in range(len(offsets) - 1):
        begin, end = offsets[series], offsets[series + 1]
        own = weights[begin:end]
        for which in range(len(qs)):
            q = qs[which]
            if begin == end or q != q:
                out[series, which] = np.nan
            elif q < 0.0 or q > 1.0:
                out[series, which] = -np.inf if q < 0.0 else np.inf
            elif exact[series]:
                out[series, which] = _exact(means[begin:end], own, q)
            else:
                low, high = begin, end
                while low < high and not np.isfinite(means[low]):
                    low += 1
                while high > low and means[high - 1] == np.inf:
                    high -= 1
                if which == 0:
                    ends[low:high] = means[low:high]
                    if low < high and weights[low] == 1 and np.isfinite(minimum[series]):
                        ends[low] = minimum[series]
                    if low < high and weights[high - 1] == 1 and np.isfinite(maximum[series]):
                        ends[high - 1] = maximum[series]
                out[series, which] = _inexact(means, weights, ends, begin, low, high, end, q)


@njit(cache=True, nogil=True)
def _exact(means, weights, q):  # type: ignore[no-untyped-def]
    count = weights.sum()
    rank = q * (count - 1)
    # a rank is a double, which may lie above a count beyond 2**53
    lower = min(int(np.floor(rank)), count - 1)
    upper = min(lower + 1, count - 1)
    share = rank - lower
    at, upto = 0, weights[0]
    while upto <= lower:
        at += 1
        upto += weights[at]
    below = means[at]
    if upto <= upper:
        at += 1
    return below * (1.0 - share) + means[at] * share


@njit(cache=True, nogil=True)
def _inexact(means, weights, ends, begin, low, high, end, q):  # type: ignore[no-untyped-def]
    """Of the centroids [begin, end), [low, high) are finite; `ends` holds those with the true extremes."""
    rank = q * (weights[begin:end].sum() - 1)
    below = 0
    for at in range(begin, low):
        below += weights[at]
        if rank < below:
            return means[at]
    finite = weights[low:high].sum()
    if high < end and rank > below + finite - 1:
        return means[high]
    place = rank - below + 0.5
    for at in range(low, high):
        if place < weights[at] or at == high - 1:
            return inside(ends[low:high], weights[low:high], at - low, min(place / weights[at], 1.0))
        place -= weights[at]
    return np.nan
