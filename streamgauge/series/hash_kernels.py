"""Where keys begin in the hash tables of kernels.

Whoever chooses labels, times or values chooses keys. So a table takes the upper bits of products with an odd factor
that only its process knows (multiply-shift: Dietzfelbinger and others, 1997): nobody outside can choose keys that share
slots. The factor is an argument of kernels, for compiled ones are kept, and shared by processes.

One product alone keeps what rises evenly in even steps: with one factor in fifteen, keys in a row then lie in runs, and
a search in such a table passes through the whole run. So a product is folded and multiplied twice more, as in the
finalizers of MurmurHash3 and SplitMix64.
"""

import secrets

import numpy as np

from streamgauge.compiled import njit

FACTOR = np.uint64(secrets.randbits(64) | 1)
"""Odd, as `slot_of` needs it."""


_ONCE, _TWICE = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9)
_HALF = np.uint64(32)


@njit(cache=True, nogil=True)
def _folded(number, factor):  # type: ignore[no-untyped-def]
    """The product, its upper half also in its lower one: numbers that differ only in upper bits differ in both."""
    product = number * factor
    return product ^ (product >> _HALF)


@njit(cache=True, nogil=True)
def slot_of(number, factor, size):  # type: ignore[no-untyped-def]
    """The slot of a uint64 among `size`, a power of two of at most 2^32. factor: `FACTOR`."""
    spread = _folded(number, factor) * _ONCE
    upper = ((spread ^ (spread >> np.uint64(29))) * _TWICE) >> _HALF
    return np.int64((upper * np.uint64(size)) >> _HALF)


@njit(cache=True, nogil=True)
def slot_of_id(high, low, factor, size):  # type: ignore[no-untyped-def]
    """Likewise of a series id, both halves of which are hashes that anyone can compute."""
    return slot_of(_folded(high, factor) ^ low, factor, size)
