"""From series to batches: one a lane and UTC minute, or more where one would have too many series or bytes."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from schemas.batches.batch import encode
from schemas.limits import MAX_BATCH_BYTES, MAX_BATCH_SERIES
from schemas.units import MINUTE_MS
from streamgauge.series.ids import lanes_of, split, to_bytes
from streamgauge.series.samples import Samples, between, take

Weights = npt.NDArray[np.int64]
"""Bytes of rows of a batch before compression."""


class Packed(NamedTuple):
    """A batch of a lane and UTC minute (ms), and the time of its newest sample (ms)."""

    lane: int
    minute: int
    newest: int
    payload: bytes


def pack(samples: Samples, labels: Mapping[bytes, bytes], lanes: int) -> Iterator[Packed]:
    """All samples in batches, in the order of minutes and lanes.

    :param labels: the canonical labels of each series by its packed id.
    """
    for minute in np.unique(samples.timestamps // MINUTE_MS * MINUTE_MS).tolist():
        part = between(samples, minute, minute + MINUTE_MS - 1)
        lane_of_row = lanes_of(part.ids, lanes)
        for lane in np.unique(lane_of_row).tolist():
            rows = np.flatnonzero(lane_of_row == lane)
            own = take(part, rows)
            texts = [labels[identity] for identity in split(to_bytes(own.ids))]
            weights = weigh(np.array([len(text) for text in texts], np.int64), own.offsets)
            for start, end in cut(weights):
                some = take(own, np.arange(start, end))
                payload = encode(some, pa.array(texts[start:end], pa.binary()))
                yield Packed(lane, minute, int(some.timestamps.max()), payload)


def weigh(label_bytes: Weights, offsets: Weights) -> Weights:
    """What each row of a batch takes: its labels, its samples, which begin at `offsets` (n + 1,), and its id."""
    return label_bytes + 16 * np.diff(offsets) + 24


def cut(weights: Weights) -> Iterator[tuple[int, int]]:
    """Rows, from and to, that may go into one batch: of nearly equal weight, as few batches as there can be."""
    parts = max(-(-len(weights) // MAX_BATCH_SERIES), -(-int(weights.sum()) // MAX_BATCH_BYTES))
    return within(weights, MAX_BATCH_BYTES, -(-len(weights) // parts))


def within(weights: Weights, most: int, count: int) -> Iterator[tuple[int, int]]:
    """From and to of what together weighs at most so much, and is at most so many; one alone may weigh more."""
    ends = np.cumsum(weights)
    start = 0
    while start < len(weights):
        limit = (int(ends[start - 1]) if start else 0) + most
        end = min(max(int(np.searchsorted(ends, limit, side="right")), start + 1), start + count)
        yield start, end
        start = end
