"""The aggregates of one window for many series at once: from samples, or from the windows it consists of.

`count`, `sum`, `min`, `max`; `squares`, the sum of squared deviations from the mean, from which a standard deviation
comes without cancellation; `first` and `last` with their times; for counters `resets`, how often a value was below
the one before, and `reset_total`, the sum of the values before those: the increase from the first sample to the
last is `last - first + reset_total`, and nothing is lost between two windows, where `first` and `last` meet. And a
t-digest, from which percentiles come.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from streamgauge.rollup import kernels, merge_kernels, tdigest
from streamgauge.series import digests
from streamgauge.series.digests import Digests
from streamgauge.series.ids import Ids
from streamgauge.series.samples import STALE_BITS, Samples, order_of

COLUMNS: dict[str, type[np.generic]] = {
    "count": np.uint32,
    "sum": np.float64,
    "squares": np.float64,
    "min": np.float64,
    "max": np.float64,
    "first": np.float64,
    "first_time": np.int32,
    "last": np.float64,
    "last_time": np.int32,
    "reset_total": np.float64,
    "resets": np.uint32,
}
"""The aggregates in the order in which the kernels take them; times are ms after the window's start."""


@dataclass(frozen=True, slots=True)
class Aggregates:
    """ids: (n, 2), sorted; columns: an array of length n a name; digests: n, or None where there are none."""

    ids: Ids
    columns: dict[str, npt.NDArray[np.generic]]
    digests: Digests | None

    def rows(self, which: npt.NDArray[np.int64]) -> "Aggregates":
        """The rows at these row numbers."""
        columns = {name: column[which] for name, column in self.columns.items()}
        return Aggregates(self.ids[which], columns, self.digests and digests.take(self.digests, which))

    def quantiles(self, qs: Sequence[float]) -> npt.NDArray[np.float64]:
        """The quantiles of each row, (n, k).

        :raises ValueError: without digests.
        """
        if self.digests is None:
            raise ValueError("there are no digests")
        low, high = self.columns["min"].astype(np.float64), self.columns["max"].astype(np.float64)
        return tdigest.quantiles(self.digests, low, high, np.array(qs))


def aggregate(samples: Samples, window_start: int, *, with_digests: bool = True) -> Aggregates:
    """Reduce the samples of one window (ms) that are sorted by id and time.

    Stale markers count in nothing, and a series that has only those is left out. NaN counts as a value: it
    makes the sum NaN, and loses to any number in min and max.
    """
    columns = _columns(len(samples.ids))
    into = list(columns.values())
    kernels.reduce(samples.offsets, samples.timestamps, samples.values, window_start, *into)
    built = tdigest.build(*_without_stale(samples)) if with_digests else None
    return Aggregates(samples.ids, columns, built).rows(np.flatnonzero(columns["count"]))


def merge(windows: Sequence[tuple[int, Aggregates]], window_start: int) -> Aggregates:
    """Merge windows, as (start in ms, aggregates), into the one that starts at `window_start` (ms).

    The answer does not depend on the order in which they are given.
    """
    windows = sorted((pair for pair in windows if len(pair[1].ids)), key=lambda pair: pair[0])
    if not windows:
        return Aggregates(np.zeros((0, 2), np.uint64), _columns(0), digests.concat([]))
    ids = np.concatenate([part.ids for _, part in windows])
    shifts = np.concatenate([np.full(len(part.ids), start - window_start) for start, part in windows])
    # equal ids keep their order, so that the windows of a series do
    order = order_of(ids)
    sorted_ids = ids[order]
    fresh = np.ones(len(ids), bool)
    fresh[1:] = (sorted_ids[1:] != sorted_ids[:-1]).any(axis=1)
    begins = np.append(np.flatnonzero(fresh), len(ids))
    columns = _columns(len(begins) - 1)
    taken = [np.concatenate([part.columns[name] for _, part in windows]) for name in COLUMNS]
    merge_kernels.merge(order, begins, shifts, *taken, *columns.values())
    parts = [part.digests for _, part in windows if part.digests is not None]
    merged = None
    if len(parts) == len(windows):
        groups = np.empty(len(ids), np.int64)
        groups[order] = np.cumsum(fresh) - 1
        merged = tdigest.merge(digests.concat(parts), groups, len(begins) - 1)
    return Aggregates(sorted_ids[fresh], columns, merged)


def together(parts: Sequence[Aggregates]) -> Aggregates:
    """Aggregates of one window, of which no series is in two parts; with digests if all parts have them.

    :param parts: one at least; those without a series count for nothing.
    """
    several = [part for part in parts if len(part.ids)] or parts[:1]
    if len(several) == 1:
        return several[0]
    ids = np.concatenate([part.ids for part in several])
    columns = {name: np.concatenate([part.columns[name] for part in several]) for name in COLUMNS}
    own = [part.digests for part in several if part.digests is not None]
    merged = Aggregates(ids, columns, digests.concat(own) if len(own) == len(several) else None)
    return merged.rows(order_of(ids))


def _without_stale(samples: Samples) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    stale = samples.values.view(np.uint64) == np.uint64(STALE_BITS)
    if not stale.any():
        return samples.offsets, samples.values
    kept = np.concatenate([np.zeros(1, np.int64), np.cumsum(~stale)])
    return kept[samples.offsets], samples.values[~stale]


def _columns(size: int) -> dict[str, npt.NDArray[np.generic]]:
    return {name: np.zeros(size, kind) for name, kind in COLUMNS.items()}
