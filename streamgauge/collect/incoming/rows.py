"""Samples on their way in: runs of samples, each run of one known series."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from schemas.topics import MAX_FUTURE_MS
from schemas.units import HOUR_MS, MINUTE_MS
from streamgauge.collect.incoming.ages import Ages
from streamgauge.collect.incoming.faults import SampleFault
from streamgauge.collect.incoming.refusals import Refusals
from streamgauge.collect.incoming.series_table import Ordinals, SeriesTable
from streamgauge.series.labels import parse

MAX_DETAIL = 1000
"""Characters of the labels of a refused series in an answer."""
SECONDS_WITHIN_MS = 365 * 24 * HOUR_MS
"""A timestamp that as seconds would be so near to now is taken for one in seconds."""
MAX_BATCHES = 16_384
"""Maximum number of batches per request; a message costs as much as a thousand samples."""


class Rows(NamedTuple):
    """Runs of samples in the order they came.

    ordinals: (n,) int64, of one `SeriesTable`; a series may come again. counts: (n,) int64, samples of each
    run. timestamps: (m,) int64 ms. values: (m,) float64, NaN bits as they came.
    """

    ordinals: Ordinals
    counts: npt.NDArray[np.int64]
    timestamps: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]


def without(rows: Rows, leave_out: npt.NDArray[np.bool_]) -> Rows:
    """Return the rows without some samples (m,), and without empty runs."""
    owners = np.repeat(np.arange(len(rows.counts)), rows.counts)
    counts = np.bincount(owners[~leave_out], minlength=len(rows.counts)).astype(np.int64)
    kept = counts > 0
    return Rows(rows.ordinals[kept], counts[kept], rows.timestamps[~leave_out], rows.values[~leave_out])


def admit(rows: Rows, table: SeriesTable, now: int, ages: Ages, refusals: Refusals) -> Rows:
    """Leave out samples more than a minute ahead of `now` (ms), and those that no table takes any more.

    :param table: whose ordinals they are.
    """
    times = rows.timestamps
    if not len(times) or (times.max() <= now + MAX_FUTURE_MS and times.min() >= now - ages.youngest):
        return rows
    future, ancient = times > now + MAX_FUTURE_MS, times <= 0
    old = times < now - ages.youngest
    owners = np.repeat(rows.ordinals, rows.counts)
    kept_ms = np.zeros(len(times), np.int64)
    kept_ms[old] = ages.of(table, owners[old])
    old &= ~ancient & (times < now - kept_ms)
    for reason, mask in (
        (SampleFault.FUTURE, future),
        (SampleFault.BEFORE_EPOCH, ancient),
        (SampleFault.TOO_OLD, old),
    ):
        if mask.any():
            first = int(mask.argmax())
            time = int(times[first])
            detail = f"of {parse(table.canonical(int(owners[first])))}"[:MAX_DETAIL]
            if reason is SampleFault.TOO_OLD:
                detail += _too_old(time, now, int(kept_ms[first]))
            refusals.add(reason, int(mask.sum()), time, detail)
    refused = future | ancient | old
    return without(rows, refused) if refused.any() else rows


def within_batches(rows: Rows, table: SeriesTable, refusals: Refusals) -> Rows:
    """Drop the oldest samples beyond `MAX_BATCHES` batches, one for each lane and minute.

    :param table: whose ordinals they are.
    """
    minutes = rows.timestamps // MINUTE_MS
    if len(minutes) <= MAX_BATCHES:
        return rows
    lanes = table.lanes[rows.ordinals]
    count = int(lanes.max()) + 1
    if count * (int(np.ptp(minutes)) + 1) <= MAX_BATCHES:
        return rows
    places = minutes * count + np.repeat(lanes, rows.counts)
    found = np.unique(places)
    if len(found) <= MAX_BATCHES:
        return rows
    scattered = places < found[-MAX_BATCHES]
    first = int(scattered.argmax())
    owner = int(rows.ordinals[np.searchsorted(np.cumsum(rows.counts), first, side="right")])
    detail = f"of {parse(table.canonical(owner))}"[:MAX_DETAIL]
    detail += f": the request has samples in more than {MAX_BATCHES} lane-minutes"
    refusals.add(SampleFault.SCATTERED, int(scattered.sum()), int(rows.timestamps[first]), detail)
    return without(rows, scattered)


def _too_old(time: int, now: int, kept_ms: int) -> str:
    """As Prometheus words it; with a hint for a sender whose clock counts other units."""
    words = f": too old sample; samples up to {kept_ms / HOUR_MS:.4g} h old are accepted"
    if abs(1000 * time - now) < SECONDS_WITHIN_MS:
        return f"{words}; the timestamp looks like seconds, expected milliseconds"
    return words
