"""The yardstick of `codec.py`: one series after the other, as Gorilla has them, at whole bytes."""

import gorilla_kernels
import numpy as np

from streamgauge.series import ids as series_ids
from streamgauge.series.samples import Samples


def encode(samples: Samples, window_start: int) -> dict[str, bytes]:
    """The blobs of a block: ids, offsets (counts, and where times and values end), times, values."""
    total = len(samples.timestamps)
    ends = np.zeros((len(samples.ids), 2), np.uint32)
    times = np.empty(total * gorilla_kernels.MAX_VARINT, np.uint8)
    values = np.empty(total * gorilla_kernels.MAX_VALUE, np.uint8)
    t, v = gorilla_kernels.encode(
        samples.offsets, samples.timestamps, samples.values, window_start, ends, times, values
    )
    table = np.column_stack([np.diff(samples.offsets).astype("<u4"), ends.astype("<u4")])
    return {
        "ids": series_ids.to_bytes(samples.ids),
        "counts": table.astype("<u4").tobytes(),
        "times": times[:t].tobytes(),
        "values": values[:v].tobytes(),
    }


def decode(blobs: dict[str, bytes], window_start: int, width_ms: int) -> Samples:
    """The samples of a block that is whole."""
    table = np.frombuffer(blobs["counts"], "<u4").reshape(-1, 3).astype(np.int64)
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(table[:, 0])])
    timestamps, values = np.empty(offsets[-1], np.int64), np.empty(offsets[-1], np.float64)
    times, numbers = (np.frombuffer(blobs[name], np.uint8) for name in ("times", "values"))
    gorilla_kernels.decode(
        table[:, 0], table[:, 1:], times, numbers, window_start, width_ms, timestamps, values
    )
    return Samples(series_ids.from_bytes(blobs["ids"]), offsets, timestamps, values)
