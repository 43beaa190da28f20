"""Kernels on arrays of series ids."""

import numpy as np

from streamgauge.compiled import njit
from streamgauge.series.hash_kernels import slot_of_id
from streamgauge.series.sized import NUMBER, Index, Number, sized


@sized(ids="series, 2", wanted="wanted, 2")
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


@sized(ids="rows, 2", most=NUMBER, factor=NUMBER)
@njit(cache=True, nogil=True)
def numbered(ids, most, factor):  # type: ignore[no-untyped-def]
    """Number the distinct ids of `ids` (n, 2) as they first occur, if they are not more than `most`.

    Returns the number (n,) int64 of each row's id, and the rows (int64) where they first occur, or none at all if they
    are more. factor: `hash_kernels.FACTOR`.
    """
    size = 4
    while size < 2 * (most + 1):
        size *= 2
    slots = np.full(size, -1, np.int64)
    numbers, firsts = np.empty(len(ids), np.int64), np.empty(most, np.int64)
    count = 0
    for row in range(len(ids)):
        high, low = ids[row, 0], ids[row, 1]
        slot = slot_of_id(high, low, factor, size)
        while slots[slot] >= 0:
            first = firsts[slots[slot]]
            if ids[first, 0] == high and ids[first, 1] == low:
                break
            slot = (slot + 1) & (size - 1)
        if slots[slot] < 0:
            if count == most:
                return numbers[:0], firsts[:0]
            slots[slot] = count
            firsts[count] = row
            count += 1
        numbers[row] = slots[slot]
    return numbers, firsts[:count]


@sized(numbers=Index("rows", below="count"), count=Number("count"))
@njit(cache=True, nogil=True)
def order_of_numbers(numbers, count):  # type: ignore[no-untyped-def]
    """The rows in the order of `numbers` (n,) int64, all below `count`; equal ones as they came."""
    heads = np.zeros(count + 1, np.int64)
    for number in numbers:
        heads[number + 1] += 1
    for number in range(count):
        heads[number + 1] += heads[number]
    order = np.empty(len(numbers), np.int64)
    for row in range(len(numbers)):
        order[heads[numbers[row]]] = row
        heads[numbers[row]] += 1
    return order
