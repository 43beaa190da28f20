"""Kernels of the values of a raw block. `schemas/blocks/codec.py` describes the bytes.

Every series is put into the form that takes the fewest bytes:
CONSTANT, EXACT: all values are `first`, a decimal or the bits of a double.
RISING, ZIGZAG: decimals at one exponent, `first` and then the changes of mantissa, which all rise or may fall.
LEVEL: decimals at one exponent, mantissas less the least of them, which is `first`.
XOR: bits of doubles, `first` and then each XORed with the one before (Gorilla, section 4.1.2).
Mantissas at a common exponent are VictoriaMetrics' and ALP's idea; LEVEL is the frame of reference of Goldstein,
Ramakrishnan and Shaft, "Compressing relations and indexes" (ICDE 1998).
"""

import numpy as np

from schemas.blocks.bit_kernels import (
    MAX_EXPONENT,
    bit_length,
    byte_length,
    decimal,
    mantissas,
    put_bits,
    swapped,
    take_bits,
    unzigzag,
    zigzag,
)
from streamgauge.compiled import njit
from streamgauge.series.samples import STALE_BITS
from streamgauge.series.sized import Offsets, Room, sized

CONSTANT, EXACT, RISING, ZIGZAG, LEVEL, XOR = range(6)
ENDS_STALE = 8
PLANES = 16
"""Eight planes of `first` of constant series, then eight of the others."""
_STALE = np.uint64(STALE_BITS)


@sized(
    offsets=Offsets("series", within="samples"),
    values="samples",
    kinds="series",
    scales="series",
    widths="series",
    firsts="series",
    packed=Room("9 * samples"),
)
@njit(cache=True, nogil=True)
def encode(offsets, values, kinds, scales, widths, firsts, packed):  # type: ignore[no-untyped-def]
    """Choose a form for each series and pack it.

    Fills `kinds` and `scales` (n,) uint8, `widths` (n,) uint8 without those of constant series, `firsts` (n,)
    uint64, and `packed`, uint8 with room for 9 bytes a sample.
    Returns how many widths and packed bytes there are.
    """
    bits = values.view(np.uint64)
    series = len(offsets) - 1
    longest = 0
    for row in range(series):
        longest = max(longest, offsets[row + 1] - offsets[row])
    numerators = np.empty(longest, np.int64)
    at = 0
    varying = 0
    for row in range(series):
        begin, end = offsets[row], offsets[row + 1]
        stale = 0
        if end > begin and bits[end - 1] == _STALE:
            stale = ENDS_STALE
            end -= 1
        same = True
        for sample in range(begin + 1, end):
            if bits[sample] != bits[begin]:
                same = False
                break
        exponent = mantissas(values, begin, begin + 1 if same else end, numerators) if end > begin else 0
        if same:
            form, width = (EXACT, 0) if exponent < 0 else (CONSTANT, 0)
            first = np.uint64(0)
            if end > begin:
                first = swapped(bits[begin]) if exponent < 0 else zigzag(numerators[0])
            scale = max(exponent, 0)
        elif exponent < 0:
            form = XOR
            first = swapped(bits[begin])
            scale, width = _xor_range(bits, begin, end)
        else:
            form, first, width = _choose(numerators, end - begin)
            scale = exponent
        kinds[row] = np.uint8(form | stale | (byte_length(first) << 4))
        scales[row] = np.uint8(scale)
        firsts[row] = first
        if not same:
            widths[varying] = np.uint8(width)
            varying += 1
            at = _pack(packed, at, form, first, scale, width, numerators, bits, begin, end)
    return varying, at


@njit(cache=True, nogil=True)
def varying(kinds):  # type: ignore[no-untyped-def]
    """How many series are not constant, and so have a width."""
    count = 0
    for kind in kinds:
        count += _form(kind) > EXACT
    return count


@njit(cache=True, nogil=True)
def measure(kinds, scales, widths, counts, sizes):  # type: ignore[no-untyped-def]
    """Fill `sizes` (PLANES + 1,) int64 with the length of each plane and of all packed bytes.

    Returns -1, or the index of the first series whose kind, scale or width is none.
    """
    sizes[:] = 0
    varying = 0
    for row in range(len(kinds)):
        form = _form(kinds[row])
        count = counts[row] - _stale(kinds[row])
        if form > XOR or _length(kinds[row]) > 8 or count < 0:
            return row
        if scales[row] > (63 if form == XOR else MAX_EXPONENT):
            return row
        plane = _plane(kinds[row])
        for level in range(_length(kinds[row])):
            sizes[plane + level] += 1
        if form > EXACT:
            if widths[varying] > 64:
                return row
            sizes[PLANES] += _packed_bytes(form, widths[varying], count)
            varying += 1
    return -1


