"""Samples of many series as flat arrays, the order of their ids, and which of two equal timestamps wins.

Two values for one series and timestamp: a number beats NaN, NaN beats the stale marker, then the larger in
IEEE 754 total order wins. The rule does not depend on order or repetition, so the same set of samples
always gives the same bytes. Its price: a value cannot be corrected downwards.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from schemas.units import MINUTE_MS
from streamgauge.compiled import njit
from streamgauge.series.hash_kernels import FACTOR
from streamgauge.series.id_kernels import numbered, order_of_numbers
from streamgauge.series.ids import Ids
from streamgauge.series.sized import Counts, Index, sized

WORTH_NUMBERING = 4
"""To sort rows whose ids come so often each, or more, it is quicker to number the ids first."""


def order_of(ids: Ids) -> npt.NDArray[np.int64]:
    """The row numbers in the order of the ids, equal ones as they came."""
    high, low = ids[:, 0], ids[:, 1]
    # a collector's rows are sorted already, and to see that costs less than to sort them again
    in_order = (high[1:] > high[:-1]) | ((high[1:] == high[:-1]) & (low[1:] >= low[:-1]))
    if in_order.all():
        return np.arange(len(ids))
    numbers, firsts = numbered(ids, len(ids) // WORTH_NUMBERING, FACTOR)
    if len(firsts):
        ranks = np.empty(len(firsts), np.int64)
        ranks[order_of(ids[firsts])] = np.arange(len(firsts))
        order: npt.NDArray[np.int64] = order_of_numbers(ranks[numbers], len(firsts))
        return order
    # runs in order, as the batches of a lane are, are what a stable sort of one key is quick with
    order = np.argsort(high, kind="stable")
    falls = (high[order[1:]] == high[order[:-1]]) & (low[order[1:]] < low[order[:-1]])
    return np.lexsort((low, high)) if falls.any() else order


STALE_BITS = 0x7FF0000000000002
"""Bits of the NaN that Prometheus writes when a series ends."""
STALE = float(np.array([STALE_BITS], dtype=np.uint64).view(np.float64)[0])

_MOVES_A_SAMPLE = 8
"""So far is a sample put back among those of its series, on average, before they are all sorted instead."""


class Samples(NamedTuple):
    """Samples grouped by series.

    ids: (n, 2) uint64, sorted, distinct. offsets: (n + 1,) int64; series i owns [offsets[i], offsets[i + 1]).
    timestamps: (m,) int64 ms, rising within a series. values: (m,) float64.
    """

    ids: Ids
    offsets: npt.NDArray[np.int64]
    timestamps: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]


class Runs(NamedTuple):
    """Samples in pieces, of which several may be of one series.

    ids: (n, 2) uint64, in any order. counts: (n,) int64; piece i has the next counts[i] samples. timestamps: (m,) int64
    ms, rising within a piece. values: (m,) float64.
    """

    ids: Ids
    counts: npt.NDArray[np.int64]
    timestamps: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]


def empty() -> Samples:
    """No series at all."""
    return Samples(
        np.zeros((0, 2), np.uint64), np.zeros(1, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float64)
    )


def concat(parts: list[Samples]) -> Samples:
    """Merge parts whose series and timestamps may overlap, by the rule of this module."""
    return joined([runs_of(part) for part in parts])


def runs_of(samples: Samples) -> Runs:
    """A run for each series."""
    return Runs(samples.ids, np.diff(samples.offsets), samples.timestamps, samples.values)


def inside(runs: Runs, start: int, end: int) -> Runs:
    """What of each run is from `start` to `end`, both included (ms)."""
    kept = (runs.timestamps >= start) & (runs.timestamps <= end)
    if kept.all():
        return runs
    before, ends = (np.concatenate([np.zeros(1, np.int64), np.cumsum(each)]) for each in (kept, runs.counts))
    return Runs(runs.ids, np.diff(before[ends]), runs.timestamps[kept], runs.values[kept])


def joined(several: Sequence[Runs]) -> Samples:
    """Merge runs whose series and timestamps may overlap, by the rule of this module."""
    several = [runs for runs in several if len(runs.ids)]
    if not several:
        return empty()
    ids, counts, timestamps, values = (
        several[0] if len(several) == 1 else map(np.concatenate, zip(*several, strict=True))
    )
    return Samples(*merge(ids, counts, timestamps, values, _rising(ids, counts, timestamps)))


def _rising(
    ids: Ids, counts: npt.NDArray[np.int64], timestamps: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """The rows by id, those of one id by their minutes: what comes later is then put behind the others, not between."""
    begins = np.minimum(np.cumsum(counts) - counts, max(0, len(timestamps) - 1))
    minutes = timestamps[begins] // MINUTE_MS if len(timestamps) else begins
    if (minutes[1:] >= minutes[:-1]).all():
        return order_of(ids)
    by_time = np.argsort(minutes, kind="stable")
    return by_time[order_of(ids[by_time])]


def take(samples: Samples, rows: npt.NDArray[np.int64]) -> Samples:
    """The series at these ascending row numbers."""
    counts = np.diff(samples.offsets)[rows]
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
    picked = np.repeat(samples.offsets[rows] - offsets[:-1], counts) + np.arange(offsets[-1])
    return Samples(samples.ids[rows], offsets, samples.timestamps[picked], samples.values[picked])


def between(samples: Samples, start: int, end: int) -> Samples:
    """The samples from `start` to `end`, both included (ms), of the series that have any."""
    cut = inside(runs_of(samples), start, end)
    if len(cut.values) == len(samples.values):
        return samples
    rows = np.flatnonzero(cut.counts)
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(cut.counts[rows])])
    return Samples(cut.ids[rows], offsets, cut.timestamps, cut.values)


@njit(cache=True, nogil=True)
def wins(challenger: np.uint64, holder: np.uint64) -> bool:
    """Whether the float with the bits `challenger` replaces `holder` at the same timestamp."""
    ranks = _rank(challenger), _rank(holder)
    if ranks[0] != ranks[1]:
        return ranks[0] > ranks[1]
    return bool(_total_order(challenger) > _total_order(holder))


@njit(cache=True, nogil=True)
def _rank(bits: np.uint64) -> int:
    if bits == np.uint64(0x7FF0000000000002):
        return 0
    if bits & np.uint64(0x7FFFFFFFFFFFFFFF) > np.uint64(0x7FF0000000000000):
        return 1
    return 2


@njit(cache=True, nogil=True)
def _total_order(bits: np.uint64) -> np.uint64:
    if bits >> np.uint64(63):
        return ~bits
    return bits | np.uint64(0x8000000000000000)


def _each_run_comes_once(counts: npt.NDArray[np.int64], order: npt.NDArray[np.int64]) -> bool:
    # enough for the room, of all that could be wrong with an order
    return bool(counts[order].sum() == counts.sum())


@sized(
    _each_run_comes_once,
    ids="runs, 2",
    counts=Counts("runs", total="samples"),
    timestamps="samples",
    values="samples",
    order=Index("runs", below="runs"),
)
@njit(cache=True, nogil=True)
def merge(ids, counts, timestamps, values, order):  # type: ignore[no-untyped-def]
    """The fields of `Samples` of runs that may be of one series: row i has the next `counts[i]` samples.

    :param order: the rows so that those with equal ids, (n, 2) uint64, follow each other.
    """
    rows = len(counts)
    starts = np.zeros(rows + 1, np.int64)
    for row in range(rows):
        starts[row + 1] = starts[row] + counts[row]
    out_ids = np.empty((rows, 2), np.uint64)
    out_offsets = np.zeros(rows + 1, np.int64)
    out_times = np.empty(len(timestamps), np.int64)
    out_values = np.empty(len(values), np.float64)
    bits = out_values.view(np.uint64)
    source = values.view(np.uint64)
    series = 0
    written = 0
    at = 0
    while at < rows:
        first = order[at]
        high, low = ids[first, 0], ids[first, 1]
        begin = written
        moves, in_order = 0, True
        while at < rows and ids[order[at], 0] == high and ids[order[at], 1] == low:
            row = order[at]
            for sample in range(starts[row], starts[row + 1]):
                time, value = timestamps[sample], source[sample]
                place = written
                # what is nearly in order is quickest put into its place, but that is quadratic for what is not
                if in_order:
                    while place > begin and out_times[place - 1] > time:
                        place -= 1
                    moves += written - place
                    in_order = moves <= _MOVES_A_SAMPLE * (written + 1 - begin)
                if place > begin and out_times[place - 1] == time:
                    if wins(value, bits[place - 1]):
                        bits[place - 1] = value
                    continue
                for moved in range(written, place, -1):
                    out_times[moved] = out_times[moved - 1]
                    bits[moved] = bits[moved - 1]
                out_times[place] = time
                bits[place] = value
                written += 1
            at += 1
        if not in_order:
            written = begin + _sort(out_times[begin:written], bits[begin:written])
        if written > begin:
            out_ids[series, 0] = high
            out_ids[series, 1] = low
            series += 1
            out_offsets[series] = written
    return out_ids[:series], out_offsets[: series + 1], out_times[:written], out_values[:written]


@njit(cache=True, nogil=True)
def _sort(times, bits):  # type: ignore[no-untyped-def]
    """Sort the samples of one series, each timestamp once; returns how many are left."""
    # a merge sort: the quicksort is quadratic for times that somebody chooses so
    order = np.argsort(times, kind="mergesort")
    times[:], bits[:] = times[order], bits[order]
    kept = 0
    for at in range(len(times)):
        if kept and times[kept - 1] == times[at]:
            if wins(bits[at], bits[kept - 1]):
                bits[kept - 1] = bits[at]
        else:
            times[kept], bits[kept] = times[at], bits[at]
            kept += 1
    return kept
