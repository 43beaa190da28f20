"""The directory: what a rollup row holds in place of its series when these are too many bytes for one row.

Such a row has the format DIRECTORY_FORMAT, the directory in the column `ids`, and empty blobs. The directory names
rows of the same lane, period, metric group and window, its pieces, which are rollup rows as any others: each by a
`slice` below zero, and with the range of ids that it holds. An entry has 21 bytes: the first id of the range (16), how
many of its bits all ids of the range begin with (u8), and the slice (i32, little-endian). Entries are sorted, ranges
do not overlap.

The slice of a piece follows from its range, so that a piece is overwritten in its place as long as it is one. A piece
that no directory names means nothing. Pieces are stored before the directory that names them; this row is written
last, and replaces all that was there of its slice in one step.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import xxhash

from schemas.blocks.blobs import BlockFault, InvalidBlock
from streamgauge.series.id_ranges import ID_BITS, IdRange

DIRECTORY_FORMAT = 3
_ENTRY = np.dtype([("first", "V16"), ("bits", "u1"), ("slice", "<i4")])


class Piece(NamedTuple):
    """A piece of a row: the `slice` under which it is stored, and the ids that it may hold."""

    slice: int
    ids: IdRange


def pieces_of(ranges: Iterable[IdRange], piece: int, slices: int) -> list[Piece]:
    """The pieces of a row that is cut into these ranges: which depends on nothing else.

    :param piece: the row's slice, of `slices` that there are: pieces of two slices never have the same.
    """
    room = (1 << 31) // slices - 1
    taken: dict[int, IdRange] = {}
    for own in ranges:
        number = xxhash.xxh3_64_intdigest(_first(own) + bytes([own.bits])) % room
        while number in taken:
            number = (number + 1) % room
        taken[number] = own
    return [Piece(-1 - piece - slices * number, own) for number, own in taken.items()]


def encode(pieces: Sequence[Piece]) -> bytes:
    """Pack a directory of pieces in the order of their ids."""
    return b"".join(
        _first(own) + bytes([own.bits]) + number.to_bytes(4, "little", signed=True) for number, own in pieces
    )


def decode(data: bytes) -> list[Piece]:
    """Unpack a directory.

    :raises InvalidBlock: if it is not whole, its ranges are not sorted and apart, or a slice is not below zero or
        comes twice.
    """
    if len(data) < 2 * _ENTRY.itemsize or len(data) % _ENTRY.itemsize:
        raise InvalidBlock(BlockFault.WRONG_LENGTH, f"a directory of {len(data)} bytes")
    found: list[Piece] = []
    before = -1
    for first, bits, number in np.frombuffer(data, _ENTRY).tolist():
        own = IdRange(bits, int.from_bytes(first, "big"))
        if (
            not 0 < bits <= ID_BITS
            or own.first & (own.last ^ own.first)
            or own.first <= before
            or number >= 0
        ):
            raise InvalidBlock(BlockFault.BAD_ORDER, f"piece {len(found)} of a directory")
        before = own.last
        found.append(Piece(number, own))
    if len({piece.slice for piece in found}) < len(found):
        raise InvalidBlock(BlockFault.BAD_ORDER, "a directory that names a piece twice")
    return found


def _first(own: IdRange) -> bytes:
    return own.first.to_bytes(ID_BITS // 8, "big")