@njit(cache=True, nogil=True)
def decode(kinds, scales, widths, counts, rows, heads, data, bits):  # type: ignore[no-untyped-def]
    """Decode the series at these ascending row numbers into `bits` (uint64), one after the other.

    `heads` (PLANES + 1,) int64: where each plane and the packed bytes start in `data`, by `measure`.
    """
    varying = 0
    wanted = 0
    to = 0
    for row in range(len(kinds)):
        if wanted == len(rows):
            return
        form = _form(kinds[row])
        plane = _plane(kinds[row])
        first = np.uint64(0)
        for level in range(_length(kinds[row])):
            first |= np.uint64(data[heads[plane + level]]) << np.uint64(8 * level)
            heads[plane + level] += 1
        width = np.int64(0)
        if form > EXACT:
            width = np.int64(widths[varying])
            varying += 1
        count = counts[row] - _stale(kinds[row])
        if rows[wanted] == row:
            wanted += 1
            _unpack(data, heads[PLANES], form, first, np.int64(scales[row]), width, bits, to, to + count)
            to += counts[row]
            if count < counts[row]:
                bits[to - 1] = _STALE
        if form > EXACT:
            heads[PLANES] += _packed_bytes(form, width, count)


@njit(cache=True, nogil=True)
def _choose(numerators, count):  # type: ignore[no-untyped-def]
    """The smallest form of mantissas that are not all the same: form, first, width."""
    lowest = highest = numerators[0]
    falls = False
    rises = np.uint64(0)
    mixed = np.uint64(0)
    for at in range(1, count):
        change = numerators[at] - numerators[at - 1]
        falls |= change < 0
        rises |= np.uint64(change)
        mixed |= zigzag(change)
        lowest, highest = min(lowest, numerators[at]), max(highest, numerators[at])
    start, base = zigzag(numerators[0]), zigzag(lowest)
    width, spread = bit_length(mixed if falls else rises), bit_length(np.uint64(highest - lowest))
    if 8 * byte_length(base) + count * spread < 8 * byte_length(start) + (count - 1) * width:
        return LEVEL, base, spread
    return ZIGZAG if falls else RISING, start, width


@njit(cache=True, nogil=True)
def _pack(out, at, form, first, scale, width, numerators, bits, begin, end):  # type: ignore[no-untyped-def]
    held = np.uint64(0)
    pending = 0
    base = unzigzag(first)
    for sample in range(begin if form == LEVEL else begin + 1, end):
        here = sample - begin
        if form == XOR:
            number = (bits[sample] ^ bits[sample - 1]) >> np.uint64(scale)
        elif form == LEVEL:
            number = np.uint64(numerators[here] - base)
        elif form == RISING:
            number = np.uint64(numerators[here] - numerators[here - 1])
        else:
            number = zigzag(numerators[here] - numerators[here - 1])
        at, held, pending = put_bits(out, at, held, pending, number, width)
    if pending:
        out[at] = np.uint8(held)
        at += 1
    return at


@njit(cache=True, nogil=True)
def _unpack(data, at, form, first, scale, width, bits, begin, end):  # type: ignore[no-untyped-def]
    values = bits.view(np.float64)
    mantissa = unzigzag(first)
    exact = swapped(first)
    if form == CONSTANT:
        value = decimal(mantissa, scale)
        for sample in range(begin, end):
            values[sample] = value
        return
    if form == EXACT:
        for sample in range(begin, end):
            bits[sample] = exact
        return
    if begin < end:
        if form == XOR:
            bits[begin] = exact
        else:
            values[begin] = decimal(mantissa, scale)
    held = np.uint64(0)
    pending = 0
    for sample in range(begin if form == LEVEL else begin + 1, end):
        number, at, held, pending = take_bits(data, at, held, pending, width)
        if form == XOR:
            exact ^= number << np.uint64(scale)
            bits[sample] = exact
        elif form == LEVEL:
            values[sample] = decimal(mantissa + np.int64(number), scale)
        else:
            mantissa += unzigzag(number) if form == ZIGZAG else np.int64(number)
            values[sample] = decimal(mantissa, scale)


@njit(cache=True, nogil=True)
def _form(kind):  # type: ignore[no-untyped-def]
    return np.int64(kind) & 7


@njit(cache=True, nogil=True)
def _stale(kind):  # type: ignore[no-untyped-def]
    """How many stale markers end the series."""
    return (np.int64(kind) >> 3) & 1


@njit(cache=True, nogil=True)
def _length(kind):  # type: ignore[no-untyped-def]
    """How many bytes `first` has."""
    return np.int64(kind) >> 4


@njit(cache=True, nogil=True)
def _plane(kind):  # type: ignore[no-untyped-def]
    """The plane of the lowest byte of `first`."""
    return 0 if _form(kind) <= EXACT else 8


@njit(cache=True, nogil=True)
def _packed_bytes(form, width, count):  # type: ignore[no-untyped-def]
    numbers = count if form == LEVEL else max(count - 1, 0)
    return (numbers * np.int64(width) + 7) >> 3


@njit(cache=True, nogil=True)
def _xor_range(bits, begin, end):  # type: ignore[no-untyped-def]
    """The place of the lowest bit that changes, and how many bits from there on hold all changes."""
    changed = np.uint64(0)
    for sample in range(begin + 1, end):
        changed |= bits[sample] ^ bits[sample - 1]
    lowest = bit_length(changed & (~changed + np.uint64(1))) - 1
    return lowest, bit_length(changed) - lowest
