"""Kernels that read canonical labels of many series: a flat array of bytes and where its cells begin and end.

The cells are the names and values of series after series, all with as many labels: cell 2k of a series is the name
of its label k, cell 2k + 1 the value. `begins` and `ends` (cells,) int64 are within `data` (bytes,) uint8.
"""

import numpy as np

from streamgauge.compiled import njit
from streamgauge.series.hash_kernels import slot_of
from streamgauge.series.sized import NUMBER, InconsistentSizes, Number, sized

_BASIS = np.uint64(0xCBF29CE484222325)


@njit(cache=True, nogil=True)
def _equal(data, begins, ends, one, other):  # type: ignore[no-untyped-def]
    if min(begins[one], begins[other]) < 0 or max(ends[one], ends[other]) > len(data):
        raise InconsistentSizes("a cell outside of the labels")
    size = ends[one] - begins[one]
    if size != ends[other] - begins[other]:
        return False
    left, right, at = begins[one], begins[other], 0
    while at < size and data[left + at] == data[right + at]:
        at += 1
    return at == size


def _cells_are_there(begins, width, count):  # type: ignore[no-untyped-def]
    return width > 0 and width * count <= len(begins)


def _the_cell_is_of_a_series(cell, width):  # type: ignore[no-untyped-def]
    return 0 <= cell < width


@sized(
    _cells_are_there, data="bytes", begins="cells", ends="cells", width=Number("width"), count=Number("count")
)
@njit(cache=True, nogil=True)
def same_names(data, begins, ends, width, count):  # type: ignore[no-untyped-def]
    """Whether all series have the names of the first; `width` cells each."""
    for series in range(1, count):
        for cell in range(0, width, 2):
            if not _equal(data, begins, ends, cell, series * width + cell):
                return False
    return True


@sized(
    _cells_are_there,
    _the_cell_is_of_a_series,
    data="bytes",
    begins="cells",
    ends="cells",
    width=Number("width"),
    count=Number("count"),
    cell=NUMBER,
    codes="count",
    firsts="count",
    factor=NUMBER,
)
@njit(cache=True, nogil=True)
def encoded(data, begins, ends, width, count, cell, codes, firsts, factor):  # type: ignore[no-untyped-def]
    """Give each distinct value of a column a code from 1 on; return how many there are.

    `cell` is that of the value in a series, `codes` (count,) int64 takes the codes, `firsts` (count,) int64 the cell of
    the first value with each. factor: `hash_kernels.FACTOR`, in place of FNV's prime, which all know.
    """
    size = 4
    while size < 2 * count:
        size *= 2
    slots = np.zeros(size, np.int64)
    distinct = 0
    for series in range(count):
        own = series * width + cell
        if series and _equal(data, begins, ends, own - width, own):
            codes[series] = codes[series - 1]
            continue
        hashed = _BASIS
        if begins[own] < 0 or ends[own] > len(data):
            raise InconsistentSizes("a cell outside of the labels")
        for at in range(begins[own], ends[own]):
            hashed = (hashed ^ np.uint64(data[at])) * factor
        slot = slot_of(hashed, factor, size)
        while slots[slot] and not _equal(data, begins, ends, firsts[slots[slot] - 1], own):
            slot = (slot + 1) & (size - 1)
        if not slots[slot]:
            firsts[distinct] = own
            distinct += 1
            slots[slot] = distinct
        codes[series] = slots[slot]
    return distinct
