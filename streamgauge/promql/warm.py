"""Compiles the kernels, or loads them from numba's cache, so that no query waits for it."""

from collections.abc import Sequence

import numpy as np

from streamgauge.promql.engine import evaluate
from streamgauge.promql.lanes import execute
from streamgauge.promql.parser import parse
from streamgauge.promql.query import Query
from streamgauge.series.labels import canonical
from streamgauge.series.matchers import Matcher
from streamgauge.series.samples import Samples

_EXPRESSIONS = (
    "rate(m[4s]) + irate(m[4s]) + changes(m[4s]) + increase(m[4s] anchored)",
    "sum_over_time(m[4s]) + avg_over_time(m[4s]) + stddev_over_time(m[4s]) + max_over_time(m[4s])",
    "quantile_over_time(0.5, m[4s]) + mad_over_time(m[4s]) + count_over_time(m[4s]) + last_over_time(m[4s])",
    "deriv(m[4s]) + predict_linear(m[4s], 1) + double_exponential_smoothing(m[4s], 0.5, 0.5) + m smoothed",
    "sum(m) + avg(m) + max(m) + stddev(m) + quantile(0.5, m) + count(topk(1, m))",
    "histogram_quantile(0.5, m) + histogram_fraction(0, 1, m)",
)
_MERGED = "sum(m) + avg(m) + count(m) + max(m) + stddev(m)"


class _OneSeries:
    def fetch(self, _: Sequence[Matcher], __: int, ___: int) -> tuple[Sequence[bytes], Samples]:
        times = np.arange(4, dtype=np.int64) * 1000
        samples = Samples(np.array([[1, 1]], np.uint64), np.array([0, 4]), times, np.arange(4.0))
        return [canonical({"__name__": "m", "le": "+Inf"})], samples


def warm() -> None:
    """Call every kernel once with the types that queries have."""
    for text in _EXPRESSIONS:
        evaluate(parse(text), Query(3000, 3000), _OneSeries())
    execute(parse(_MERGED), Query(3000, 3000), [_OneSeries(), _OneSeries()])
