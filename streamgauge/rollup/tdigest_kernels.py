"""Kernels of the t-digest: from sorted points to centroids, and merging.

A digest is laid out as NaN, -inf, the finite centroids by rising mean, +inf; each special is one centroid
if it occurs. A point is a finite value with a multiplicity.
"""

import numpy as np
import numpy.typing as npt

from streamgauge.compiled import njit
from streamgauge.rollup.tdigest_parabola import border, bounded
from streamgauge.rollup.tdigest_rounding import round_beside_atoms, round_means
from streamgauge.series.digest_shape import MAX_CENTROIDS, cell_weights
from streamgauge.series.sized import Index, Offsets, sized

Numbers = npt.NDArray[np.int64]
SPREAD = 4
"""Points into which a centroid is taken apart before it is merged with others."""


@njit(cache=True, nogil=True)
def of_sorted(ordered, size, nans, means, weights, at):  # type: ignore[no-untyped-def]
    """Digest ordered[:size], rising, of which the first `nans` are NaN; return where it ends and `exact`.

    It is written from `at` on and takes at most min(size, MAX_CENTROIDS) places.
    """
    distinct = min(nans, 1)
    for place in range(nans, size):
        if place == nans or ordered[place] != ordered[place - 1]:
            distinct += 1
    if distinct <= MAX_CENTROIDS:
        if nans:
            means[at] = np.nan
            weights[at] = nans
            at += 1
        for place in range(nans, size):
            if place == nans or ordered[place] != ordered[place - 1]:
                means[at] = ordered[place] + 0.0  # makes -0.0 a 0.0
                weights[at] = 0
                at += 1
            weights[at - 1] += 1
        return at, True
    low, high = nans, size
    while low < high and ordered[low] == -np.inf:
        low += 1
    while high > low and ordered[high - 1] == np.inf:
        high -= 1
    specials = np.array([nans, low - nans, size - high])
    points, counts = ordered[low:high].copy(), np.ones(high - low, np.int64)
    size = _coalesce(points, counts, high - low)
    return _cells(points, counts, size, True, specials, means, weights, at), False


def room(offsets: Numbers, exact: npt.NDArray[np.bool_], order: Numbers, bounds: Numbers) -> int:
    """The most centroids that `merge` may write: of exact digests as many as they have, of others always the most."""
    before = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.diff(offsets)[order])])
    inexact = np.concatenate([np.zeros(1, np.int64), np.cumsum(~exact[order])])
    size, is_inexact = np.diff(before[bounds]), np.diff(inexact[bounds]) > 0
    return int(np.where(is_inexact, MAX_CENTROIDS, np.minimum(size, MAX_CENTROIDS)).sum())


def _no_digest_is_longer_than_one_may_be(offsets):  # type: ignore[no-untyped-def]
    return (offsets[1:] - offsets[:-1] <= MAX_CENTROIDS).all()


def _merged_digests_have_room(offsets, exact, order, bounds, out_means):  # type: ignore[no-untyped-def]
    return room(offsets, exact, order, bounds) <= len(out_means)


