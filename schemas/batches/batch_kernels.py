"""The kernel that checks a decoded batch and takes its columns apart, one pass over them."""

import numpy as np

from schemas.blocks.bit_kernels import swapped
from streamgauge.compiled import njit
from streamgauge.series.sized import NUMBER, sized

GOOD, BAD_COUNTS, NO_SAMPLE, WRONG_LANE, UNSORTED_IDS, WRONG_MINUTE, UNSORTED_TIMES = range(7)


@sized(
    packed_ids="words",
    time_offsets="time offsets",
    value_offsets="value offsets",
    times="times",
    values="values",
    lane=NUMBER,
    lanes=NUMBER,
    minute=NUMBER,
    width=NUMBER,
    ids="series, 2",
    offsets="series + 1",
)
@njit(cache=True, nogil=True)
def check(packed_ids, time_offsets, value_offsets, times, values, lane, lanes, minute, width, ids, offsets):  # type: ignore[no-untyped-def]
    """Fill `ids` (n, 2) and `offsets` (n + 1,), which begin at 0; return GOOD or what is wrong, and in which row.

    packed_ids: (2 n,) uint64 as they lie in the message, big-endian. time_offsets, value_offsets: (n + 1,) int32
    into `times` (int64 ms) and `values`. Nothing is trusted.
    """
    rows = len(ids)
    if len(packed_ids) < 2 * rows or len(time_offsets) <= rows or len(value_offsets) <= rows:
        return BAD_COUNTS, 0
    first, first_value = np.int64(time_offsets[0]), np.int64(value_offsets[0])
    if first < 0 or first_value < 0:
        return BAD_COUNTS, 0
    low_mask = np.uint64(0xFFFFFFFF)
    for row in range(rows):
        high, low = swapped(packed_ids[2 * row]), swapped(packed_ids[2 * row + 1])
        begin, end = np.int64(time_offsets[row]), np.int64(time_offsets[row + 1])
        if end - first != np.int64(value_offsets[row + 1]) - first_value or end > len(times):
            return BAD_COUNTS, row
        if end - first + first_value > len(values):
            return BAD_COUNTS, row
        if end <= begin:
            return NO_SAMPLE, row
        if np.int64((high & low_mask) % np.uint64(lanes)) != lane:
            return WRONG_LANE, row
        if row and (high < ids[row - 1, 0] or (high == ids[row - 1, 0] and low <= ids[row - 1, 1])):
            return UNSORTED_IDS, row
        for sample in range(begin, end):
            if times[sample] < minute or times[sample] >= minute + width:
                return WRONG_MINUTE, row
            if sample > begin and times[sample] <= times[sample - 1]:
                return UNSORTED_TIMES, row
        ids[row, 0], ids[row, 1] = high, low
        offsets[row + 1] = end - first
    return GOOD, 0
