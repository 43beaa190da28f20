"""Kernels of the digest column: every read is checked against the end.

Three streams: a form byte a digest; varints (LEB128) of what is counted; the bytes of the finite means.
"""

import numpy as np

from schemas.blocks.digest_means import (
    put_decimal,
    put_grid,
    put_ordered,
    put_varint,
    take_decimal,
    take_grid,
    take_ordered,
    take_varint,
)
from streamgauge.compiled import njit
from streamgauge.series.digest_shape import MAX_CENTROIDS, MAX_COUNT, cell_weights
from streamgauge.series.sized import Offsets, Room, sized

NAN, BELOW, ABOVE = 1, 2, 4
"""Bits of a form: NaN, -inf, inf occur; the weight of each is the first of the digest's varints."""
DECIMAL, ORDERED, GRID = 8, 16, 24
"""How the finite means are packed, under MEANS; 0 where there are none."""
MEANS = 24
ONES = 32
"""Each finite weight is 1; otherwise they follow the number of finite centroids as varints."""
EXACT = 64
CELLS = 128
"""Weights follow from the total of the finite ones, which is stored instead."""

MAX_CENTROID = 9
MAX_DIGEST = 24


@sized(
    offsets=Offsets("series", within="centroids"),
    means="centroids",
    weights="centroids",
    exact="series",
    forms="series",
    counts=Room(f"{MAX_CENTROID} * centroids + {MAX_DIGEST} * series"),
    packed=Room(f"{MAX_CENTROID} * centroids + {MAX_DIGEST} * series"),
)
@njit(cache=True, nogil=True)
def encode(offsets, means, weights, exact, forms, counts, packed):  # type: ignore[no-untyped-def]
    """Fill the three streams (uint8); return the lengths of the last two.

    Both need room for MAX_CENTROID bytes a centroid and MAX_DIGEST a digest.
    """
    c, p = 0, 0
    cells = np.empty(MAX_CENTROIDS, np.int64)
    for series in range(len(offsets) - 1):
        begin, end = offsets[series], offsets[series + 1]
        form = EXACT if exact[series] else 0
        if begin < end and means[begin] != means[begin]:
            form |= NAN
            c = put_varint(counts, c, weights[begin])
            begin += 1
        if begin < end and means[begin] == -np.inf:
            form |= BELOW
            c = put_varint(counts, c, weights[begin])
            begin += 1
        if begin < end and means[end - 1] == np.inf:
            form |= ABOVE
            end -= 1
            c = put_varint(counts, c, weights[end])
        if begin < end:
            own = weights[begin:end]
            if not exact[series] and _are_cells(own, cells):
                form |= CELLS
                c = put_varint(counts, c, own.sum())
            else:
                c = put_varint(counts, c, len(own))
                if (own == 1).all():
                    form |= ONES
                else:
                    for weight in own:
                        c = put_varint(counts, c, weight)
            kind, p = _put_means(means[begin:end], exact[series], packed, p)
            form |= kind
        forms[series] = form
    return c, p


@njit(cache=True, nogil=True)
def _are_cells(weights, cells):  # type: ignore[no-untyped-def]
    if len(weights) > MAX_CENTROIDS:
        return False
    count = cell_weights(weights.sum(), cells)
    return count == len(weights) and (cells[:count] == weights).all()


@njit(cache=True, nogil=True)
def _put_means(means, exact, packed, at):  # type: ignore[no-untyped-def]
    if not exact:
        end = put_grid(packed, at, means)
        if end >= 0:
            return GRID, end
    end = put_decimal(packed, at, means)
    if end >= 0:
        return DECIMAL, end
    return ORDERED, put_ordered(packed, at, means)


def _all_wanted_have_a_place(wanted, exact):  # type: ignore[no-untyped-def]
    return wanted.sum() <= len(exact)


@sized(
    _all_wanted_have_a_place,
    forms="series",
    counts="count bytes",
    packed="packed bytes",
    wanted="series",
    offsets="places + 1",
    means=Room("count bytes + packed bytes"),
    weights=Room("count bytes + packed bytes"),
    exact="places",
)
@njit(cache=True, nogil=True)
def decode(forms, counts, packed, wanted, offsets, means, weights, exact):  # type: ignore[no-untyped-def]
    """Decode the digests that `wanted` (a bool each) names; return -1, or the index of a damaged digest.

    `means` and `weights` need a place for each byte of `counts` and `packed`: no centroid takes less.
    """
    c, p, at, row = 0, 0, 0, 0
    cells = np.empty(MAX_CENTROIDS, np.int64)
    specials = np.zeros(3, np.int64)
    for series in range(len(forms)):
        form = np.int64(forms[series])
        start, total = at, 0
        for which in range(3):
            specials[which] = 0
            if form & (1 << which):
                specials[which], c = take_varint(counts, c)
                if c < 0 or specials[which] == 0 or specials[which] > MAX_COUNT:
                    return series
                total += specials[which]
        for which in range(2):
            if specials[which]:
                means[at] = np.nan if which == 0 else -np.inf
                weights[at] = specials[which]
                at += 1
        if form & MEANS:
            size, c = _take_weights(form, counts, c, len(packed) - p, cells, weights, at)
            if c < 0:
                return series
            for centroid in range(at, at + size):
                total += weights[centroid]
            p = _take_means(form, packed, p, means[at : at + size])
            if p < 0 or not _is_rising(means[at : at + size], form & EXACT != 0):
                return series
            at += size
        elif form & (ONES | CELLS):
            return series
        if specials[2]:
            means[at] = np.inf
            weights[at] = specials[2]
            at += 1
        if total > MAX_COUNT or at - start > MAX_CENTROIDS:
            return series
        if wanted[series]:
            exact[row] = form & EXACT != 0
            row += 1
            offsets[row] = at
        else:
            at = start
    return -1 if c == len(counts) and p == len(packed) else len(forms)


@njit(cache=True, nogil=True)
def _take_weights(form, counts, c, room, cells, weights, at):  # type: ignore[no-untyped-def]
    """Fill in the finite weights, at most `room`; return how many and where reading ended, -1 for damage."""
    number, c = take_varint(counts, c)
    if c < 0 or number == 0 or number > MAX_COUNT:
        return 0, -1
    if form & CELLS:
        if form & (ONES | EXACT):
            return 0, -1
        size = cell_weights(number, cells)
        if size > room:
            return 0, -1
        weights[at : at + size] = cells[:size]
        return size, c
    if number > room:
        return 0, -1
    total = 0
    for centroid in range(at, at + number):
        weight = 1
        if not form & ONES:
            weight, c = take_varint(counts, c)
            if c < 0 or weight == 0 or weight > MAX_COUNT - total:
                return 0, -1
        total += weight
        weights[centroid] = weight
    return number, c


@njit(cache=True, nogil=True)
def _take_means(form, packed, p, means):  # type: ignore[no-untyped-def]
    kind = form & MEANS
    if kind == DECIMAL:
        return take_decimal(packed, p, means)
    if kind == ORDERED:
        return take_ordered(packed, p, means)
    return take_grid(packed, p, means)


@njit(cache=True, nogil=True)
def _is_rising(means, strictly):  # type: ignore[no-untyped-def]
    for at in range(len(means)):
        if not np.isfinite(means[at]) or (means[at] == 0.0 and np.signbit(means[at])):
            return False
        if at and (means[at] < means[at - 1] or (strictly and means[at] == means[at - 1])):
            return False
    return True
