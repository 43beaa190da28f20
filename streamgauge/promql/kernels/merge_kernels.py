"""Kernels that make one group of several: what `aggregate_kernels` gave for its series in different lanes.

Arrays whose names are plurals are (rows, steps), `codes` (rows,) int64 the group of each row. The others are
(groups, steps) and start as 0; names and types are those of `aggregate_kernels`.
"""

import numpy as np

from streamgauge.compiled import njit
from streamgauge.promql.kernels.window_kernels import kahan
from streamgauge.series.sized import Index, sized

_CODES = Index("rows", below="groups")


@sized(counts="rows, steps", codes=_CODES, seen="groups, steps")
@njit(cache=True, nogil=True)
def added(counts, codes, seen):  # type: ignore[no-untyped-def]
    """The sum of whole numbers."""
    for row in range(len(codes)):
        for step in range(counts.shape[1]):
            seen[codes[row], step] += counts[row, step]


@sized(
    sums="rows, steps",
    losses="rows, steps",
    counts="rows, steps",
    codes=_CODES,
    out="groups, steps",
    lost="groups, steps",
    seen="groups, steps",
)
@njit(cache=True, nogil=True)
def totals(sums, losses, counts, codes, out, lost, seen):  # type: ignore[no-untyped-def]
    """Sums with what rounding lost."""
    for row in range(len(codes)):
        group = codes[row]
        for step in range(sums.shape[1]):
            if not counts[row, step]:
                continue
            if seen[group, step]:
                out[group, step], lost[group, step] = kahan(
                    sums[row, step], out[group, step], lost[group, step]
                )
                lost[group, step] += losses[row, step]
            else:
                out[group, step], lost[group, step] = sums[row, step], losses[row, step]
            seen[group, step] += counts[row, step]


@sized(
    sums="rows, steps",
    losses="rows, steps",
    counts="rows, steps",
    are_means="rows, steps",
    codes=_CODES,
    out="groups, steps",
    lost="groups, steps",
    seen="groups, steps",
    incremental="groups, steps",
)
@njit(cache=True, nogil=True)
def means(sums, losses, counts, are_means, codes, out, lost, seen, incremental):  # type: ignore[no-untyped-def]
    """Sums, or means where a sum would not be finite."""
    for row in range(len(codes)):
        group = codes[row]
        for step in range(sums.shape[1]):
            count = counts[row, step]
            if not count:
                continue
            value, value_lost = sums[row, step], losses[row, step]
            held = seen[group, step]
            seen[group, step] += count
            if not held:
                out[group, step], lost[group, step] = value, value_lost
                incremental[group, step] = are_means[row, step]
                continue
            if not incremental[group, step]:
                if not are_means[row, step]:
                    new, new_lost = kahan(value, out[group, step], lost[group, step])
                    if not np.isinf(new):
                        out[group, step], lost[group, step] = new, new_lost + value_lost
                        continue
                incremental[group, step] = True
                out[group, step] /= held
                lost[group, step] /= held
            if not are_means[row, step]:
                value /= count
                value_lost /= count
            share = count / seen[group, step]
            rest = held / seen[group, step]
            out[group, step], lost[group, step] = kahan(
                share * value, rest * out[group, step], rest * lost[group, step]
            )
            lost[group, step] += share * value_lost


@sized(
    middles="rows, steps",
    squares="rows, steps",
    counts="rows, steps",
    codes=_CODES,
    middle="groups, steps",
    out="groups, steps",
    seen="groups, steps",
)
@njit(cache=True, nogil=True)
def variances(middles, squares, counts, codes, middle, out, seen):  # type: ignore[no-untyped-def]
    """Means and squared distances from them (Chan, Golub and LeVeque, 1979)."""
    for row in range(len(codes)):
        group = codes[row]
        for step in range(middles.shape[1]):
            count = counts[row, step]
            if not count:
                continue
            held = seen[group, step]
            seen[group, step] += count
            if not held:
                middle[group, step], out[group, step] = middles[row, step], squares[row, step]
                continue
            delta = middles[row, step] - middle[group, step]
            share = count / seen[group, step]
            middle[group, step] += delta * share
            # as in Welford's update, so that what overflows there does so here
            out[group, step] += squares[row, step] + count * delta * (
                middles[row, step] - middle[group, step]
            )
