"""Kernels of the series table: open addressing over keys kept in an arena, and gathering from an arena."""

import numpy as np
from numba import njit

EMPTY = -1
_PRIME_A = np.uint64(0x9E3779B97F4A7C15)
_PRIME_B = np.uint64(0xC2B2AE3D27D4EB4F)


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


@njit(cache=True, nogil=True)
def place_key(slots, key, hashed):  # type: ignore[no-untyped-def]
    """Put a key that is not there yet into a free slot."""
    mask = np.uint64(len(slots) - 1)
    place = hashed & mask
    while slots[place] != EMPTY:
        place = (place + np.uint64(1)) & mask
    slots[place] = key


@njit(cache=True, nogil=True)
def place_all(slots, hashes, count):  # type: ignore[no-untyped-def]
    """Put keys 0 to count into empty slots."""
    for key in range(count):
        place_key(slots, key, hashes[key])


@njit(cache=True, nogil=True)
def gather(arena, bounds, rows, out_bounds, out):  # type: ignore[no-untyped-def]
    """Copy the arena's entries at `rows` one after the other; out_bounds[0] is 0 and `out` large enough."""
    at = 0
    for i in range(len(rows)):
        start = bounds[rows[i]]
        length = bounds[rows[i] + 1] - start
        source, target = arena[start : start + length], out[at : at + length]
        for j in range(length):
            target[j] = source[j]
        at += length
        out_bounds[i + 1] = at
