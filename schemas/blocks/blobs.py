"""Blobs of rows: one after the other, as kernels take them, and the error for one that does not decode."""

from collections.abc import Sequence
from enum import StrEnum

import numpy as np
import numpy.typing as npt


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


def joined(blobs: Sequence[bytes]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """All blobs one after the other, and where each ends."""
    ends = np.cumsum([len(blob) for blob in blobs], dtype=np.int64)
    return np.frombuffer(b"".join(blobs), np.uint8), ends
