"""Kernels on sorted arrays of series ids."""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def rows_of(ids, wanted):  # type: ignore[no-untyped-def]
    """The rows (int64, rising) of `ids` (n, 2) with an id of `wanted` (m, 2), both sorted and distinct."""
    found = np.empty(min(len(ids), len(wanted)), np.int64)
    count = 0
    low = 0
    for which in range(len(wanted)):
        high_half, low_half = wanted[which, 0], wanted[which, 1]
        high = len(ids)
        while low < high:
            middle = (low + high) // 2
            if ids[middle, 0] < high_half or (ids[middle, 0] == high_half and ids[middle, 1] < low_half):
                low = middle + 1
            else:
                high = middle
        if low < len(ids) and ids[low, 0] == high_half and ids[low, 1] == low_half:
            found[count] = low
            count += 1
            low += 1
    return found[:count]
