"""Kernels that pack the rising finite means of one digest, in three ways; each read is checked.

A put function returns where it ended, or -1 if its way does not fit; a take function the same, or -1 for
damage. Integers are varints (LEB128), signed ones zigzag.
"""

from math import frexp, ldexp

import numpy as np

from streamgauge.compiled import njit

MAX_DECIMALS = 9
_WHOLE = 2**53
_LOWEST_EXPONENT, _HIGHEST_EXPONENT = -1074, 1024
_MANTISSA = 256
_ESCAPE = 15
_TOP = np.uint64(1 << 63)


@njit(cache=True, nogil=True)
def put_decimal(out, at, means):  # type: ignore[no-untyped-def]
    """The number of decimals, the first mean and then the steps up, in units of the last decimal."""
    decimals = 0
    for mean in means:
        while decimals <= MAX_DECIMALS and not is_decimal(mean, 10.0**decimals):
            decimals += 1
    if decimals > MAX_DECIMALS:
        return -1
    scale = 10.0**decimals
    for mean in means:
        if not is_decimal(mean, scale):
            return -1
    out[at] = decimals
    before = np.int64(np.rint(means[0] * scale))
    at = put_zigzag(out, at + 1, before)
    for mean in means[1:]:
        whole = np.int64(np.rint(mean * scale))
        at = put_varint(out, at, whole - before)
        before = whole
    return at


@njit(cache=True, nogil=True)
def is_decimal(mean, scale):  # type: ignore[no-untyped-def]
    """Whether a number is exactly an integer (at most 2**53) divided by `scale`."""
    whole = np.rint(mean * scale)
    return abs(whole) <= _WHOLE and whole / scale == mean


@njit(cache=True, nogil=True)
def take_decimal(packed, at, means):  # type: ignore[no-untyped-def]
    """Fill in `means` from what `put_decimal` wrote."""
    if at >= len(packed) or packed[at] > MAX_DECIMALS:
        return -1
    scale = 10.0 ** np.int64(packed[at])
    whole, at = take_zigzag(packed, at + 1)
    for centroid in range(len(means)):
        if centroid:
            step, at = take_varint(packed, at)
            if at < 0 or step > 2 * _WHOLE:
                return -1
            whole += step
        if at < 0 or abs(whole) > _WHOLE:
            return -1
        means[centroid] = whole / scale
    return at


@njit(cache=True, nogil=True)
def put_ordered(out, at, means):  # type: ignore[no-untyped-def]
    """Steps between the bits of the means, mapped to integers of the same order.

    Each is a byte, with the number of leading zero bytes in its high half and the number of those that follow
    in its low half, and these, most significant first, without the zero bytes at the end.
    """
    bits = means.view(np.uint64)
    before = np.uint64(0)
    for centroid in range(len(means)):
        ranked = ~bits[centroid] if bits[centroid] & _TOP else bits[centroid] | _TOP
        at = _put_step(out, at, ranked - before)
        before = ranked
    return at


@njit(cache=True, nogil=True)
def _put_step(out, at, step):  # type: ignore[no-untyped-def]
    leading, end = 0, 8
    while leading < 8 and (step >> np.uint64(8 * (7 - leading))) & np.uint64(0xFF) == np.uint64(0):
        leading += 1
    while end > leading and (step >> np.uint64(8 * (8 - end))) & np.uint64(0xFF) == np.uint64(0):
        end -= 1
    out[at] = (leading << 4) | (end - leading)
    at += 1
    for byte in range(leading, end):
        out[at] = np.uint8((step >> np.uint64(8 * (7 - byte))) & np.uint64(0xFF))
        at += 1
    return at


@njit(cache=True, nogil=True)
def take_ordered(packed, at, means):  # type: ignore[no-untyped-def]
    """Fill in `means` from what `put_ordered` wrote."""
    bits = means.view(np.uint64)
    ranked = np.uint64(0)
    for centroid in range(len(means)):
        if at >= len(packed):
            return -1
        leading, size = np.int64(packed[at] >> 4), np.int64(packed[at] & 15)
        at += 1
        if leading + size > 8 or at + size > len(packed):
            return -1
        step = np.uint64(0)
        for byte in range(leading, leading + size):
            step |= np.uint64(packed[at]) << np.uint64(8 * (7 - byte))
            at += 1
        ranked += step
        bits[centroid] = ranked ^ _TOP if ranked & _TOP else ~ranked
    return at


