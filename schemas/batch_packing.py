"""From series to batches: one a lane and UTC minute, or more where there are too many series for one."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from schemas.batch import MAX_SERIES, encode
from streamgauge.series.ids import lanes_of, split, to_bytes
from streamgauge.series.samples import MINUTE_MS, Samples, between, take


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
            for at in range(0, len(rows), MAX_SERIES):
                own = take(part, rows[at : at + MAX_SERIES])
                texts = [labels[identity] for identity in split(to_bytes(own.ids))]
                payload = encode(own, pa.array(texts, pa.binary()))
                yield Packed(lane, minute, int(own.timestamps.max()), payload)
