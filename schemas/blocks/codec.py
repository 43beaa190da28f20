"""Blocks: the rows of `metrics_raw` and of the rollup tables.

A block holds the series of one lane, metric group, slice and window, sorted by id. A block whose structure
shows damage raises `InvalidBlock`. Blobs hold columns of all series, so that what stays the same from minute to
minute is the same run of bytes, which Cassandra's compression folds. Integers are little-endian, n is the number
of series, a varint is LEB128.

`ids`: varint number of metric names, their hashes (4 bytes each), how many series each has (varints), then n times
the 4 bytes of the other labels' hash, then n times the 8 bytes of the whole hash (`streamgauge/series/ids.py`).

`timestamps`: width of a code in bytes (0, 1, 2, 4; 0 if all series share one list), varint number of lists, n codes,
lists (`schemas/blocks/time_kernels.py`).

`samples`: n kinds, n scales, widths, planes, packed bits. A kind is form | 8 if a stale marker ends the
series | length of `first` in bytes << 4. A scale is the exponent of ten; for XOR it is the place of the lowest bit
that changes. Widths are those of series that are not constant. There are eight planes for the constant series and
eight for the others: plane k holds byte k, lowest first, of every `first` longer than k, which is a zigzag mantissa or
a double's bits with the bytes reversed. Packed bits: for each series that is not constant count - 1 numbers (LEVEL:
count) of its width, low bits first, in whole bytes. The forms are in `schemas/blocks/raw_kernels.py`.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from schemas.blocks import id_kernels, raw_kernels, raw_row_kernels, time_kernels
from schemas.blocks.bit_kernels import MAX_VARINT, planes, varint_at
from schemas.blocks.blobs import BlockFault, InvalidBlock, joined
from schemas.protobuf import varint
from streamgauge.series.hash_kernels import FACTOR
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


class PickedSamples(NamedTuple):
    """Series of several blocks one after the other.

    counts: (n,) int64, the samples of each. timestamps: (m,) int64, ms. values: (m,) float64.
    """

    counts: npt.NDArray[np.int64]
    timestamps: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]


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
    picked, faults = decode_raw_rows(
        [block.timestamps], [block.samples], [len(ids)], [rows], [window_start], width_ms
    )
    for fault in faults.values():
        raise fault
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(picked.counts)])
    return Samples(ids[rows], offsets, picked.timestamps, picked.values)


def decode_raw_rows(
    timestamps: Sequence[bytes],
    samples: Sequence[bytes],
    series: Sequence[int],
    rows: Sequence[npt.NDArray[np.int64]],
    window_starts: Sequence[int],
    width_ms: int,
    enough: int = sys.maxsize,
) -> tuple[PickedSamples, dict[int, InvalidBlock]]:
    """Decode some series of many raw blocks at once, whose ids are known.

    :param series: how many each block has. :param rows: which of them are wanted, rising.
    :param enough: samples; as soon as there are more, the blocks that follow are passed over.
    :returns: the wanted series one after the other, and what is wrong with blocks by their numbers; of these no series
        has a sample.
    """
    counts, verdicts = np.empty(sum(len(own) for own in rows), np.int64), np.empty(len(rows), np.uint8)
    if not rows:
        return PickedSamples(counts, np.zeros(0, np.int64), np.zeros(0)), {}
    times, bits = raw_row_kernels.pick(
        *joined(timestamps),
        *joined(samples),
        np.array(series, np.int64),
        np.concatenate(rows),
        np.cumsum([len(own) for own in rows], dtype=np.int64),
        np.array(window_starts, np.int64),
        width_ms,
        MAX_SAMPLES,
        enough,
        counts,
        verdicts,
    )
    faults = {
        number: _fault(verdicts[number], timestamps[number], samples[number], series[number])
        for number in np.flatnonzero(verdicts != raw_row_kernels.FINE).tolist()
    }
    return PickedSamples(counts, times, bits.view(np.float64)), faults


def encode_ids(ids: Ids) -> bytes:
    """Pack the sorted ids of a row."""
    series = len(ids)
    names, labels = (np.empty(series, "<u4") for _ in range(2))
    rests, counts = np.empty(series, "<u8"), np.empty(series * MAX_VARINT, np.uint8)
    distinct, size = id_kernels.encode(ids, names, labels, rests, counts)
    columns = (names[:distinct], counts[:size], labels, rests)
    return varint(distinct) + b"".join(column.tobytes() for column in columns)


def decode_ids(data: bytes) -> Ids:
    """Unpack the ids of a row.

    :raises InvalidBlock: if they are not whole, sorted and distinct.
    """
    raw = np.frombuffer(data, np.uint8)
    distinct, at = varint_at(raw, 0)
    if at < 0 or distinct > (len(raw) - at) // 5:
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
        samples.offsets, np.ascontiguousarray(samples.timestamps), window_start, codes, out, FACTOR
    )
    width = 0 if lists == 1 else 1 if lists < 1 << 8 else 2 if lists < 1 << 16 else 4
    packed = codes.astype(f"<u{width}").tobytes() if width else b""
    return bytes([width]) + varint(lists) + packed + out[:size].tobytes()


def _encode_values(samples: Samples) -> bytes:
    series, total = len(samples.ids), len(samples.values)
    kinds, scales, widths = (np.empty(series, np.uint8) for _ in range(3))
    firsts = np.empty(series, np.uint64)
    packed = np.empty(total * 9, np.uint8)
    varying, size = raw_kernels.encode(
        samples.offsets, np.ascontiguousarray(samples.values), kinds, scales, widths, firsts, packed
    )
    bytes_of_firsts = np.empty(series * 8, np.uint8)
    places = np.where((kinds & 7) > raw_kernels.EXACT, 8, 0)
    length = planes(places, (kinds >> 4).astype(np.int64), firsts, bytes_of_firsts)
    columns = (kinds, scales, widths[:varying], bytes_of_firsts[:length], packed[:size])
    return b"".join(column.tobytes() for column in columns)


def _fault(verdict: int, timestamps: bytes, samples: bytes, series: int) -> InvalidBlock:
    if verdict == raw_row_kernels.TIMES:
        return InvalidBlock(BlockFault.DAMAGED, "times")
    if verdict == raw_row_kernels.VALUES:
        return InvalidBlock(BlockFault.DAMAGED, f"values of {series} series")
    if verdict == raw_row_kernels.TOO_MANY:
        return InvalidBlock(BlockFault.WRONG_LENGTH, f"more than {MAX_SAMPLES} samples")
    name, blob = ("times", timestamps) if verdict == raw_row_kernels.TIMES_LENGTH else ("values", samples)
    return InvalidBlock(BlockFault.WRONG_LENGTH, f"{len(blob)} bytes of {name} of {series} series")
