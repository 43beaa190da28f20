"""The kernel that takes series out of many raw blocks at once. `schemas/blocks/codec.py` describes the bytes."""

import numpy as np

from schemas.blocks import raw_kernels, time_kernels
from schemas.blocks.bit_kernels import take_varint
from streamgauge.compiled import njit
from streamgauge.series.sized import NUMBER, Ends, Index, rows_are_rising_and_of_their_own, sized

FINE, TIMES_LENGTH, TIMES, TOO_MANY, VALUES_LENGTH, VALUES = range(6)
"""What `pick` says of a block."""
_SAMPLES_A_SERIES = 8
"""What room is made for at first."""


@sized(
    rows_are_rising_and_of_their_own,
    times="time bytes",
    times_ends=Ends("blocks", within="time bytes"),
    values="value bytes",
    values_ends=Ends("blocks", within="value bytes"),
    series=Index("blocks", below=str(1 << 32)),
    rows="rows",
    rows_ends=Ends("blocks", within="rows"),
    window_starts="blocks",
    width=NUMBER,
    most=NUMBER,
    enough=NUMBER,
    counts="rows",
    verdicts="blocks",
)
@njit(cache=True, nogil=True)
def pick(  # type: ignore[no-untyped-def]
    times,
    times_ends,
    values,
    values_ends,
    series,
    rows,
    rows_ends,
    window_starts,
    width,
    most,
    enough,
    counts,
    verdicts,
):
    """Decode some series of many blocks, one after the other.

    :param times, values: uint8, the blobs of all blocks, each to its end in `times_ends` and `values_ends`.
    :param series: how many each block has. :param rows: int64, those that are wanted of each block, rising, to its end
        in `rows_ends`. :param width: of a window, ms. :param most: samples of a block.
    :param enough: samples of all blocks: when there are more, the blocks after them are passed over as if empty.
    :param counts: int64, is filled with the samples of each wanted series: of damaged blocks 0.
    :param verdicts: uint8, is filled with one for each block.
    :returns: timestamps (m,) int64 and values (m,) uint64, as bits.
    """
    room = _SAMPLES_A_SERIES * len(rows)
    stamps, bits = np.empty(room, np.int64), np.empty(room, np.uint64)
    written = 0
    counts[:] = 0
    from_times = from_values = first = 0
    for block in range(len(verdicts)):
        own_times = times[from_times : times_ends[block]]
        own_values = values[from_values : values_ends[block]]
        wanted = rows[first : rows_ends[block]]
        own_counts = counts[first : rows_ends[block]]
        from_times, from_values, first = times_ends[block], values_ends[block], rows_ends[block]
        if written > enough:
            verdicts[block] = FINE
            continue
        # the first bytes of values are two a series: more series than there can be ask for no memory
        if 2 * series[block] > len(own_values):
            verdicts[block] = VALUES_LENGTH
            continue
        verdict, lists, starts, list_times = _lists(own_times, series[block], window_starts[block], width)
        verdicts[block] = verdict
        if verdict != FINE:
            continue
        all_counts = np.empty(series[block], np.int64)
        for row in range(len(lists)):
            all_counts[row] = starts[lists[row] + 1] - starts[lists[row]]
        if all_counts.sum() > most:
            verdicts[block] = TOO_MANY
            continue
        verdict, heads = _heads(own_values, all_counts)
        verdicts[block] = verdict
        if verdict != FINE:
            continue
        offsets = np.zeros(len(wanted) + 1, np.int64)
        for place in range(len(wanted)):
            own_counts[place] = all_counts[wanted[place]]
            offsets[place + 1] = offsets[place] + own_counts[place]
        end = written + offsets[-1]
        if end > len(bits):
            stamps, bits = _grown(stamps, written, end), _grown(bits, written, end)
        time_kernels.spread(starts, list_times, lists[wanted], offsets, stamps[written:end])
        kinds, scales, widths = _columns(own_values, len(all_counts), heads[0])
        raw_kernels.decode(kinds, scales, widths, all_counts, wanted, heads, own_values, bits[written:end])
        written = end
    return stamps[:written], bits[:written]


@njit(cache=True, nogil=True)
def _lists(data, series, window_start, width):  # type: ignore[no-untyped-def]
    """A verdict, the list of times that each series has, where each list starts, and all their times."""
    lists, starts, times = np.zeros(series, np.int64), np.zeros(1, np.int64), np.empty(len(data), np.int64)
    code_width = np.int64(data[0]) if len(data) else np.int64(3)
    if code_width not in (0, 1, 2, 4):
        return TIMES_LENGTH, lists, starts, times
    number, at = take_varint(data, 1)
    if at < 0 or number > np.uint64(series) or len(data) < at + series * code_width:
        return TIMES_LENGTH, lists, starts, times
    for row in range(series):
        if code_width == 0:
            lists[row] = min(row, 1)
        for byte in range(code_width):
            lists[row] |= np.int64(data[at]) << (8 * byte)
            at += 1
    starts = np.zeros(np.int64(number) + 1, np.int64)
    if not time_kernels.resolve(lists, np.int64(number)):
        return TIMES, lists, starts, times
    is_whole = time_kernels.decode(data[at:], starts, window_start, width, times)
    return FINE if is_whole else TIMES, lists, starts, times


@njit(cache=True, nogil=True)
def _heads(data, counts):  # type: ignore[no-untyped-def]
    """A verdict, and where each plane and the packed bytes of values start; the first is where the widths end."""
    series = len(counts)
    heads = np.zeros(raw_kernels.PLANES + 1, np.int64)
    if len(data) < 2 * series:
        return VALUES_LENGTH, heads
    at = 2 * series + raw_kernels.varying(data[:series])
    if len(data) < at:
        return VALUES_LENGTH, heads
    kinds, scales, widths = _columns(data, series, at)
    sizes = np.empty(raw_kernels.PLANES + 1, np.int64)
    if raw_kernels.measure(kinds, scales, widths, counts, sizes) >= 0:
        return VALUES, heads
    for part in range(len(sizes)):
        heads[part] = at
        at += sizes[part]
    return FINE if at == len(data) else VALUES_LENGTH, heads


@njit(cache=True, nogil=True)
def _columns(data, series, end):  # type: ignore[no-untyped-def]
    """Kinds, scales, and the widths up to their end."""
    return data[:series], data[series : 2 * series], data[2 * series : end]


@njit(cache=True, nogil=True)
def _grown(array, used, needed):  # type: ignore[no-untyped-def]
    """A larger array that begins with what is used of this one."""
    larger = np.empty(max(2 * len(array), needed), array.dtype)
    larger[:used] = array[:used]
    return larger
