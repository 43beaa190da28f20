"""Kernels of the times of a raw block: each list of timestamps once, and which list a series has.

The series of one scrape share their timestamps, so a list is stored once: a varint of its count, the first time
after the window's start, the first step, then zigzag varints of the change of step (Gorilla, section 4.1.1). A
series has a code: 0 for a list that no series before it had, else the number of its list, from 1 in the order
of first use, so that codes stay the same from minute to minute while the series do.
"""

import numpy as np

from schemas.blocks.bit_kernels import MAX_VARINT, put_varint, take_varint, unzigzag, zigzag
from streamgauge.compiled import njit
from streamgauge.series.hash_kernels import slot_of
from streamgauge.series.sized import NUMBER, Offsets, Room, sized


@sized(
    offsets=Offsets("series", within="samples"),
    timestamps="samples",
    window_start=NUMBER,
    codes="series",
    out=Room(f"{MAX_VARINT} * series + {MAX_VARINT} * samples"),
    factor=NUMBER,
)
@njit(cache=True, nogil=True)
def encode(offsets, timestamps, window_start, codes, out, factor):  # type: ignore[no-untyped-def]
    """Fill `codes` (n,) uint32 and the lists into `out`, uint8 with room for 10 bytes a sample and series.

    Returns the number of lists and of their bytes, which do not depend on `factor`, `hash_kernels.FACTOR`.
    """
    series = len(codes)
    size = 4
    while size < 2 * series:
        size *= 2
    slots = np.zeros(size, np.uint32)
    owners = np.empty(series, np.int64)
    lists = 0
    at = 0
    latest = np.uint32(0)
    for row in range(series):
        begin, end = offsets[row], offsets[row + 1]
        if lists and _same(offsets, timestamps, owners[latest - 1], begin, end):
            codes[row] = latest
            continue
        slot = slot_of(_hash(timestamps, begin, end, factor), factor, size)
        while slots[slot] and not _same(offsets, timestamps, owners[slots[slot] - 1], begin, end):
            slot = (slot + 1) & (size - 1)
        if slots[slot]:
            latest = slots[slot]
            codes[row] = latest
            continue
        owners[lists] = row
        lists += 1
        latest = np.uint32(lists)
        slots[slot] = latest
        codes[row] = 0
        at = _put_list(out, at, timestamps, begin, end, window_start)
    return lists, at


@njit(cache=True, nogil=True)
def decode(data, starts, window_start, width, timestamps):  # type: ignore[no-untyped-def]
    """Decode the lists: fill `starts` (lists + 1,) and `timestamps` (int64), which has an entry a byte of data.

    Returns False for a time that does not rise or leaves [window_start, window_start + width), and for bytes
    that end early or are left over.
    """
    at = 0
    count = 0
    starts[0] = 0
    for number in range(len(starts) - 1):
        size, at = take_varint(data, at)
        if at < 0 or size > np.uint64(len(data) - at):
            return False
        time = np.int64(0)
        step = np.int64(0)
        for sample in range(np.int64(size)):
            raw, at = take_varint(data, at)
            if at < 0:
                return False
            change = np.int64(raw) if sample < 2 else unzigzag(raw)
            step = change if sample < 2 else step + change
            if step < 0 or step >= width or (sample > 0 and step == 0):
                return False
            time += step
            if time >= width:
                return False
            timestamps[count] = window_start + time
            count += 1
        starts[number + 1] = count
    return at == len(data)


@njit(cache=True, nogil=True)
def resolve(codes, lists):  # type: ignore[no-untyped-def]
    """Turn codes (n,) int64 into numbers of lists from 0, in place; False if one is used before it is there."""
    seen = 0
    for row in range(len(codes)):
        if codes[row] == 0:
            codes[row] = seen
            seen += 1
        elif codes[row] > seen:
            return False
        else:
            codes[row] -= 1
    return seen == lists


@njit(cache=True, nogil=True)
def spread(starts, times, lists, offsets, out):  # type: ignore[no-untyped-def]
    """Copy list lists[i] of `times` to out[offsets[i] : offsets[i + 1]]."""
    for row in range(len(lists)):
        begin = starts[lists[row]] - offsets[row]
        for at in range(offsets[row], offsets[row + 1]):
            out[at] = times[begin + at]


@njit(cache=True, nogil=True)
def _put_list(out, at, timestamps, begin, end, window_start):  # type: ignore[no-untyped-def]
    at = put_varint(out, at, np.uint64(end - begin))
    time = np.int64(window_start)
    step = np.int64(0)
    for sample in range(begin, end):
        new_step = timestamps[sample] - time
        number = np.uint64(new_step) if sample - begin < 2 else zigzag(new_step - step)
        at = put_varint(out, at, number)
        step = new_step
        time = timestamps[sample]
    return at


@njit(cache=True, nogil=True)
def _same(offsets, timestamps, row, begin, end):  # type: ignore[no-untyped-def]
    start = offsets[row]
    if offsets[row + 1] - start != end - begin:
        return False
    while begin < end and timestamps[start] == timestamps[begin]:
        start += 1
        begin += 1
    return begin == end


@njit(cache=True, nogil=True)
def _hash(timestamps, begin, end, factor):  # type: ignore[no-untyped-def]
    mixed = np.uint64(end - begin)
    for at in range(begin, end):
        mixed = (mixed ^ np.uint64(timestamps[at])) * factor
        mixed ^= mixed >> np.uint64(29)
    return mixed
