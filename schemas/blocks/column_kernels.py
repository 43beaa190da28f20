"""Kernels of a rollup column. `schemas/blocks/columns.py` describes the bytes."""

import numpy as np

from schemas.blocks.bit_kernels import (
    MAX_EXPONENT,
    byte_length,
    decimal,
    least_exponent,
    put_planes,
    swapped,
    unzigzag,
    zigzag,
)
from streamgauge.compiled import njit
from streamgauge.series.hash_kernels import slot_of
from streamgauge.series.sized import NUMBER, Ends, Index, Room, rows_are_rising_and_of_their_own, sized

LENGTHS = 9
"""A number takes 0 to 8 bytes."""
CONSTANT, DICTIONARY, NUMBERS, PLANES = range(4)
_ENTRIES = 256
_EXACT = MAX_EXPONENT + 1
ROOM = 2 + 8 * _ENTRIES
"""Bytes that a column may take beside those of each series."""


@sized(doubles="series", out=Room(f"9 * series + {ROOM}"), factor=NUMBER)
@njit(cache=True, nogil=True)
def encode(doubles, out, factor):  # type: ignore[no-untyped-def]
    """Write the column of doubles (n,) in the form that takes the fewest bytes, and return their number.

    `out` is uint8 with room for ROOM + 9 n bytes. They do not depend on `factor`, `hash_kernels.FACTOR`.
    """
    bits = doubles.view(np.uint64)
    series = len(bits)
    entries, codes = np.empty(_ENTRIES, np.uint64), np.empty(series, np.uint8)
    size = dictionary(bits, entries, codes, factor)
    if size == 1:
        out[0] = CONSTANT
        return _put_words(entries[:1], out, 1)
    kinds, lengths = np.empty(series, np.uint8), np.empty(series, np.int64)
    integers = np.empty(series, np.uint64)
    numbers(doubles, kinds, lengths, integers)
    shortest = series + lengths.sum()
    if 1 <= size <= _ENTRIES and 1 + 8 * size + series < shortest:
        out[0] = DICTIONARY
        out[1] = size - 1
        at = _put_words(entries[:size], out, 2)
        out[at : at + series] = codes
        return at + series
    if shortest < 8 * series:
        out[0] = NUMBERS
        out[1 : 1 + series] = kinds
        return 1 + series + put_planes(np.zeros(series, np.int64), lengths, integers, out[1 + series :])
    out[0] = PLANES
    for plane in range(8):
        for row in range(series):
            out[1 + plane * series + row] = np.uint8(bits[row] >> np.uint64(8 * plane) & np.uint64(0xFF))
    return 1 + 8 * series


@njit(cache=True, nogil=True)
def _put_words(words, out, at):  # type: ignore[no-untyped-def]
    for word in words:
        for byte in range(8):
            out[at] = np.uint8(word >> np.uint64(8 * byte) & np.uint64(0xFF))
            at += 1
    return at


@njit(cache=True, nogil=True)
def dictionary(bits, entries, codes, factor):  # type: ignore[no-untyped-def]
    """Fill `entries` (256,) uint64 with the distinct of bits (n,) uint64 as they first occur, and codes (n,) uint8.

    Returns how many entries there are, or 257 if they are more than 256.
    """
    slots = np.full(1024, -1, np.int64)
    size = 0
    for row in range(len(bits)):
        slot = slot_of(bits[row], factor, 1024)
        while slots[slot] >= 0 and entries[slots[slot]] != bits[row]:
            slot = (slot + 1) & 1023
        if slots[slot] < 0:
            if size == _ENTRIES:
                return 257
            entries[size] = bits[row]
            slots[slot] = size
            size += 1
        codes[row] = slots[slot]
    return size


@njit(cache=True, nogil=True)
def numbers(values, kinds, lengths, integers):  # type: ignore[no-untyped-def]
    """Put each of values (n,) float64 into the number form: fill kinds (n,) uint8, lengths (n,) int64 and
    integers (n,) uint64."""
    bits = values.view(np.uint64)
    mantissa = np.empty(1, np.int64)
    for row in range(len(values)):
        exponent = least_exponent(values[row], bits[row], 0, mantissa, 0)
        if exponent < 0:
            exponent = _EXACT
            integers[row] = swapped(bits[row])
        else:
            integers[row] = zigzag(mantissa[0])
        lengths[row] = byte_length(integers[row])
        kinds[row] = np.uint8(exponent * LENGTHS + lengths[row])


