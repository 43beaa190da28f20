"""Kernels of the series table: open addressing over keys kept in an arena, and gathering from an arena."""

import numpy as np

from streamgauge.compiled import njit
from streamgauge.series.sized import InconsistentSizes, Number, sized

EMPTY = -1


@njit(cache=True, nogil=True, inline="always")
def _turned(word, bits):  # type: ignore[no-untyped-def]
    return (word << np.uint64(bits)) | (word >> np.uint64(64 - bits))


@njit(cache=True, nogil=True, inline="always")
def _round(a, b, c, d):  # type: ignore[no-untyped-def]
    a += b
    b = _turned(b, 13) ^ a
    a = _turned(a, 32)
    c += d
    d = _turned(d, 16) ^ c
    a += d
    d = _turned(d, 21) ^ a
    c += b
    b = _turned(b, 17) ^ c
    c = _turned(c, 32)
    return a, b, c, d


def _a_power_of_two_of_slots(slots):  # type: ignore[no-untyped-def]
    return len(slots).bit_count() == 1


@njit(cache=True, nogil=True)
def keyed_hash(data, start, end, seed):  # type: ignore[no-untyped-def]
    """SipHash-1-3 of data[start:end] under `seed`, (2,) uint64; the caller has checked the range.

    Without the seed nobody can choose keys that collide, which holds for no hash that is only quick.
    """
    # a slice's indices are never negative, which lets the compiler drop Python's wrap-around
    part = data[start:end]
    size = len(part)
    a, b = seed[0] ^ np.uint64(0x736F6D6570736575), seed[1] ^ np.uint64(0x646F72616E646F6D)
    c, d = seed[0] ^ np.uint64(0x6C7967656E657261), seed[1] ^ np.uint64(0x7465646279746573)
    for step in range(size // 8):
        word = np.uint64(0)
        for i in range(8):
            word |= np.uint64(part[8 * step + i]) << np.uint64(8 * i)
        a, b, c, d = _round(a, b, c, d ^ word)
        a ^= word
    word = np.uint64(size) << np.uint64(56)
    for i in range(size % 8):
        word |= np.uint64(part[size - size % 8 + i]) << np.uint64(8 * i)
    a, b, c, d = _round(a, b, c, d ^ word)
    a ^= word
    c ^= np.uint64(0xFF)
    for _ in range(3):
        a, b, c, d = _round(a, b, c, d)
    return a ^ b ^ c ^ d


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
    seed="2",
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
