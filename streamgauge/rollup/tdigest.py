"""t-digests of many series at once: build from values, merge, ask for quantiles.

After Dunning & Ertl, Computing extremely accurate quantiles using t-digests, 2019 (arXiv:1902.04023), with
three changes, all measured by benchmarks/tdigest.py: centroids are cut at ranks that follow from the count
alone; between centroids the quantile function is a parabola rather than a line; merging takes the inside of a
centroid into account. A digest is exact as long as there are few distinct values.
"""

import numpy as np
import numpy.typing as npt

from streamgauge.rollup import tdigest_kernels as kernels
from streamgauge.rollup import tdigest_quantiles
from streamgauge.series.digests import Digests


def build(offsets: npt.NDArray[np.int64], values: npt.NDArray[np.float64]) -> Digests:
    """One digest of values[offsets[i]:offsets[i + 1]] for each series, in any order, without stale markers.

    offsets: (n + 1,) int64; values: (m,) float64.
    """
    series = len(offsets) - 1
    found = _empty(series, tdigest_quantiles.room(offsets))
    return _trim(found, tdigest_quantiles.build(offsets, values, *found))


def merge(parts: Digests, groups: npt.NDArray[np.int64], size: int) -> Digests:
    """Merge the digests of each group: (size,) digests, of which number g covers the parts with groups[i] = g.

    groups: (n,) int64, 0 to size - 1, in any order. The result does not depend on the order of the parts. A
    group of no part, or of empty ones, is empty, and one part alone stays as it is.
    """
    order = np.argsort(groups, kind="stable")
    bounds = np.searchsorted(groups[order], np.arange(size + 1))
    found = _empty(size, kernels.room(parts.offsets, parts.exact, order, bounds))
    return _trim(found, kernels.merge(*parts, order, bounds, *found))


def quantiles(
    digests: Digests,
    minimum: npt.NDArray[np.float64],
    maximum: npt.NDArray[np.float64],
    qs: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """The quantiles `qs` (k,) of each digest: (n, k) float64, NaN for an empty one.

    An exact digest gives what PromQL's quantile_over_time gives for its values: the line between the two nearest
    ranks, NaN below all numbers, -inf for q < 0 and inf for q > 1. `minimum` and `maximum`: (n,) float64, of
    the same values, NaN where unknown; other digests end there, since stored means are rounded.
    """
    out = np.empty((len(digests.exact), len(qs)), np.float64)
    tdigest_quantiles.quantiles(*digests, minimum, maximum, np.ascontiguousarray(qs, np.float64), out)
    return out


def _empty(size: int, room: int) -> Digests:
    return Digests(
        np.zeros(size + 1, np.int64),
        np.empty(room, np.float64),
        np.empty(room, np.int64),
        np.ones(size, np.bool_),
    )


def _trim(digests: Digests, centroids: int) -> Digests:
    means, weights = digests.means[:centroids].copy(), digests.weights[:centroids].copy()
    return Digests(digests.offsets, means, weights, digests.exact)
