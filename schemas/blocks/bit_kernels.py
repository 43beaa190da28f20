"""Kernels that the block kernels share: varints, bits packed low end first, and doubles as decimals.

A decimal is an integer mantissa below 2**53 and an exponent e of ten: the double nearest to mantissa / 10**e.
Both operands are exact, so the division rounds as a parser does, and it is the check that the form loses no bit
(as in ALP: Afroozeh, Kuffó, Boncz, "ALP: Adaptive Lossless floating-Point Compression", SIGMOD 2023).
"""

import numpy as np

from streamgauge.compiled import njit
from streamgauge.series.sized import Index, Number, Room, sized

MAX_VARINT = 10
MAX_EXPONENT = 22
"""10**22 is the largest power of ten that is a double."""
_POWERS = np.array([float(10**exponent) for exponent in range(MAX_EXPONENT + 1)])
_LARGEST = float(2**53)
_BYTES = np.uint64(0x00FF00FF00FF00FF)
_PAIRS = np.uint64(0x0000FFFF0000FFFF)


@njit(cache=True, nogil=True)
def put_varint(out, at, number):  # type: ignore[no-untyped-def]
    """Write a uint64 at `at`; return where it ends."""
    while number >= np.uint64(0x80):
        out[at] = np.uint8((number & np.uint64(0x7F)) | np.uint64(0x80))
        number >>= np.uint64(7)
        at += 1
    out[at] = np.uint8(number)
    return at + 1


@njit(cache=True, nogil=True)
def take_varint(data, at):  # type: ignore[no-untyped-def]
    """Read a uint64 at `at`; return it and where it ends, or -1 if it does not end."""
    number = np.uint64(0)
    shift = np.uint64(0)
    while at < len(data) and shift < np.uint64(64):
        byte = np.uint64(data[at])
        at += 1
        number |= (byte & np.uint64(0x7F)) << shift
        if byte < np.uint64(0x80):
            return number, at
        shift += np.uint64(7)
    return np.uint64(0), -1


@njit(cache=True, nogil=True)
def zigzag(number):  # type: ignore[no-untyped-def]
    """An int64 as a uint64 that is small if it is near 0."""
    return np.uint64((number << np.int64(1)) ^ (number >> np.int64(63)))


@njit(cache=True, nogil=True)
def unzigzag(number):  # type: ignore[no-untyped-def]
    """The int64 of a `zigzag`."""
    return np.int64(number >> np.uint64(1)) ^ -np.int64(number & np.uint64(1))


@njit(cache=True, nogil=True)
def bit_length(number):  # type: ignore[no-untyped-def]
    """How many bits a uint64 takes; 0 for 0."""
    length = 0
    step = 32
    while step:
        if number >> np.uint64(step):
            number >>= np.uint64(step)
            length += step
        step >>= 1
    return length + np.int64(number)


@njit(cache=True, nogil=True)
def byte_length(number):  # type: ignore[no-untyped-def]
    """How many bytes a uint64 takes; 0 for 0."""
    return (bit_length(number) + 7) >> 3


@njit(cache=True, nogil=True)
def swapped(number):  # type: ignore[no-untyped-def]
    """A uint64 with its bytes in the other order; a round double's bits end in zeros, and so get short."""
    number = ((number >> np.uint64(8)) & _BYTES) | ((number & _BYTES) << np.uint64(8))
    number = ((number >> np.uint64(16)) & _PAIRS) | ((number & _PAIRS) << np.uint64(16))
    return (number >> np.uint64(32)) | (number << np.uint64(32))


@njit(cache=True, nogil=True)
def put_planes(firsts, lengths, numbers, out):  # type: ignore[no-untyped-def]
    """Write byte k of numbers (n,) uint64 to plane firsts[i] + k (of 16), lowest first, if k < lengths[i] <= 8.

    A plane holds its bytes in the order of the numbers. `out` has room for 8 bytes a number; returns their length.
    """
    heads = np.zeros(17, np.int64)
    for row in range(len(numbers)):
        for plane in range(firsts[row], firsts[row] + lengths[row]):
            heads[plane + 1] += 1
    for plane in range(16):
        heads[plane + 1] += heads[plane]
    total = heads[16]
    for row in range(len(numbers)):
        number = numbers[row]
        for plane in range(firsts[row], firsts[row] + lengths[row]):
            out[heads[plane]] = np.uint8(number & np.uint64(0xFF))
            heads[plane] += 1
            number >>= np.uint64(8)
    return total


