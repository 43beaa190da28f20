"""Samples on their way in: runs of samples, each run of one known series."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from schemas.topics import MAX_FUTURE_MS
from streamgauge.collect.faults import SampleFault
from streamgauge.collect.series_table import Ordinals


class Rows(NamedTuple):
    """Runs of samples in the order they came.

    ordinals: (n,) int64, of one `SeriesTable`; a series may come again. counts: (n,) int64, samples of each
    run. timestamps: (m,) int64 ms. values: (m,) float64, NaN bits as they came.
    """

    ordinals: Ordinals
    counts: npt.NDArray[np.int64]
    timestamps: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]


class Refused(NamedTuple):
    """Samples left out: how many, and which came first."""

    reason: SampleFault
    samples: int
    first_ordinal: int
    first_timestamp: int


def admit(rows: Rows, now: int) -> tuple[Rows, list[Refused]]:
    """Leave out samples more than a minute ahead of `now` (ms), and those not after 1970 began."""
    times = rows.timestamps
    if not len(times) or (times.max() <= now + MAX_FUTURE_MS and times.min() > 0):
        return rows, []
    future, ancient = times > now + MAX_FUTURE_MS, times <= 0
    owners = np.repeat(np.arange(len(rows.counts)), rows.counts)
    refused = []
    for reason, mask in ((SampleFault.FUTURE, future), (SampleFault.BEFORE_EPOCH, ancient)):
        if mask.any():
            first = int(mask.argmax())
            owner = int(rows.ordinals[owners[first]])
            refused.append(Refused(reason, int(mask.sum()), owner, int(times[first])))
    good = ~(future | ancient)
    counts = np.bincount(owners[good], minlength=len(rows.counts)).astype(np.int64)
    kept = counts > 0
    return Rows(rows.ordinals[kept], counts[kept], times[good], rows.values[good]), refused
