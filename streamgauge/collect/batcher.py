"""Cutting admitted samples into batches: one lane and one UTC minute each, sorted, merged, bounded."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from schemas import batch
from streamgauge.collect.batch_kernels import split_minutes
from streamgauge.collect.rows import Rows
from streamgauge.collect.series_table import Ordinals, SeriesTable
from streamgauge.series.samples import Samples, concat, take

MAX_CONTENT_BYTES = 2 * 1024 * 1024
"""Uncompressed content of a batch; a larger one is cut. Half of what a message may be."""


class Outgoing(NamedTuple):
    """A batch ready to be produced; `newest` is its newest sample's timestamp in ms."""

    lane: int
    newest: int
    series: int
    samples: int
    value: bytes


class _Pieces(NamedTuple):
    """Runs cut at minutes: whose they are, where their samples lie."""

    ordinals: Ordinals
    starts: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int64]


def batches(table: SeriesTable, parts: list[Rows]) -> Iterator[Outgoing]:
    """Encode all samples of these parts, whose ordinals are of `table`."""
    rows = (
        parts[0]
        if len(parts) == 1
        else Rows(*(np.concatenate(column) for column in zip(*parts, strict=True)))
    )
    if not len(rows.timestamps):
        return
    for lane, pieces in _by_lane_and_minute(table, rows):
        samples, ordinals = _merged(table, rows, pieces)
        for chunk in _chunks(table.label_bytes[ordinals] + 16 * np.diff(samples.offsets) + 24):
            whole = len(chunk) == len(ordinals)
            part = samples if whole else take(samples, chunk)
            value = batch.encode(part, table.labels(ordinals[chunk]))
            yield Outgoing(lane, int(part.timestamps.max()), len(chunk), len(part.timestamps), value)


def _by_lane_and_minute(table: SeriesTable, rows: Rows) -> Iterator[tuple[int, _Pieces]]:
    """The pieces of each lane and minute, oldest minute first, sorted by series id."""
    room = len(rows.timestamps)
    runs, sizes, minutes = np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room, np.int64)
    count = split_minutes(rows.counts, rows.timestamps, runs, sizes, minutes)
    sizes, minutes = sizes[:count], minutes[:count]
    ordinals = rows.ordinals[runs[:count]]
    starts = np.cumsum(sizes) - sizes
    ids, lanes = table.ids[ordinals], table.lanes[ordinals]
    order = np.lexsort((ids[:, 1], ids[:, 0], lanes, minutes))
    lanes, minutes = lanes[order], minutes[order]
    cuts = np.flatnonzero((np.diff(lanes) != 0) | (np.diff(minutes) != 0)) + 1
    for group in np.split(order, cuts):
        yield int(table.lanes[ordinals[group[0]]]), _Pieces(ordinals[group], starts[group], sizes[group])


def _merged(table: SeriesTable, rows: Rows, pieces: _Pieces) -> tuple[Samples, Ordinals]:
    """The samples of sorted pieces, each series once, and the ordinal of each."""
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(pieces.sizes)])
    picked = np.repeat(pieces.starts - offsets[:-1], pieces.sizes) + np.arange(offsets[-1])
    ids = table.ids[pieces.ordinals]
    samples = concat([Samples(ids, offsets, rows.timestamps[picked], rows.values[picked])])
    first = np.ones(len(pieces.ordinals), bool)
    first[1:] = np.diff(pieces.ordinals) != 0
    return samples, pieces.ordinals[first]


def _chunks(weights: npt.NDArray[np.int64]) -> Iterator[npt.NDArray[np.int64]]:
    """Row numbers in chunks of nearly equal weight (bytes), none of more series than a batch may have."""
    total = int(weights.sum())
    parts = max(-(-len(weights) // batch.MAX_SERIES), -(-total // MAX_CONTENT_BYTES))
    if parts == 1:
        yield np.arange(len(weights))
        return
    ends = np.cumsum(weights)
    start = 0
    while start < len(weights):
        limit = (ends[start - 1] if start else 0) + MAX_CONTENT_BYTES
        end = max(int(np.searchsorted(ends, limit, side="right")), start + 1)
        end = min(end, start + batch.MAX_SERIES, start + -(-len(weights) // parts))
        yield np.arange(start, end)
        start = end
