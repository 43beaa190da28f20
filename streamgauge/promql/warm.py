"""Compiles the kernels, or loads them from numba's cache, so that no query waits for it."""

from collections.abc import Sequence

import numpy as np

from streamgauge.promql.data.query import Level, Query
from streamgauge.promql.engine.evaluator import evaluate
from streamgauge.promql.plan.lanes import execute
from streamgauge.promql.syntax.parser import parse
from streamgauge.rollup.aggregates import aggregate
from streamgauge.rollup.rollups import Rollups
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
_ROLLED = (
    "rate(m[5m]) + resets(m[5m]) + stddev_over_time(m[5m]) + quantile_over_time(0.5, m[5m]) + m",
    "sum_over_time(m[5m]) + max_over_time(m[5m]) + last_over_time(m[5m]) + count_over_time(m[5m])",
)
_MERGED = "sum(m) + avg(m) + count(m) + max(m) + stddev(m)"


class _OneSeries:
    def fetch(self, _: Sequence[Matcher], __: int, ___: int) -> tuple[Sequence[bytes], Samples]:
        times = np.arange(4, dtype=np.int64) * 1000
        samples = Samples(np.array([[1, 1]], np.uint64), np.array([0, 4]), times, np.arange(4.0))
        return [canonical({"__name__": "m", "le": "+Inf"})], samples


class _OneSeriesRolled(_OneSeries):
    levels = (Level(0, 60_000), Level(60_000, 0))

    def rollups(
        self, matchers: Sequence[Matcher], _: int, __: int, ___: int, ____: Sequence[str]
    ) -> tuple[Sequence[bytes], Rollups]:
        labels, samples = self.fetch(matchers, 0, 0)
        rolled, start = aggregate(samples, 0), np.zeros(1, np.int64)
        return labels, Rollups(
            rolled.ids, np.array([0, 1]), start, start + 60_000, rolled.columns, rolled.digests
        )


def warm() -> None:
    """Call every kernel once with the types that queries have."""
    for text in _EXPRESSIONS:
        evaluate(parse(text), Query(3000, 3000), _OneSeries())
    for text in _ROLLED:
        evaluate(parse(text), Query(0, 120_000, 60_000), _OneSeriesRolled())
    execute(parse(_MERGED), Query(3000, 3000), [_OneSeries(), _OneSeries()])