FINE, WRONG_LENGTH, NO_ENTRY, NO_FIT = range(4)
"""What `pick` says of a column."""


@sized(
    rows_are_rising_and_of_their_own,
    data="bytes",
    ends=Ends("columns", within="bytes"),
    series=Index("columns", below=str(1 << 32)),
    rows="rows",
    rows_ends=Ends("columns", within="rows"),
    bits="rows",
    verdicts="columns",
)
@njit(cache=True, nogil=True)
def pick(data, ends, series, rows, rows_ends, bits, verdicts):  # type: ignore[no-untyped-def]
    """Take the doubles of some rows out of many columns.

    :param data: uint8, the columns one after the other, each to its end in `ends`. :param series: how many doubles each
        has. :param rows: int64, those that are wanted of each column, rising, to its end in `rows_ends`.
    :param bits: uint64, is filled with the doubles. :param verdicts: uint8, is filled with one for each column.
    """
    begin = first = 0
    for column in range(len(ends)):
        end, last = ends[column], rows_ends[column]
        verdicts[column] = _pick(data[begin:end], series[column], rows[first:last], bits[first:last])
        begin, first = end, last


@njit(cache=True, nogil=True)
def _pick(data, series, rows, bits):  # type: ignore[no-untyped-def]
    size = len(data)
    if size == 0:
        return WRONG_LENGTH
    if data[0] == CONSTANT and size == 9:
        bits[:] = _word(data, 1)
        return FINE
    if data[0] == DICTIONARY and size > 2 and size == 2 + 8 * (np.int64(data[1]) + 1) + series:
        for row in range(size - series, size):
            if data[row] > data[1]:
                return NO_ENTRY
        for place in range(len(rows)):
            bits[place] = _word(data, 2 + 8 * np.int64(data[size - series + rows[place]]))
        return FINE
    if data[0] == NUMBERS and size > series:
        return FINE if _values(data[1 : 1 + series], data[1 + series :], rows, bits) else NO_FIT
    if data[0] == PLANES and size == 1 + 8 * series:
        for place in range(len(rows)):
            word = np.uint64(0)
            for plane in range(8):
                word |= np.uint64(data[1 + plane * series + rows[place]]) << np.uint64(8 * plane)
            bits[place] = word
        return FINE
    return WRONG_LENGTH


@njit(cache=True, nogil=True)
def _word(data, at):  # type: ignore[no-untyped-def]
    word = np.uint64(0)
    for byte in range(8):
        word |= np.uint64(data[at + byte]) << np.uint64(8 * byte)
    return word


@njit(cache=True, nogil=True)
def _values(kinds, planes, rows, bits):  # type: ignore[no-untyped-def]
    """Fill `bits` with the doubles of these rows of the number form; False if the planes do not fit the kinds."""
    heads = np.zeros(9, np.int64)
    for row in range(len(kinds)):
        if kinds[row] >= (_EXACT + 1) * LENGTHS:
            return False
        for plane in range(kinds[row] % LENGTHS):
            heads[plane + 1] += 1
    for plane in range(8):
        heads[plane + 1] += heads[plane]
    if heads[8] != len(planes):
        return False
    doubles = bits.view(np.float64)
    row = 0
    for place in range(len(rows)):
        while row < rows[place]:
            for plane in range(kinds[row] % LENGTHS):
                heads[plane] += 1
            row += 1
        number = np.uint64(0)
        for plane in range(kinds[row] % LENGTHS):
            number |= np.uint64(planes[heads[plane]]) << np.uint64(8 * plane)
        exponent = np.int64(kinds[row]) // LENGTHS
        if exponent == _EXACT:
            bits[place] = swapped(number)
        else:
            doubles[place] = decimal(unzigzag(number), exponent)
    return True