@njit(cache=True, nogil=True)
def put_grid(out, at, means):  # type: ignore[no-untyped-def]
    """Whole multiples of a power of 2: the exponent, the first, and the steps as 8 bits below a leading bit.

    A step is m for level 0 and (256 + m) << (level - 1) above. After the exponent and the first multiple come
    the level of the first step, all m, and by half bytes (the low half first) how much each level differs from
    the one before, 7 for not at all; 15 stands for a level of its own, which follows at the end.
    """
    exponent = _HIGHEST_EXPONENT
    for mean in means:
        if mean != 0.0:
            fraction, high = frexp(mean)
            whole = np.int64(ldexp(fraction, 53))
            exponent = min(exponent, high - 53 + _trailing_zeros(whole))
    exponent = max(exponent, _LOWEST_EXPONENT)
    if exponent == _HIGHEST_EXPONENT:
        exponent = 0
    size = len(means)
    steps = np.empty(size, np.int64)
    before = np.int64(0)
    for centroid in range(size):
        if not -_WHOLE <= ldexp(means[centroid], -exponent) <= _WHOLE:
            return -1
        whole = np.int64(ldexp(means[centroid], -exponent))
        steps[centroid] = whole - before
        before = whole
        level = _level(steps[centroid])
        if centroid and level and steps[centroid] & ((1 << (level - 1)) - 1):
            return -1
    at = put_zigzag(out, at, np.int64(exponent))
    at = put_zigzag(out, at, steps[0])
    if size == 1:
        return at
    level = _level(steps[1])
    out[at] = level
    at += 1
    halves = at + size - 1
    at = halves + size // 2
    out[halves:at] = 0
    for centroid in range(1, size):
        own = _level(steps[centroid])
        out[halves - size + centroid] = (steps[centroid] >> max(own - 1, 0)) & 255
        half = own - level + 7
        if not 0 <= half < _ESCAPE:
            half = _ESCAPE
            out[at] = own
            at += 1
        out[halves + (centroid - 1) // 2] |= half << (4 * ((centroid - 1) % 2))
        level = own
    return at


@njit(cache=True, nogil=True)
def _level(step):  # type: ignore[no-untyped-def]
    level = 0
    while step >> max(level - 1, 0) >= (2 * _MANTISSA if level else _MANTISSA):
        level += 1
    return level


@njit(cache=True, nogil=True)
def _trailing_zeros(whole):  # type: ignore[no-untyped-def]
    zeros = 0
    while whole & 1 == 0:
        whole >>= 1
        zeros += 1
    return zeros


@njit(cache=True, nogil=True)
def take_grid(packed, at, means):  # type: ignore[no-untyped-def]
    """Fill in `means` from what `put_grid` wrote."""
    size = len(means)
    exponent, at = take_zigzag(packed, at)
    if at < 0 or not _LOWEST_EXPONENT <= exponent <= _HIGHEST_EXPONENT:
        return -1
    whole, at = take_zigzag(packed, at)
    if at < 0 or abs(whole) > _WHOLE:
        return -1
    means[0] = ldexp(float(whole), int(exponent))
    if size == 1:
        return at
    low = at + 1
    halves = low + size - 1
    at = halves + size // 2
    if at > len(packed):
        return -1
    level = np.int64(packed[low - 1])
    for centroid in range(1, size):
        half = np.int64(packed[halves + (centroid - 1) // 2] >> (4 * ((centroid - 1) % 2))) & 15
        if half == _ESCAPE:
            if at >= len(packed):
                return -1
            level = np.int64(packed[at])
            at += 1
        else:
            level += half - 7
        if not 0 <= level <= 54:
            return -1
        step = np.int64(packed[low + centroid - 1])
        if level:
            step = (step + _MANTISSA) << (level - 1)
        whole += step
        if whole > _WHOLE:
            return -1
        means[centroid] = ldexp(float(whole), int(exponent))
    return at


@njit(cache=True, nogil=True)
def put_varint(out, at, number):  # type: ignore[no-untyped-def]
    """Append a number that is not negative."""
    while number >= 128:
        out[at] = (number & 127) | 128
        number >>= 7
        at += 1
    out[at] = number
    return at + 1


@njit(cache=True, nogil=True)
def take_varint(packed, at):  # type: ignore[no-untyped-def]
    """The number at this place (below 2**56), and where the next one begins, -1 for damage."""
    number = np.int64(0)
    for shift in range(0, 56, 7):
        if at >= len(packed):
            return np.int64(0), -1
        byte = np.int64(packed[at])
        at += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, at
    return np.int64(0), -1


@njit(cache=True, nogil=True)
def put_zigzag(out, at, number):  # type: ignore[no-untyped-def]
    """Append a signed number."""
    return put_varint(out, at, (number << 1) ^ (number >> 63))


@njit(cache=True, nogil=True)
def take_zigzag(packed, at):  # type: ignore[no-untyped-def]
    """As `take_varint`, for a signed number."""
    number, at = take_varint(packed, at)
    return (number >> 1) ^ -(number & 1), at
