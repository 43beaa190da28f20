"""The aggregates of one window for many series at once."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from streamgauge.rollup import kernels
from streamgauge.series.ids import Ids
from streamgauge.series.samples import Samples


@dataclass(frozen=True, slots=True)
class Aggregates:
    """ids: (n, 2), sorted; columns: an array of length n a name, times in ms after the window's start."""

    ids: Ids
    columns: dict[str, npt.NDArray[np.generic]]

    def rows(self, which: npt.NDArray[np.generic]) -> "Aggregates":
        """The rows that a mask or an index array picks."""
        return Aggregates(self.ids[which], {name: column[which] for name, column in self.columns.items()})


def aggregate(samples: Samples, window_start: int) -> Aggregates:
    """Reduce the samples of one window (ms) that are sorted by id and time.

    Stale markers count in nothing, and a series that has only those is left out. NaN counts as a value: it
    makes the sum NaN, loses to any number in min and max, and sorts below all numbers for the percentiles.
    """
    size = len(samples.ids)
    counts = np.zeros(size, np.uint32)
    numbers = {name: np.zeros(size, np.float64) for name in ("sum", "min", "max", "first", "last")}
    times = {name: np.zeros(size, np.int32) for name in ("first_time", "last_time")}
    quantiles = np.zeros((size, 3), np.float64)
    kernels.reduce(
        samples.offsets,
        samples.timestamps,
        samples.values,
        window_start,
        counts,
        numbers["sum"],
        numbers["min"],
        numbers["max"],
        numbers["first"],
        times["first_time"],
        numbers["last"],
        times["last_time"],
        quantiles,
    )
    columns: dict[str, npt.NDArray[np.generic]] = {"count": counts, **numbers, **times}
    columns |= {name: quantiles[:, at] for at, name in enumerate(("p50", "p95", "p99"))}
    return Aggregates(samples.ids, columns).rows(counts > 0)
