"""Blocks: the rows of `metrics_raw` and of the rollup tables.

A block holds the series of one lane, metric group, slice and window, sorted by id. A block whose structure
shows damage raises `InvalidBlock`. Blobs hold columns of all series, so that what stays the same from minute to
minute is the same run of bytes, which Cassandra's compression folds. Integers are little-endian, n is the number
of series, a varint is LEB128.

`ids`: varint number of metric names, their hashes (4 bytes each), how many series each has (varints), then n times
the 4 bytes of the other labels' hash, then n times the 8 bytes of the whole hash (`streamgauge/series/ids.py`).

`timestamps`: width of a code in bytes (0, 1, 2, 4; 0 if all series share one list), varint number of lists, n codes,
lists (`schemas/time_kernels.py`).

`samples`: n kinds, n scales, widths, planes, packed bits. A kind is form | 8 if a stale marker ends the
series | length of `first` in bytes << 4. A scale is the exponent of ten; for XOR it is the place of the lowest bit
that changes. Widths are those of series that are not constant. There are eight planes for the constant series and
eight for the others: plane k holds byte k, lowest first, of every `first` longer than k, which is a zigzag mantissa or
a double's bits with the bytes reversed. Packed bits: for each series that is not constant count - 1 numbers (LEVEL:
count) of its width, low bits first, in whole bytes. The forms are in `schemas/raw_kernels.py`.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from schemas import id_kernels, raw_kernels, time_kernels
from schemas.bit_kernels import MAX_VARINT, put_planes, put_varint, take_varint
from schemas.invalid_block import BlockFault, InvalidBlock
from streamgauge.series.id_kernels import rows_of
from streamgauge.series.ids import Ids
from streamgauge.series.samples import Samples

RAW_FORMAT = 2
ON_TIME = b""
"""The `part` of the block that a window wrote when its minute closed."""
MAX_SAMPLES = 1 << 20
"""The most samples of a raw block: a damaged one cannot ask for more memory than these take."""


@dataclass(frozen=True, slots=True)
class RawBlock:
    """The blobs of a raw row."""

    ids: bytes
    timestamps: bytes
    samples: bytes
    format: int = RAW_FORMAT


def late_part(partition: int, first_offset: int, last_offset: int) -> bytes:
    """The `part` of a block made from late batches: the Kafka range they came from."""
    return partition.to_bytes(4, "big") + first_offset.to_bytes(8, "big") + last_offset.to_bytes(8, "big")


def encode_raw(samples: Samples, window_start: int) -> RawBlock:
    """Encode samples of one window (ms), ids sorted and distinct, timestamps of a series rising.

    :raises ValueError: for more than MAX_SAMPLES samples.
    """
    if len(samples.values) > MAX_SAMPLES:
        raise ValueError(f"{len(samples.values)} samples, a raw block holds {MAX_SAMPLES}")
    return RawBlock(encode_ids(samples.ids), _encode_times(samples, window_start), _encode_values(samples))


def decode_raw(block: RawBlock, window_start: int, width_ms: int, wanted: Ids | None = None) -> Samples:
    """Decode a raw block, or only those of the `wanted` ids (sorted, distinct) that it holds.

    :raises InvalidBlock: with the kind of damage.
    """
    if block.format != RAW_FORMAT:
        raise InvalidBlock(BlockFault.UNKNOWN_FORMAT, f"raw format {block.format}, this reads {RAW_FORMAT}")
    ids = decode_ids(block.ids)
    rows = np.arange(len(ids)) if wanted is None else rows_of(ids, wanted)
    starts, times, lists = _decode_times(block.timestamps, len(ids), window_start, width_ms)
    counts = np.diff(starts)[lists]
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts[rows])])
    if counts.sum() > MAX_SAMPLES:
        raise InvalidBlock(BlockFault.WRONG_LENGTH, f"{counts.sum()} samples")
    values = _decode_values(block.samples, counts, rows)
    timestamps = np.empty(len(values), np.int64)
    time_kernels.spread(starts, times, lists[rows], offsets, timestamps)
    return Samples(ids[rows], offsets, timestamps, values)


def encode_ids(ids: Ids) -> bytes:
    """Pack the sorted ids of a row."""
    series = len(ids)
    names, labels = (np.empty(series, "<u4") for _ in range(2))
    rests, counts = np.empty(series, "<u8"), np.empty(series * MAX_VARINT, np.uint8)
    distinct, size = id_kernels.encode(ids, names, labels, rests, counts)
    columns = (names[:distinct], counts[:size], labels, rests)
    return _varint(distinct) + b"".join(column.tobytes() for column in columns)


def decode_ids(data: bytes) -> Ids:
    """Unpack the ids of a row.

    :raises InvalidBlock: if they are not whole, sorted and distinct.
    """
    raw = np.frombuffer(data, np.uint8)
    distinct, at = take_varint(raw, 0)
    if at < 0 or distinct > len(raw) // 5:
        raise InvalidBlock(BlockFault.WRONG_LENGTH, f"{distinct} metric names in {len(data)} bytes of ids")
    names = np.frombuffer(data[at : at + 4 * distinct], "<u4")
    counts = np.empty(distinct, np.int64)
    series, at = id_kernels.take_counts(raw, at + 4 * distinct, counts)
    if at < 0 or len(data) - at != 12 * series:
        raise InvalidBlock(BlockFault.WRONG_LENGTH, f"{len(data)} bytes of ids of {series} series")
    labels = np.frombuffer(data[at : at + 4 * series], "<u4")
    rests = np.frombuffer(data[at + 4 * series :], "<u8")
    ids = np.empty((series, 2), np.uint64)
    if not id_kernels.decode(names, counts, labels, rests, ids):
        raise InvalidBlock(BlockFault.BAD_ORDER, "ids are not sorted and distinct")
    return ids


def _encode_times(samples: Samples, window_start: int) -> bytes:
    series, total = len(samples.ids), len(samples.timestamps)
    codes = np.empty(series, np.uint32)
    out = np.empty((series + total) * MAX_VARINT, np.uint8)
    lists, size = time_kernels.encode(
        samples.offsets, np.ascontiguousarray(samples.timestamps), window_start, codes, out
    )
    width = 0 if lists == 1 else 1 if lists < 1 << 8 else 2 if lists < 1 << 16 else 4
    packed = codes.astype(f"<u{width}").tobytes() if width else b""
    return bytes([width]) + _varint(lists) + packed + out[:size].tobytes()


def _decode_times(
    data: bytes, series: int, window_start: int, width_ms: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Where each list of times starts, all their times, and the list of each series."""
    raw = np.frombuffer(data, np.uint8)
    width = data[0] if data else 255
    number, at = take_varint(raw, 1) if width in (0, 1, 2, 4) else (0, -1)
    if at < 0 or number > series or len(data) < at + series * width:
        raise InvalidBlock(BlockFault.WRONG_LENGTH, f"{len(data)} bytes of times of {series} series")
    if width:
        codes = np.frombuffer(data, f"<u{width}", series, at).astype(np.int64)
    else:
        codes = np.minimum(np.arange(series), 1)
    starts = np.zeros(int(number) + 1, np.int64)
    times = np.empty(len(data), np.int64)
    if not (
        time_kernels.resolve(codes, len(starts) - 1)
        and time_kernels.decode(raw[at + series * width :], starts, window_start, width_ms, times)
    ):
        raise InvalidBlock(BlockFault.DAMAGED, "times")
    return starts, times, codes


