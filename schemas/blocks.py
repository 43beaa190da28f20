"""Blocks: the rows of `metrics_raw` and of the rollup tables.

A block holds the series of one lane, metric group, slice and window, sorted by id. Every column is one blob,
so that a reader fetches only what it needs. A block whose structure shows damage raises `InvalidBlock`.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from schemas import raw_kernels
from schemas.tables import QUANTILES, ROLLUP_COLUMNS
from streamgauge.series import ids as series_ids
from streamgauge.series.ids import Ids
from streamgauge.series.samples import Samples

_KINDS = ROLLUP_COLUMNS | dict.fromkeys(QUANTILES, "<f8")
RAW_FORMAT = 1
ROLLUP_FORMAT = 1
ON_TIME = b""
"""The `part` of the block that a window wrote when its minute closed."""


class BlockFault(StrEnum):
    """How a block is damaged."""

    UNKNOWN_FORMAT = "unknown_format"
    WRONG_LENGTH = "wrong_length"
    BAD_ORDER = "bad_order"
    DAMAGED = "damaged"


class InvalidBlock(ValueError):
    """A block that does not decode.

    :param reason: the kind of damage, for counters.
    """

    def __init__(self, reason: BlockFault, detail: str) -> None:
        super().__init__(f"{reason.value}: {detail}")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class RawBlock:
    """The blobs of a raw row. `offsets`: per series the count and the ends of its times and values, "<u4"."""

    ids: bytes
    offsets: bytes
    timestamps: bytes
    samples: bytes
    format: int = RAW_FORMAT


def late_part(partition: int, first_offset: int, last_offset: int) -> bytes:
    """The `part` of a block made from late batches: the Kafka range they came from."""
    return partition.to_bytes(4, "big") + first_offset.to_bytes(8, "big") + last_offset.to_bytes(8, "big")


def encode_raw(samples: Samples, window_start: int) -> RawBlock:
    """Encode samples of one window, ids sorted and distinct, timestamps of a series rising."""
    total = len(samples.timestamps)
    ends = np.zeros((len(samples.ids), 2), np.uint32)
    times = np.empty(total * raw_kernels.MAX_VARINT, np.uint8)
    values = np.empty(total * raw_kernels.MAX_VALUE, np.uint8)
    t, v = raw_kernels.encode(
        samples.offsets,
        np.ascontiguousarray(samples.timestamps),
        np.ascontiguousarray(samples.values),
        window_start,
        ends,
        times,
        values,
    )
    offsets = np.column_stack([np.diff(samples.offsets).astype("<u4"), ends.astype("<u4")])
    return RawBlock(
        encode_ids(samples.ids),
        offsets.astype("<u4").tobytes(),
        times[:t].tobytes(),
        values[:v].tobytes(),
    )


def decode_raw(block: RawBlock, window_start: int, width_ms: int) -> Samples:
    """Decode a raw block.

    :raises InvalidBlock: with the kind of damage.
    """
    if block.format != RAW_FORMAT:
        raise InvalidBlock(BlockFault.UNKNOWN_FORMAT, f"raw format {block.format}, this reads {RAW_FORMAT}")
    ids = decode_ids(block.ids)
    if len(block.offsets) != len(ids) * 12:
        raise InvalidBlock(
            BlockFault.WRONG_LENGTH, f"{len(block.offsets)} bytes of offsets, {len(ids)} series"
        )
    table = np.frombuffer(block.offsets, "<u4").reshape(-1, 3).astype(np.int64)
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(table[:, 0])])
    total = int(offsets[-1])
    # a sample takes at least a byte in both columns, so a damaged count cannot ask for more memory than that
    if total > min(len(block.timestamps), len(block.samples)):
        raise InvalidBlock(
            BlockFault.WRONG_LENGTH, f"{total} samples in {len(block.timestamps)} bytes of times"
        )
    timestamps, values = np.empty(total, np.int64), np.empty(total, np.float64)
    damaged = raw_kernels.decode(
        table[:, 0],
        table[:, 1:],
        np.frombuffer(block.timestamps, np.uint8),
        np.frombuffer(block.samples, np.uint8),
        window_start,
        width_ms,
        timestamps,
        values,
    )
    if damaged >= 0:
        raise InvalidBlock(BlockFault.DAMAGED, f"series {damaged} of {len(ids)}")
    return Samples(ids, offsets, timestamps, values)


def narrow_raw(block: RawBlock, rows: npt.NDArray[np.int64]) -> RawBlock:
    """The block with only the series at these ascending row numbers, nothing decoded.

    :raises InvalidBlock: if the offsets do not fit the columns.
    """
    if len(block.offsets) != len(block.ids) // series_ids.ID_BYTES * 12:
        raise InvalidBlock(BlockFault.WRONG_LENGTH, f"{len(block.offsets)} bytes of offsets")
    table = np.frombuffer(block.offsets, "<u4").reshape(-1, 3)
    if len(rows) == len(table):
        return block
    ids = np.frombuffer(block.ids, np.uint8).reshape(-1, series_ids.ID_BYTES)[rows]
    kept = table[rows].copy()
    columns = []
    for at, data in ((1, block.timestamps), (2, block.samples)):
        ends = table[:, at].astype(np.int64)
        starts = np.concatenate([np.zeros(1, np.int64), ends[:-1]])
        if np.any(starts > ends) or (len(ends) and ends[-1] > len(data)):
            raise InvalidBlock(BlockFault.DAMAGED, "offsets that fall, or end after the data")
        sizes = (ends - starts)[rows]
        kept[:, at] = np.cumsum(sizes)
        picked = np.repeat(starts[rows] - (np.cumsum(sizes) - sizes), sizes) + np.arange(sizes.sum())
        columns.append(np.frombuffer(data, np.uint8)[picked].tobytes())
    times, values = columns
    return RawBlock(ids.tobytes(), kept.tobytes(), times, values, block.format)


def encode_column(name: str, column: npt.NDArray[np.generic]) -> bytes:
    """Pack one aggregate of a rollup row."""
    return column.astype(_KINDS[name]).tobytes()


def decode_column(name: str, data: bytes, series: int) -> npt.NDArray[np.generic]:
    """Unpack one aggregate of a rollup row with this number of series.

    :raises InvalidBlock: if the length does not fit.
    """
    kind = np.dtype(_KINDS[name])
    if len(data) != series * kind.itemsize:
        raise InvalidBlock(BlockFault.WRONG_LENGTH, f"{name}: {len(data)} bytes for {series} series")
    return np.frombuffer(data, kind)


def encode_ids(ids: Ids) -> bytes:
    """Pack the ids of a row."""
    return series_ids.to_bytes(ids)


def decode_ids(data: bytes) -> Ids:
    """Unpack the ids of a row.

    :raises InvalidBlock: if they are not whole, sorted and distinct.
    """
    if len(data) % series_ids.ID_BYTES:
        raise InvalidBlock(BlockFault.WRONG_LENGTH, f"{len(data)} bytes of ids")
    ids = series_ids.from_bytes(data)
    high, low = ids[:, 0], ids[:, 1]
    if not ((high[1:] > high[:-1]) | ((high[1:] == high[:-1]) & (low[1:] > low[:-1]))).all():
        raise InvalidBlock(BlockFault.BAD_ORDER, "ids are not sorted and distinct")
    return ids
