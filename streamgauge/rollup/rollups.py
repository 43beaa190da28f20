"""Rollups of many series as flat arrays."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from streamgauge.series.digests import Digests
from streamgauge.series.ids import Ids

Columns = dict[str, npt.NDArray[np.generic]]


class Rollups(NamedTuple):
    """Rollups grouped by series.

    ids: (n, 2) uint64, sorted, distinct. offsets: (n + 1,) int64; series i owns [offsets[i], offsets[i + 1]).
    window_starts, widths: (m,) int64 ms, starts rising within a series; what is not built yet at the resolution
    asked for comes in finer windows. columns: an array of length m a name; `first_time` and `last_time` are ms after
    the window's start. digests: m, if asked for.
    """

    ids: Ids
    offsets: npt.NDArray[np.int64]
    window_starts: npt.NDArray[np.int64]
    widths: npt.NDArray[np.int64]
    columns: Columns
    digests: Digests | None