@njit(cache=True, nogil=True)
def put_bits(out, at, held, pending, number, width):  # type: ignore[no-untyped-def]
    """Append `width` (0 to 64) bits of a uint64; `held` has `pending` (below 8) bits not yet written.

    Returns the new `at`, `held` and `pending`.
    """
    while True:
        part = min(width, 32)
        held |= (number & ((np.uint64(1) << np.uint64(part)) - np.uint64(1))) << np.uint64(pending)
        pending += part
        while pending >= 8:
            out[at] = np.uint8(held & np.uint64(0xFF))
            held >>= np.uint64(8)
            pending -= 8
            at += 1
        width -= part
        if width == 0:
            return at, held, pending
        number >>= np.uint64(32)


@njit(cache=True, nogil=True)
def take_bits(data, at, held, pending, width):  # type: ignore[no-untyped-def]
    """Read `width` (0 to 64) bits; the caller has checked that they are there. Returns them, then as `put_bits`."""
    number = np.uint64(0)
    done = 0
    while True:
        part = min(width - done, 32)
        while pending < part:
            held |= np.uint64(data[at]) << np.uint64(pending)
            pending += 8
            at += 1
        number |= (held & ((np.uint64(1) << np.uint64(part)) - np.uint64(1))) << np.uint64(done)
        held >>= np.uint64(part)
        pending -= part
        done += part
        if done == width:
            return number, at, held, pending


@njit(cache=True, nogil=True)
def mantissas(values, begin, end, out):  # type: ignore[no-untyped-def]
    """Fill out[: end - begin] (int64) at the least common exponent and return that, or -1 if there is none."""
    bits = values.view(np.uint64)
    exponent = 0
    for at in range(begin, end):
        exponent = least_exponent(values[at], bits[at], exponent, out, at - begin)
        if exponent < 0:
            return -1
    if exponent:
        for at in range(begin, end):
            if not fits(values[at], bits[at], exponent, out, at - begin):
                return -1
    return exponent


@njit(cache=True, nogil=True)
def least_exponent(value, bits, lowest, out, at):  # type: ignore[no-untyped-def]
    """The least exponent from `lowest` on of which a double is a decimal, or -1; its mantissa goes to out[at]."""
    if fits(value, bits, lowest, out, at):
        return lowest
    limit = _largest_exponent(bits)
    if limit <= lowest or not fits(value, bits, limit, out, at):
        return -1
    lowest += 1
    while not fits(value, bits, lowest, out, at):
        lowest += 1
    return lowest


@njit(cache=True, nogil=True)
def decimal(mantissa, exponent):  # type: ignore[no-untyped-def]
    """The double of a decimal."""
    if exponent == 0:
        return np.float64(mantissa)
    return np.float64(mantissa) / _POWERS[exponent]


@njit(cache=True, nogil=True)
def fits(value, bits, exponent, out, at):  # type: ignore[no-untyped-def]
    """Whether a double is a decimal of this exponent, whose mantissa then goes to out[at]. -0.0 is none."""
    scaled = value * _POWERS[exponent]
    if not abs(scaled) <= _LARGEST:
        return False
    mantissa = np.int64(scaled + 0.5) if scaled >= 0.0 else np.int64(scaled - 0.5)
    out[at] = mantissa
    return decimal(mantissa, exponent) == value and not (mantissa == 0 and bits >> np.uint64(63))


@njit(cache=True, nogil=True)
def _largest_exponent(bits):  # type: ignore[no-untyped-def]
    """An exponent at which every decimal of 15 digits fits that fits at any.

    The scaled value is below 2**51, where the errors of the double and of the product do not reach one half.
    """
    power = np.int64((bits >> np.uint64(52)) & np.uint64(0x7FF)) - 1023
    return min(np.int64(np.floor((50 - power) * 0.30102)), MAX_EXPONENT)


planes = sized(
    firsts=Index("numbers", below="9"),
    lengths=Index("numbers", below="9"),
    numbers="numbers",
    out=Room("8 * numbers"),
)(put_planes)
"""`put_planes` for callers that are no kernels, and so is `varint_at` for `take_varint`."""
varint_at = sized(data="bytes", at=Number(most="bytes"))(take_varint)
