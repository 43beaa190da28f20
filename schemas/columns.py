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

import numpy as np
import numpy.typing as npt

from schemas import column_kernels
from schemas.column_kernels import CONSTANT, DICTIONARY, NUMBERS, PLANES
from schemas.invalid_block import BlockFault, InvalidBlock
from schemas.tables import QUANTILES, ROLLUP_COLUMNS

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
    return out[: column_kernels.encode(doubles, out)].tobytes()


def decode_column(name: str, data: bytes, series: int) -> npt.NDArray[np.generic]:
    """Unpack one aggregate of a rollup row with this number of series, an array (series,) of its type.

    :raises InvalidBlock: with the kind of damage. :raises KeyError: for an unknown name.
    """
    kind = np.dtype(_KINDS[name])
    doubles = _doubles(name, data, series)
    if kind == doubles.dtype:
        return doubles
    with np.errstate(invalid="ignore"):
        column = doubles.astype(kind)
    if not np.array_equal(column, doubles):
        raise InvalidBlock(BlockFault.DAMAGED, f"{name}: not integers of 32 bits")
    return column


def _doubles(name: str, data: bytes, series: int) -> npt.NDArray[np.float64]:
    form = data[0] if data else None
    if form == CONSTANT and len(data) == 9:
        return np.full(series, np.frombuffer(data, "<f8", 1, 1)[0])
    if form == DICTIONARY and len(data) > 2 and len(data) == 2 + 8 * (data[1] + 1) + series:
        codes = np.frombuffer(data, np.uint8, series, len(data) - series)
        if codes.max(initial=0) > data[1]:
            raise InvalidBlock(BlockFault.DAMAGED, f"{name}: a code of no entry")
        return np.frombuffer(data, "<f8", data[1] + 1, 2)[codes]
    if form == NUMBERS and len(data) > series:
        raw = np.frombuffer(data, np.uint8, len(data) - 1, 1)
        bits = np.empty(series, np.uint64)
        if not column_kernels.values(raw[:series], raw[series:], bits):
            raise InvalidBlock(BlockFault.DAMAGED, f"{name}: planes that do not fit their kinds")
        return bits.view(np.float64)
    if form == PLANES and len(data) == 1 + 8 * series:
        planes = np.frombuffer(data, np.uint8, 8 * series, 1).reshape(8, series)
        return np.ascontiguousarray(planes.T).view("<f8").reshape(series)
    raise InvalidBlock(
        BlockFault.WRONG_LENGTH, f"{name}: {len(data)} bytes of form {form} for {series} series"
    )