def _encode_values(samples: Samples) -> bytes:
    series, total = len(samples.ids), len(samples.values)
    kinds, scales, widths = (np.empty(series, np.uint8) for _ in range(3))
    firsts = np.empty(series, np.uint64)
    packed = np.empty(total * 9, np.uint8)
    varying, size = raw_kernels.encode(
        samples.offsets, np.ascontiguousarray(samples.values), kinds, scales, widths, firsts, packed
    )
    planes = np.empty(series * 8, np.uint8)
    places = np.where((kinds & 7) > raw_kernels.EXACT, 8, 0)
    length = put_planes(places, (kinds >> 4).astype(np.int64), firsts, planes)
    columns = (kinds, scales, widths[:varying], planes[:length], packed[:size])
    return b"".join(column.tobytes() for column in columns)


def _decode_values(
    data: bytes, counts: npt.NDArray[np.int64], rows: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    raw = np.frombuffer(data, np.uint8)
    series = len(counts)
    if len(raw) < 2 * series:
        raise InvalidBlock(BlockFault.WRONG_LENGTH, f"{len(data)} bytes of values of {series} series")
    kinds, scales = raw[:series], raw[series : 2 * series]
    varying = int(np.count_nonzero((kinds & 7) > raw_kernels.EXACT))
    at = 2 * series + varying
    if len(raw) < at:
        raise InvalidBlock(BlockFault.WRONG_LENGTH, f"{len(data)} bytes of values, {varying} of them widths")
    widths = raw[2 * series : at]
    sizes = np.empty(raw_kernels.PLANES + 1, np.int64)
    damaged = raw_kernels.measure(kinds, scales, widths, counts, sizes)
    if damaged >= 0:
        raise InvalidBlock(BlockFault.DAMAGED, f"values of series {damaged} of {series}")
    if at + sizes.sum() != len(raw):
        raise InvalidBlock(BlockFault.WRONG_LENGTH, f"{len(data)} bytes of values, not {at + sizes.sum()}")
    heads = at + np.cumsum(sizes) - sizes
    bits = np.empty(counts[rows].sum(), np.uint64)
    raw_kernels.decode(kinds, scales, widths, counts, rows, heads, raw, bits)
    return bits.view(np.float64)


def _varint(number: int) -> bytes:
    out = np.empty(MAX_VARINT, np.uint8)
    return out[: put_varint(out, 0, np.uint64(number))].tobytes()
