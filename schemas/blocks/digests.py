"""The digest column of a rollup row: the t-digests of all its series in one blob.

Little-endian: the format (u8), the length of the counts (u32), a form byte a series, the counts, the means;
`schemas.blocks.digest_kernels` has the details. The weights of a digest that is not exact follow from its count, and
its means take 12 bits each; an exact one keeps decimals as integers. Nothing is lost either way.
"""

import numpy as np
import numpy.typing as npt

from schemas.blocks import digest_kernels as kernels
from schemas.blocks.blobs import BlockFault, InvalidBlock
from streamgauge.series.digests import Digests

FORMAT = 1
_HEADER = 5


def encode(digests: Digests) -> bytes:
    """Pack digests of at most 2**53 values each, NaN first, means finite or infinite and never -0.0."""
    series, centroids = len(digests.exact), len(digests.means)
    room = centroids * kernels.MAX_CENTROID + series * kernels.MAX_DIGEST
    forms = np.empty(series, np.uint8)
    counts, packed = np.empty(room, np.uint8), np.empty(room, np.uint8)
    c, p = kernels.encode(*digests, forms, counts, packed)
    header = bytes([FORMAT]) + int(c).to_bytes(4, "little")
    return b"".join([header, forms.tobytes(), counts[:c].tobytes(), packed[:p].tobytes()])


def decode(blob: bytes, series: int, rows: npt.NDArray[np.int64] | None = None) -> Digests:
    """Unpack the digests of a row with this number of series, or only those at these ascending row numbers.

    The whole blob is checked in both cases.

    :raises InvalidBlock: with the kind of damage.
    """
    if len(blob) < _HEADER or blob[0] != FORMAT:
        raise InvalidBlock(
            BlockFault.UNKNOWN_FORMAT, f"digests: format {blob[:1].hex()}, this reads {FORMAT}"
        )
    length = int.from_bytes(blob[1:_HEADER], "little")
    if _HEADER + series + length > len(blob):
        raise InvalidBlock(BlockFault.WRONG_LENGTH, f"digests: {len(blob)} bytes for {series} series")
    data = np.frombuffer(blob, np.uint8)[_HEADER:]
    forms, counts, packed = np.split(data, [series, series + length])
    wanted = np.ones(series, np.bool_)
    if rows is not None:
        wanted[:] = False
        wanted[rows] = True
    size = int(wanted.sum())
    offsets, exact = np.zeros(size + 1, np.int64), np.zeros(size, np.bool_)
    means, weights = np.empty(len(data), np.float64), np.empty(len(data), np.int64)
    damaged = kernels.decode(forms, counts, packed, wanted, offsets, means, weights, exact)
    if damaged >= 0:
        raise InvalidBlock(BlockFault.DAMAGED, f"digest {damaged} of {series}")
    end = int(offsets[-1])
    return Digests(offsets, means[:end].copy(), weights[:end].copy(), exact)
