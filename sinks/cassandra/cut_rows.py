"""Rows that fit: the series of a place as one row, or cut into as many as keep each within the limits."""

from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from schemas.blocks import codec, digests, row_directory
from schemas.blocks.blobs import BlockFault, InvalidBlock
from schemas.blocks.columns import ROLLUP_FORMAT, decode_column, encode_column
from schemas.blocks.row_directory import DIRECTORY_FORMAT
from schemas.limits import MAX_ROW_BYTES, MAX_ROW_SERIES
from schemas.tables import QUANTILES, ROLLUP_BLOBS, ROLLUP_COLUMNS
from streamgauge.rollup.aggregates import COLUMNS, Aggregates
from streamgauge.series.id_ranges import WHOLE, IdRange, halves
from streamgauge.series.ids import Ids
from streamgauge.series.samples import Samples, take

SAMPLES_A_ROW = 400_000
"""The most samples of a raw row: a third of what a reader takes, for a single series may have 60,000."""
Row = TypeVar("Row")
StoredRow = tuple[int, bytes, *tuple[bytes | None, ...]]
"""A rollup row as it is stored: the format, the ids or the directory, and the blobs in the order of ROLLUP_BLOBS."""


def cut(
    ids: Ids, encode: Callable[[int, int], Row | None], size: Callable[[Row], int]
) -> Iterator[tuple[IdRange, Row]]:
    """The rows that series make, by their ids: one if it fits, else those of both halves of the ids.

    Where is cut depends on the series and their samples alone, not on what was stored before.

    :param ids: (n, 2), sorted and distinct, n > 0. :param encode: makes a row of the series from a number to before
        another; None if it need not be tried, as it has too many. :param size: of a row in bytes.
    :raises ValueError: for a single series that does not fit.
    """
    waiting = [(WHOLE, 0, len(ids))]
    while waiting:
        own, begin, end = waiting.pop()
        row = encode(begin, end) if end - begin <= MAX_ROW_SERIES else None
        if row is not None and size(row) <= MAX_ROW_BYTES:
            yield own, row
            continue
        if end - begin < 2:
            raise ValueError(f"one series alone is more than {MAX_ROW_BYTES} bytes")
        low, high, count = halves(ids[begin:end])
        waiting += [(high, begin + count, end), (low, begin, begin + count)]


def raw_blocks(samples: Samples, window_start: int) -> list[codec.RawBlock]:
    """The raw blocks that the samples of a window (ms) make."""

    def encode(begin: int, end: int) -> codec.RawBlock | None:
        if samples.offsets[end] - samples.offsets[begin] > SAMPLES_A_ROW:
            return None
        return codec.encode_raw(take(samples, np.arange(begin, end)), window_start)

    def size(block: codec.RawBlock) -> int:
        return len(block.ids) + len(block.timestamps) + len(block.samples)

    return [block for _, block in cut(samples.ids, encode, size)]


def stored_rows(aggregates: Aggregates, piece: int, slices: int) -> dict[int, StoredRow]:
    """The rows that aggregates make, by slice: one, or several pieces and their directory.

    :param piece: the slice whose series these are, of so many that there are.
    """
    found = list(
        cut(
            aggregates.ids,
            lambda begin, end: _rollup_row(aggregates.rows(np.arange(begin, end))),
            lambda row: sum(len(blob) for blob in row if isinstance(blob, bytes)),
        )
    )
    if len(found) == 1:
        return {piece: found[0][1]}
    pieces = row_directory.pieces_of((own for own, _ in found), piece, slices)
    rows = {name.slice: row for name, (_, row) in zip(pieces, found, strict=True)}
    # empty and not null, which would be stored as a tombstone
    return rows | {piece: (DIRECTORY_FORMAT, row_directory.encode(pieces), *(b"" for _ in ROLLUP_BLOBS))}


def _rollup_row(aggregates: Aggregates) -> StoredRow:
    columns = encode_rollup(aggregates)
    return (ROLLUP_FORMAT, codec.encode_ids(aggregates.ids), *(columns.get(name) for name in ROLLUP_BLOBS))


def encode_rollup(aggregates: Aggregates) -> dict[str, bytes]:
    """The blobs of a row, percentiles and digest where there are digests."""
    found = {name: encode_column(name, aggregates.columns[name]) for name in ROLLUP_COLUMNS}
    if aggregates.digests is not None:
        quantiles = aggregates.quantiles(list(QUANTILES.values()))
        found |= {name: encode_column(name, quantiles[:, at]) for at, name in enumerate(QUANTILES)}
        found["digest"] = digests.encode(aggregates.digests)
    return found


def decode_rollup(row: StoredRow) -> Aggregates:
    """The aggregates of a row, without the percentiles, which follow from the digest.

    :raises InvalidBlock: for a damaged row, or one of another format.
    """
    version, packed, *rest = row
    if version != ROLLUP_FORMAT:
        raise InvalidBlock(BlockFault.UNKNOWN_FORMAT, f"rollup format {version}")
    blobs = dict(zip(ROLLUP_BLOBS, rest, strict=True))
    ids = codec.decode_ids(packed or b"")
    columns = {name: decode_column(name, blobs[name] or b"", len(ids)) for name in COLUMNS}
    digest = blobs["digest"]
    return Aggregates(ids, columns, None if digest is None else digests.decode(digest, len(ids)))


def counts_of(row: StoredRow) -> tuple[Ids, npt.NDArray[np.generic]]:
    """The ids of a row, and how many samples each counts.

    :raises InvalidBlock: for a damaged row.
    """
    _, packed, *blobs = row
    ids = codec.decode_ids(packed or b"")
    return ids, decode_column("count", blobs[ROLLUP_BLOBS.index("count")] or b"", len(ids))
