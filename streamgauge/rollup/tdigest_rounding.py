"""The rounding of the means of digests that are not exact, so that they pack well."""

from math import frexp, ldexp

import numpy as np

from schemas.blocks.digest_means import MAX_DECIMALS, is_decimal
from streamgauge.compiled import njit

_MANTISSA = 8
_FLOAT_BITS = 53
_NOISE = 2.0**-48


@njit(cache=True, nogil=True)
def round_means(means):  # type: ignore[no-untyped-def]
    """Round rising finite means in place, such that all are whole multiples of one power of 2 and each lies
    above the one before by a multiple of 9 significant bits: off by at most 1/512 of the gap.

    Gaps below 2**-48 of the means beside them are noise and may vanish. Means are left as they are if some
    gap is too small beside the largest mean for this, such as beside an outlier of 2**64.
    """
    size = len(means)
    largest, gap = 0.0, np.inf
    for at in range(size):
        largest = max(largest, abs(means[at]))
        if at:
            beside = max(abs(means[at - 1]), abs(means[at]))
            if means[at] - means[at - 1] > beside * _NOISE:
                gap = min(gap, means[at] - means[at - 1])
    if largest == 0.0:
        return
    exponent = max(frexp(largest)[1] - _FLOAT_BITS, -1074)
    if np.isfinite(gap):
        if frexp(gap)[1] - 3 < exponent:
            return
        exponent = max(exponent, frexp(gap)[1] - 1 - _MANTISSA)
    # towards zero, since one step more could be infinite
    last = np.int64(np.trunc(ldexp(means[size - 1], -exponent)))
    whole = np.int64(np.trunc(ldexp(means[0], -exponent)))
    means[0] = ldexp(float(whole), exponent)
    for at in range(1, size):
        distance = min(np.int64(np.rint(ldexp(means[at], -exponent))), last) - whole
        if distance < 0:
            distance = np.int64(0)
        shift = 0
        while distance >> shift >= 2 << _MANTISSA:
            shift += 1
        half = (1 << shift) >> 1
        rounded = ((distance + half) >> shift) << shift
        if whole + rounded > last:
            rounded = (distance >> shift) << shift
        whole += rounded
        means[at] = ldexp(float(whole), exponent)


@njit(cache=True, nogil=True)
def round_beside_atoms(means, atoms):  # type: ignore[no-untyped-def]
    """Round rising finite means in place to decimals, as many as the atoms have and 1/256 of each gap needs.

    An atom is a value so frequent that a centroid holds nothing else; it stays as it is, since a mean a little
    beside it would be off by all its weight in rank. Nothing is rounded if that takes too many decimals.
    """
    decimals = 0
    for at in range(len(means)):
        while atoms[at] and decimals <= MAX_DECIMALS and not is_decimal(means[at], 10.0**decimals):
            decimals += 1
        if at and means[at] > means[at - 1]:
            while decimals <= MAX_DECIMALS and (means[at] - means[at - 1]) * 10.0**decimals < 1 << _MANTISSA:
                decimals += 1
    if decimals > MAX_DECIMALS:
        return
    scale = 10.0**decimals
    for at in range(len(means)):
        if not atoms[at] and abs(means[at]) * scale < 2.0**_FLOAT_BITS:
            means[at] = np.rint(means[at] * scale) / scale + 0.0
            if at:
                means[at] = max(means[at], means[at - 1])
