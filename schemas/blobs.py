"""Blobs of many rows, as kernels take them."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def joined(blobs: Sequence[bytes]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """All blobs one after the other, and where each ends."""
    ends = np.cumsum([len(blob) for blob in blobs], dtype=np.int64)
    return np.frombuffer(b"".join(blobs), np.uint8), ends
