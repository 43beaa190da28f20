"""Where keys begin in the hash tables of kernels.

Whoever chooses labels, times or values chooses keys. So a table takes the upper bits of products with an odd factor
that only its process knows (multiply-shift: Dietzfelbinger and others, 1997): nobody outside can choose keys that share
slots. The factor is an argument of kernels, for compiled ones are kept, and shared by processes.
"""

import secrets

import numpy as np

from streamgauge.compiled import njit

FACTOR = np.uint64(secrets.randbits(64) | 1)
"""Odd, as `slot_of` needs it."""


@njit(cache=True, nogil=True)
def slot_of(number, factor, size):  # type: ignore[no-untyped-def]
    """The slot of a uint64 among `size`, a power of two of at most 2^32. factor: `FACTOR`."""
    upper = (number * factor) >> np.uint64(32)
    return np.int64((upper * np.uint64(size)) >> np.uint64(32))


@njit(cache=True, nogil=True)
def slot_of_id(high, low, factor, size):  # type: ignore[no-untyped-def]
    """Likewise of a series id, both halves of which are hashes that anyone can compute."""
    return slot_of((high * factor) ^ low, factor, size)