@sized(
    _no_digest_is_longer_than_one_may_be,
    _merged_digests_have_room,
    offsets=Offsets("parts", within="centroids"),
    means="centroids",
    weights="centroids",
    exact="parts",
    order=Index("places", below="parts"),
    bounds=Offsets("groups", within="places"),
    out_offsets="groups + 1",
    out_means="room",
    out_weights="room",
    out_exact="groups",
)
@njit(cache=True, nogil=True)
def merge(offsets, means, weights, exact, order, bounds, out_offsets, out_means, out_weights, out_exact):  # type: ignore[no-untyped-def]
    """Merge the digests order[bounds[g]:bounds[g + 1]] of each group; return the number of centroids.

    `out_means` and `out_weights` need as many places as `room` says.
    """
    at = 0
    longest, most = 0, 0
    for group in range(len(bounds) - 1):
        points, parts = 0, 0
        for part in order[bounds[group] : bounds[group + 1]]:
            points += (1 if exact[part] else SPREAD) * (offsets[part + 1] - offsets[part])
            parts += 1
        longest, most = max(longest, points), max(most, parts)
    points_a, weights_a = np.empty(longest, np.float64), np.empty(longest, np.int64)
    points_b, weights_b = np.empty(longest, np.float64), np.empty(longest, np.int64)
    runs = np.empty(most + 1, np.int64)
    specials = np.empty(3, np.int64)
    for group in range(len(bounds) - 1):
        filled, only = 0, -1
        for part in order[bounds[group] : bounds[group + 1]]:
            if offsets[part + 1] > offsets[part]:
                filled += 1
                only = part
        if filled == 1:
            for source in range(offsets[only], offsets[only + 1]):
                out_means[at] = means[source]
                out_weights[at] = weights[source]
                at += 1
            out_exact[group] = exact[only]
            out_offsets[group + 1] = at
            continue
        specials[:] = 0
        all_exact = True
        run_count, points = 0, 0
        runs[0] = 0
        for part in order[bounds[group] : bounds[group + 1]]:
            begin, end = offsets[part], offsets[part + 1]
            if begin == end:
                continue
            all_exact &= exact[part]
            begin, end = _take_specials(means, weights, begin, end, specials)
            points = _spread(means[begin:end], weights[begin:end], exact[part], points_a, weights_a, points)
            if points > runs[run_count]:
                run_count += 1
                runs[run_count] = points
        in_a = _sort_runs(points_a, weights_a, points_b, weights_b, runs, run_count)
        found = points_a if in_a else points_b
        counts = weights_a if in_a else weights_b
        points = _coalesce(found, counts, points)
        distinct = points + (specials > 0).sum()
        out_exact[group] = all_exact and distinct <= MAX_CENTROIDS
        if out_exact[group]:
            at = _specials_below(specials, out_means, out_weights, at)
            for place in range(points):
                out_means[at] = found[place]
                out_weights[at] = counts[place]
                at += 1
            at = _specials_above(specials, out_means, out_weights, at)
        else:
            at = _cells(found, counts, points, all_exact, specials, out_means, out_weights, at)
        out_offsets[group + 1] = at
    return at


@njit(cache=True, nogil=True)
def _take_specials(means, weights, begin, end, specials):  # type: ignore[no-untyped-def]
    """Add the weights of NaN, -inf and inf to `specials`; return where the finite centroids begin and end."""
    if begin < end and means[begin] != means[begin]:
        specials[0] += weights[begin]
        begin += 1
    if begin < end and means[begin] == -np.inf:
        specials[1] += weights[begin]
        begin += 1
    if begin < end and means[end - 1] == np.inf:
        end -= 1
        specials[2] += weights[end]
    return begin, end


@njit(cache=True, nogil=True)
def _spread(means, weights, exact, points, counts, at):  # type: ignore[no-untyped-def]
    """Append the points of one digest: each inexact centroid becomes up to SPREAD points with its mean.

    Points at the means alone would lose the variance within centroids, and with it some accuracy a level.
    """
    if exact:
        points[at : at + len(means)] = means
        counts[at : at + len(means)] = weights
        return at + len(means)
    right_border = np.nan
    for centroid in range(len(means)):
        weight = weights[centroid]
        left_border = right_border if centroid else border(means, weights, -1)
        right_border = border(means, weights, centroid)
        pieces = min(SPREAD, weight)
        if pieces == 1:
            points[at] = means[centroid]
            counts[at] = weight
            at += 1
            continue
        middle = means[centroid]
        left, right = bounded(left_border, middle, right_border)
        bend = 6.0 * (middle - (left + right) / 2.0)
        before, done = 0.0, 0
        for piece in range(pieces):
            upto = weight * (piece + 1) // pieces
            after = upto / weight
            value = left + (right - left + bend) * (before + after) / 2.0
            value -= bend * (before * before + before * after + after * after) / 3.0
            if not np.isfinite(value):
                value = middle
            if piece:
                value = max(value, points[at - 1])
            points[at] = value + 0.0
            counts[at] = upto - done
            before, done = after, upto
            at += 1
    return at


