"""The yardstick of `codec.py`, after Gorilla: bytes of one series after the other.

Timestamps: zigzag varints of the first time after the window's start, the first step, then the change of
step (Gorilla, section 4.1.1). Values: each is XORed with the one before; a control byte holds the number of
leading zero bytes (high half) and of the bytes that follow (low half), most significant first.
"""

import numpy as np

from streamgauge.compiled import njit

MAX_VARINT = 10
MAX_VALUE = 9


@njit(cache=True, nogil=True)
def encode(offsets, timestamps, values, window_start, ends, time_bytes, value_bytes):  # type: ignore[no-untyped-def]
    """Encode all series; fill `ends` (n, 2) with where the times and values of each end; return both lengths.

    `time_bytes` and `value_bytes` are uint8 with room for 10 and 9 bytes a sample.
    """
    bits = values.view(np.uint64)
    t = 0
    v = 0
    for series in range(len(offsets) - 1):
        time = window_start
        step = np.int64(0)
        previous = np.uint64(0)
        for sample in range(offsets[series], offsets[series + 1]):
            new_step = timestamps[sample] - time
            if sample - offsets[series] < 2:
                t = _put_zigzag(time_bytes, t, new_step)
            else:
                t = _put_zigzag(time_bytes, t, new_step - step)
            step = new_step
            time = timestamps[sample]
            v = _put_xor(value_bytes, v, bits[sample] ^ previous)
            previous = bits[sample]
        ends[series, 0] = t
        ends[series, 1] = v
    return t, v


@njit(cache=True, nogil=True)
def decode(counts, ends, time_bytes, value_bytes, window_start, width, timestamps, values):  # type: ignore[no-untyped-def]
    """Decode all series into `timestamps` (int64) and `values` (float64), of sum(counts) each.

    Returns -1, or the index of the first series that is damaged: bytes that end early or are left over, a
    time that does not rise or leaves [window_start, window_start + width).
    """
    bits = values.view(np.uint64)
    t = 0
    v = 0
    at = 0
    for series in range(len(counts)):
        t_end = np.int64(ends[series, 0])
        v_end = np.int64(ends[series, 1])
        if t_end < t or t_end > len(time_bytes) or v_end < v or v_end > len(value_bytes):
            return series
        time = window_start
        step = np.int64(0)
        previous = np.uint64(0)
        for sample in range(np.int64(counts[series])):
            change, t = _take_zigzag(time_bytes, t, t_end)
            if t < 0:
                return series
            step = change if sample < 2 else step + change
            if step < 0 or step >= width or (sample > 0 and step == 0):
                return series
            time += step
            if time >= window_start + width:
                return series
            difference, v = _take_xor(value_bytes, v, v_end)
            if v < 0:
                return series
            previous ^= difference
            timestamps[at] = time
            bits[at] = previous
            at += 1
        if t != t_end or v != v_end:
            return series
    return -1


@njit(cache=True, nogil=True)
def _put_zigzag(out, at, number):  # type: ignore[no-untyped-def]
    left = np.uint64((number << 1) ^ (number >> 63))
    while left >= np.uint64(0x80):
        out[at] = np.uint8((left & np.uint64(0x7F)) | np.uint64(0x80))
        left >>= np.uint64(7)
        at += 1
    out[at] = np.uint8(left)
    return at + 1


@njit(cache=True, nogil=True)
def _take_zigzag(data, at, end):  # type: ignore[no-untyped-def]
    number = np.uint64(0)
    shift = np.uint64(0)
    while at < end and shift < np.uint64(64):
        byte = np.uint64(data[at])
        at += 1
        number |= (byte & np.uint64(0x7F)) << shift
        if byte < np.uint64(0x80):
            return np.int64(number >> np.uint64(1)) ^ -np.int64(number & np.uint64(1)), at
        shift += np.uint64(7)
    return np.int64(0), -1


@njit(cache=True, nogil=True)
def _put_xor(out, at, difference):  # type: ignore[no-untyped-def]
    if difference == np.uint64(0):
        out[at] = np.uint8(0x80)
        return at + 1
    leading = 0
    while (difference >> np.uint64(8 * (7 - leading))) & np.uint64(0xFF) == np.uint64(0):
        leading += 1
    trailing = 0
    while (difference >> np.uint64(8 * trailing)) & np.uint64(0xFF) == np.uint64(0):
        trailing += 1
    size = 8 - leading - trailing
    out[at] = np.uint8((leading << 4) | size)
    at += 1
    for byte in range(8 - leading - 1, trailing - 1, -1):
        out[at] = np.uint8((difference >> np.uint64(8 * byte)) & np.uint64(0xFF))
        at += 1
    return at


@njit(cache=True, nogil=True)
def _take_xor(data, at, end):  # type: ignore[no-untyped-def]
    if at >= end:
        return np.uint64(0), -1
    leading = np.int64(data[at] >> 4)
    size = np.int64(data[at] & 0x0F)
    at += 1
    if leading + size > 8 or at + size > end:
        return np.uint64(0), -1
    difference = np.uint64(0)
    for _ in range(size):
        difference = (difference << np.uint64(8)) | np.uint64(data[at])
        at += 1
    if size:
        difference <<= np.uint64(8 * (8 - leading - size))
    return difference, at
