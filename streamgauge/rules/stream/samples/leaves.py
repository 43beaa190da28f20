"""What expressions read of single series, computed once a tick for each, however many rules read it."""

import numpy as np
import numpy.typing as npt

from streamgauge.promql.data.labels import LabelTable
from streamgauge.promql.data.query import Limits, Query
from streamgauge.promql.data.vectors import Mask, Matrix, Values
from streamgauge.promql.engine.selection import without_stale
from streamgauge.promql.functions.range_functions import of_windows
from streamgauge.promql.kernels import window_kernels
from streamgauge.rules.stream.compile.shapes import Leaf
from streamgauge.rules.stream.samples.pool import Pool, Slots
from streamgauge.series.samples import Samples

_NO_IDS = np.zeros((0, 2), np.uint64)


class LeafValues:
    """What one leaf gives at one time for the series of a window, as far as it was asked for."""

    def __init__(self, leaf: Leaf, query: Query, pool: Pool, slots: int) -> None:
        self._leaf = leaf
        self._query = query
        self._pool = pool
        self._values = np.zeros(slots)
        self._present = np.zeros(slots, bool)
        self._samples = np.zeros(slots, np.int32)
        self._done = np.zeros(slots, bool)

    def of(self, distinct: Slots, slots: Slots) -> tuple[Values, Mask]:
        """Values and presence (series,) of the slots, which may repeat; `distinct` are all of them once.

        :raises InvalidQuery: for a bad argument of the function.
        """
        missing = distinct[~self._done[distinct]]
        if len(missing):
            self._values[missing], self._present[missing] = self._computed(missing)
            self._done[missing] = True
        return self._values[slots], self._present[slots]

    def samples(self, slots: Slots) -> npt.NDArray[np.int32]:
        """How many samples were read for each of the slots."""
        return self._samples[slots]

    def _computed(self, slots: Slots) -> tuple[Values, Mask]:
        leaf, query = self._leaf, self._query
        end = query.end - leaf.offset
        ends = np.array([end], np.int64)
        width = leaf.width if leaf.function else query.lookback
        samples = Samples(_NO_IDS, *self._pool.read(slots, end - width + 1, end))
        self._samples[slots] = np.diff(samples.offsets)
        if leaf.function:
            matrix = Matrix(LabelTable(len(slots), {}), *without_stale(samples), ends, width)
            numbers = [np.array([float.fromhex(text)]) for text in leaf.numbers]
            found = of_windows(leaf.function, matrix, numbers, query.grid, Limits())
            return found.values[:, 0], found.present[:, 0]
        out, present = np.zeros((len(slots), 1)), np.zeros((len(slots), 1), bool)
        window_kernels.last_before_stale(*samples[1:], ends, width, False, out, present)
        return out[:, 0], present[:, 0]
