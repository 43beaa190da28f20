"""Compiles the kernels of the window, or loads them from numba's cache."""

import numpy as np

from streamgauge.rules.stream.compile.reach import Reach
from streamgauge.rules.stream.samples.window import Window
from streamgauge.series.ids import from_bytes, series_id
from streamgauge.series.labels import canonical
from streamgauge.series.matchers import Matcher, MatchOp
from streamgauge.series.samples import Samples


def warm() -> None:
    """Call every kernel once with the types that the job has."""
    conditions = (Matcher("__name__", MatchOp.EQUAL, "m"),)
    data = canonical({"__name__": "m"})
    identity = series_id(data)
    window = Window()
    window.register([Reach(conditions, 1000, 0)])
    times, values = np.arange(4, dtype=np.int64), np.arange(4.0)
    window.put({identity: data}, Samples(from_bytes(identity), np.array([0, 4]), times, values))
    window.fetch(conditions, 0, 3)
    window.prune(4)
