"""Kernels of the ids of a block, sorted, whose parts are columns. `schemas/blocks/codec.py` describes the bytes."""

import numpy as np

from schemas.blocks.bit_kernels import MAX_VARINT, put_varint, take_varint
from streamgauge.compiled import njit
from streamgauge.series.sized import Counts, Number, Room, sized

_HALF = np.uint64(32)


@sized(
    ids="series, 2", names="series", labels="series", rests="series", counts=Room(f"{MAX_VARINT} * series")
)
@njit(cache=True, nogil=True)
def encode(ids, names, labels, rests, counts):  # type: ignore[no-untyped-def]
    """Split ids (n, 2) into `names` and `labels` uint32 (n,) and `rests` uint64 (n,), equal names once.

    `counts`, uint8 with room for 10 bytes a series, takes a varint a name. Returns how many names and
    how many of those bytes there are.
    """
    distinct = 0
    at = 0
    begin = 0
    for row in range(len(ids)):
        labels[row] = np.uint32(ids[row, 0] & np.uint64(0xFFFFFFFF))
        rests[row] = ids[row, 1]
        if row + 1 == len(ids) or ids[row + 1, 0] >> _HALF != ids[row, 0] >> _HALF:
            names[distinct] = np.uint32(ids[row, 0] >> _HALF)
            distinct += 1
            at = put_varint(counts, at, np.uint64(row + 1 - begin))
            begin = row + 1
    return distinct, at


@sized(data="bytes", at=Number(most="bytes"), counts="names")
@njit(cache=True, nogil=True)
def take_counts(data, at, counts):  # type: ignore[no-untyped-def]
    """Fill `counts` (names,) int64; return their sum and where they end, or -1 if they are no counts of this data."""
    total = 0
    for name in range(len(counts)):
        count, at = take_varint(data, at)
        if at < 0 or count > np.uint64(len(data)):
            return total, -1
        counts[name] = np.int64(count)
        total += counts[name]
    return total, at


@sized(
    names="names", counts=Counts("names", total="series"), labels="series", rests="series", ids="series, 2"
)
@njit(cache=True, nogil=True)
def decode(names, counts, labels, rests, ids):  # type: ignore[no-untyped-def]
    """Fill ids (n, 2) uint64 from their columns, native uint32 and uint64; False if not sorted and distinct."""
    row = 0
    for name in range(len(names)):
        for _ in range(counts[name]):
            high = (np.uint64(names[name]) << _HALF) | np.uint64(labels[row])
            ids[row, 0] = high
            ids[row, 1] = rests[row]
            if row and (high < ids[row - 1, 0] or (high == ids[row - 1, 0] and rests[row] <= rests[row - 1])):
                return False
            row += 1
    return True
