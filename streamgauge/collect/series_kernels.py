"""Kernels of the series table: open addressing over keys kept in an arena, and gathering from an arena."""

import numpy as np

from streamgauge.compiled import njit
from streamgauge.series.sized import NUMBER, InconsistentSizes, Number, sized

EMPTY = -1
_PRIME_A = np.uint64(0x9E3779B97F4A7C15)
_PRIME_B = np.uint64(0xC2B2AE3D27D4EB4F)


def _a_power_of_two_of_slots(slots):  # type: ignore[no-untyped-def]
    return len(slots).bit_count() == 1


@njit(cache=True, nogil=True)
def keyed_hash(data, start, end, seed):  # type: ignore[no-untyped-def]
    """A seeded 64-bit hash of data[start:end], eight bytes a step; the caller has checked the range."""
    # a slice's indices are never negative, which lets the compiler drop Python's wrap-around
    part = data[start:end]
    size = len(part)
    a = seed ^ np.uint64(size)
    for step in range(size // 8):
        word = np.uint64(0)
        for i in range(8):
            word |= np.uint64(part[8 * step + i]) << np.uint64(8 * i)
        a = (a ^ word) * _PRIME_A
        a ^= a >> np.uint64(32)
    for i in range(size - size % 8, size):
        a = (a ^ np.uint64(part[i])) * _PRIME_B
        a ^= a >> np.uint64(29)
    a *= _PRIME_B
    return a ^ (a >> np.uint64(31))


@njit(cache=True, nogil=True)
def same(left, left_at, right, right_at, length):  # type: ignore[no-untyped-def]
    """Whether two ranges of bytes are equal; without an early exit, so that it vectorises."""
    first, second = left[left_at : left_at + length], right[right_at : right_at + length]
    different = np.uint8(0)
    for i in range(length):
        different |= first[i] ^ second[i]
    return different == 0


@njit(cache=True, nogil=True)
def find(slots, hashes, bounds, arena, data, start, end, hashed):  # type: ignore[no-untyped-def]
    """The key that equals data[start:end], or EMPTY. `slots` has free places and a power of two of them."""
    mask = np.uint64(len(slots) - 1)
    place = hashed & mask
    while True:
        key = slots[place]
        if key == EMPTY:
            return EMPTY
        if hashes[key] == hashed:
            length = bounds[key + 1] - bounds[key]
            if length == end - start and same(arena, bounds[key], data, start, length):
                return key
        place = (place + np.uint64(1)) & mask


@sized(
    _a_power_of_two_of_slots,
    slots="slots",
    hashes="keys",
    bounds="bounds",
    arena="bytes",
    key="key",
    seed=NUMBER,
)
@njit(cache=True, nogil=True)
def look_up(slots, hashes, bounds, arena, key, seed):  # type: ignore[no-untyped-def]
    """The hash of a key, and the number of the one that equals it, or EMPTY."""
    hashed = keyed_hash(key, 0, len(key), seed)
    return hashed, find(slots, hashes, bounds, arena, key, 0, len(key), hashed)


@njit(cache=True, nogil=True)
def place_key(slots, key, hashed):  # type: ignore[no-untyped-def]
    """Put a key that is not there yet into a free slot."""
    mask = np.uint64(len(slots) - 1)
    place = hashed & mask
    while slots[place] != EMPTY:
        place = (place + np.uint64(1)) & mask
    slots[place] = key


@sized(
    _a_power_of_two_of_slots,
    slots="slots",
    hashes="keys",
    first=Number(most="keys"),
    count=Number(most="keys"),
)
@njit(cache=True, nogil=True)
def place_all(slots, hashes, first, count):  # type: ignore[no-untyped-def]
    """Put the keys from `first` to before `count`, which are not there yet, into free slots."""
    for key in range(first, count):
        place_key(slots, key, hashes[key])


@sized(arena="arena bytes", bounds="bounds", rows="rows", out_bounds="rows + 1", out="bytes")
@njit(cache=True, nogil=True)
def gather(arena, bounds, rows, out_bounds, out):  # type: ignore[no-untyped-def]
    """Copy the arena's entries at `rows` one after the other into `out`; out_bounds[0] is 0."""
    at = 0
    for i in range(len(rows)):
        if rows[i] < 0 or rows[i] + 1 >= len(bounds):
            raise InconsistentSizes("gather: a row of no entry")
        start = bounds[rows[i]]
        length = bounds[rows[i] + 1] - start
        if start < 0 or length < 0 or start + length > len(arena) or at + length > len(out):
            raise InconsistentSizes("gather: an entry outside of the arena, or more than there is room for")
        source, target = arena[start : start + length], out[at : at + length]
        for j in range(length):
            target[j] = source[j]
        at += length
        out_bounds[i + 1] = at
