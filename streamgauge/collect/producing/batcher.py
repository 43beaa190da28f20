"""Cutting admitted samples into batches: one lane and one UTC minute each, sorted, merged, bounded."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from schemas.batches import batch
from schemas.batches.batch_packing import cut, weigh, within
from streamgauge.collect.incoming.rows import Rows
from streamgauge.collect.incoming.series_table import Ordinals, SeriesTable
from streamgauge.collect.producing.batch_kernels import split_minutes
from streamgauge.series.samples import Samples, merge

MAX_TOGETHER_BYTES = 64 * 1024 * 1024
"""Uncompressed content of batches that are made together."""


class Outgoing(NamedTuple):
    """A batch ready to be produced; `newest` is its newest sample's timestamp in ms."""

    lane: int
    newest: int
    series: int
    samples: int
    value: bytes


class _Sorted(NamedTuple):
    """All samples, batch after batch, oldest minute first; in a batch by series, each once.

    bounds: where each batch begins, and the end. A batch has one lane and one minute.
    """

    samples: Samples
    ordinals: Ordinals
    bounds: npt.NDArray[np.int64]


def batches(table: SeriesTable, parts: list[Rows]) -> Iterator[Outgoing]:
    """Encode all samples of these parts, whose ordinals are of `table`."""
    rows = (
        parts[0]
        if len(parts) == 1
        else Rows(*(np.concatenate(column) for column in zip(*parts, strict=True)))
    )
    if not len(rows.timestamps):
        return
    samples, ordinals, bounds = _by_lane_and_minute(table, rows)
    weights = weigh(table.label_bytes[ordinals], samples.offsets)
    lanes = table.lanes[ordinals[bounds[:-1]]]
    totals = np.add.reduceat(weights, bounds[:-1])
    for begin, end in within(totals, MAX_TOGETHER_BYTES, len(totals)):
        own = slice(int(bounds[begin]), int(bounds[end]))
        part = _rows(samples, own)
        # made at once and cut then: of many small batches most of the cost is not their samples
        record = batch.record_of(part, table.labels(ordinals[own]))
        for number in range(begin, end):
            base = int(bounds[number])
            for start, stop in cut(weights[base : int(bounds[number + 1])]):
                start, stop = base + start - own.start, base + stop - own.start
                times = part.timestamps[int(part.offsets[start]) : int(part.offsets[stop])]
                value = batch.encode_record(record.slice(start, stop - start))
                yield Outgoing(int(lanes[number]), int(times.max()), stop - start, len(times), value)


def _rows(samples: Samples, rows: slice) -> Samples:
    offsets = samples.offsets[rows.start : rows.stop + 1]
    own = slice(int(offsets[0]), int(offsets[-1]))
    return Samples(samples.ids[rows], offsets - offsets[0], samples.timestamps[own], samples.values[own])


def _by_lane_and_minute(table: SeriesTable, rows: Rows) -> _Sorted:
    room = len(rows.timestamps)
    runs, sizes, minutes = np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room, np.int64)
    count = split_minutes(rows.counts, rows.timestamps, runs, sizes, minutes)
    sizes, minutes = sizes[:count], minutes[:count]
    ordinals = rows.ordinals[runs[:count]]
    ids, lanes = table.ids[ordinals], table.lanes[ordinals]
    order = np.lexsort((ids[:, 1], ids[:, 0], lanes, minutes))
    is_next = (np.diff(lanes[order]) != 0) | (np.diff(minutes[order]) != 0)
    batch_of = np.zeros(count, np.int64)
    batch_of[order[1:]] = np.cumsum(is_next)
    # a series of one batch, instead of its id: the same series may be in batches of several minutes
    owners = np.stack([batch_of, ordinals], axis=1).view(np.uint64)
    owners, offsets, timestamps, values = merge(owners, sizes, rows.timestamps, rows.values, order)
    merged = owners[:, 1].astype(np.int64)
    bounds = np.searchsorted(owners[:, 0], np.arange(int(owners[-1, 0]) + 2, dtype=np.uint64))
    return _Sorted(Samples(table.ids[merged], offsets, timestamps, values), merged, bounds)
