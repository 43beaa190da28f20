"""Columns of rollup rows: one aggregate of all series of a row as one blob, to the bit.

Whatever its type, a column is packed as doubles, which hold 32-bit integers exactly. The first byte is the form, and
the form that takes the fewest bytes is chosen; little-endian, n is the number of series:

- CONSTANT: 8 bytes of the one double.
- DICTIONARY: number of entries less one (1 byte), the entries (8 bytes each) as they first occur, n codes (1 byte
  each).
- NUMBERS: n kinds (1 byte each), planes. A kind is 9 * exponent of ten + length in bytes; the number is a
  zigzag mantissa, or with exponent 23 a double's bits with the bytes reversed. Plane k holds byte k, lowest first, of
  every number longer than k.
- PLANES: 8 planes of n bytes, plane k byte k of every double ("byte stream split" of Apache Parquet).

No column refers to another: against `last` and `count`, measured on real exporters, eight columns would save 2 of
16 bytes a series and bucket, and every reader of one of them would have to read `last` too.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from schemas.blocks import column_kernels
from schemas.blocks.blobs import BlockFault, InvalidBlock, joined
from schemas.tables import QUANTILES, ROLLUP_COLUMNS
from streamgauge.series.hash_kernels import FACTOR

ROLLUP_FORMAT = 2
_KINDS = ROLLUP_COLUMNS | dict.fromkeys(QUANTILES, "<f8")


def encode_column(name: str, column: npt.NDArray[np.generic]) -> bytes:
    """Pack one aggregate (n,) of a rollup row, of the type that its name has.

    :raises KeyError: for an unknown name.
    """
    if column.dtype != _KINDS[name]:
        column = column.astype(_KINDS[name])
    doubles = np.ascontiguousarray(column, np.float64)
    out = np.empty(column_kernels.ROOM + 9 * len(doubles), np.uint8)
    return out[: column_kernels.encode(doubles, out, FACTOR)].tobytes()


def decode_column(name: str, data: bytes, series: int) -> npt.NDArray[np.generic]:
    """Unpack one aggregate of a rollup row with this number of series, an array (series,) of its type.

    :raises InvalidBlock: with the kind of damage. :raises KeyError: for an unknown name.
    """
    column, faults = decode_columns(name, [data], [np.arange(series)], [series])
    for fault in faults.values():
        raise fault
    return column


def decode_columns(
    name: str, blobs: Sequence[bytes], rows: Sequence[npt.NDArray[np.int64]], series: Sequence[int]
) -> tuple[npt.NDArray[np.generic], dict[int, InvalidBlock]]:
    """Unpack some values of one aggregate of many rollup rows at once.

    :param rows: which of each row's series, rising. :param series: how many series each row has.
    :returns: the values one after the other, and what is wrong with rows by their numbers; their values mean nothing.
    :raises KeyError: for an unknown name.
    """
    kind = np.dtype(_KINDS[name])
    if not blobs:
        return np.zeros(0, kind), {}
    data, ends = joined(blobs)
    rows_ends = np.cumsum([len(own) for own in rows], dtype=np.int64)
    wanted = np.concatenate(rows)
    bits, verdicts = np.empty(len(wanted), np.uint64), np.empty(len(blobs), np.uint8)
    column_kernels.pick(data, ends, np.array(series, np.int64), wanted, rows_ends, bits, verdicts)
    faults = {
        row: _fault(name, blobs[row], series[row], verdicts[row])
        for row in np.flatnonzero(verdicts != column_kernels.FINE).tolist()
    }
    doubles = bits.view(np.float64)
    if kind == doubles.dtype:
        return doubles, faults
    with np.errstate(invalid="ignore"):
        column = doubles.astype(kind)
    for row in np.unique(np.searchsorted(rows_ends, np.flatnonzero(column != doubles), "right")).tolist():
        faults.setdefault(row, InvalidBlock(BlockFault.DAMAGED, f"{name}: not integers of 32 bits"))
    return column, faults


def _fault(name: str, data: bytes, series: int, verdict: int) -> InvalidBlock:
    if verdict == column_kernels.NO_ENTRY:
        return InvalidBlock(BlockFault.DAMAGED, f"{name}: a code of no entry")
    if verdict == column_kernels.NO_FIT:
        return InvalidBlock(BlockFault.DAMAGED, f"{name}: planes that do not fit their kinds")
    form = data[0] if data else None
    detail = f"{name}: {len(data)} bytes of form {form} for {series} series"
    return InvalidBlock(BlockFault.WRONG_LENGTH, detail)