@njit(cache=True, nogil=True)
def _sort_runs(points_a, weights_a, points_b, weights_b, runs, run_count):  # type: ignore[no-untyped-def]
    """Merge sorted runs two by two, back and forth between a and b; return whether the result is in a."""
    in_a = True
    while run_count > 1:
        source, source_weights = (points_a, weights_a) if in_a else (points_b, weights_b)
        target, target_weights = (points_b, weights_b) if in_a else (points_a, weights_a)
        merged = 0
        for pair in range(0, run_count, 2):
            left, at = runs[pair], runs[pair]
            middle = runs[pair + 1]
            end = runs[min(pair + 2, run_count)]
            right = middle
            while left < middle and right < end:
                if source[left] <= source[right]:
                    target[at] = source[left]
                    target_weights[at] = source_weights[left]
                    left += 1
                else:
                    target[at] = source[right]
                    target_weights[at] = source_weights[right]
                    right += 1
                at += 1
            while left < middle:
                target[at] = source[left]
                target_weights[at] = source_weights[left]
                left += 1
                at += 1
            while right < end:
                target[at] = source[right]
                target_weights[at] = source_weights[right]
                right += 1
                at += 1
            merged += 1
            runs[merged] = end
        run_count = merged
        in_a = not in_a
    return in_a


@njit(cache=True, nogil=True)
def _coalesce(points, weights, size):  # type: ignore[no-untyped-def]
    kept = 0
    for place in range(size):
        if kept and points[kept - 1] == points[place]:
            weights[kept - 1] += weights[place]
        else:
            points[kept] = points[place]
            weights[kept] = weights[place]
            kept += 1
    return kept


@njit(cache=True, nogil=True)
def _specials_below(specials, means, weights, at):  # type: ignore[no-untyped-def]
    for which in range(2):
        if specials[which]:
            means[at] = np.nan if which == 0 else -np.inf
            weights[at] = specials[which]
            at += 1
    return at


@njit(cache=True, nogil=True)
def _specials_above(specials, means, weights, at):  # type: ignore[no-untyped-def]
    if specials[2]:
        means[at] = np.inf
        weights[at] = specials[2]
        at += 1
    return at


@njit(cache=True, nogil=True)
def _cells(points, counts, size, exact, specials, means, weights, at):  # type: ignore[no-untyped-def]
    """Cut sorted points at the ranks of `cell_weights`, in the midst of a point where one falls there.

    `exact`: the points are values. If not, one that fills a centroid may be a piece of a wide one, and is taken
    for a frequent value only if it is far heavier.
    """
    at = _specials_below(specials, means, weights, at)
    total = counts[:size].sum()
    cells = cell_weights(total, weights[at:])
    atoms = np.zeros(cells, np.bool_)
    place, left = 0, counts[0] if size else 0
    for cell in range(at, at + cells):
        weight = weights[cell]
        first, last, count = points[place], points[place], counts[place]
        need, distance, plain = weight, 0.0, 0.0
        while need:
            taken = min(need, left)
            last, count = points[place], counts[place]
            distance += taken * (last - first)
            plain += taken / weight * last
            need -= taken
            left -= taken
            if left == 0 and place + 1 < size:
                place += 1
                left = counts[place]
        mean = first + distance / weight
        if not np.isfinite(mean):
            mean = plain
        mean = min(max(mean, first), last)
        atoms[cell - at] = weight > 1 and first == last and (exact or count >= 2 * weight)
        means[cell] = mean if cell == at else max(mean, means[cell - 1])
    if atoms.any():
        round_beside_atoms(means[at : at + cells], atoms)
    else:
        round_means(means[at : at + cells])
    return _specials_above(specials, means, weights, at + cells)
