"""Writing blocks: raw parts, rollup rows, and how far a lane is sealed."""

import time
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
from cassandra.cluster import Session
from cassandra.concurrent import execute_concurrent

from schemas import blocks, columns
from schemas.tables import RAW_GRACE_MS, ROLLUP_COLUMNS, Resolution, ttl_seconds
from streamgauge.rollup.aggregates import Aggregates
from streamgauge.series.ids import Ids, Shards, groups_of, slices_of
from streamgauge.series.samples import Samples, concat, take

CONCURRENCY = 32
SAMPLES_A_ROW = 400_000
"""At 11 bytes a sample at worst, and 30 a series, a third of the 16 MiB that Cassandra takes at once."""


class BlockStore:
    """Writes and re-reads the blocks of whole windows; a write returns when all is stored, or raises."""

    def __init__(self, session: Session, shards: Shards) -> None:
        self._session = session
        self._shards = shards
        raw = Resolution.RAW.value.table
        self._insert_raw = session.prepare(
            f"INSERT INTO {raw} (lane, period, metric_group, slice, window_start, part, format, ids, "
            "timestamps, samples) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) USING TTL ?"
        )
        self._select_raw = session.prepare(
            f"SELECT format, ids, timestamps, samples FROM {raw} WHERE lane = ? AND period = ? "
            "AND metric_group IN ? AND slice IN ? AND window_start = ?"
        )
        names = ", ".join(f'"{name}"' for name in ROLLUP_COLUMNS)
        marks = ", ".join("?" * len(ROLLUP_COLUMNS))
        self._insert_rollup: dict[Resolution, object] = {
            resolution: session.prepare(
                f"INSERT INTO {resolution.value.table} (lane, period, metric_group, slice, window_start, "
                f"format, ids, {names}) VALUES (?, ?, ?, ?, ?, ?, ?, {marks}) USING TTL ?"
            )
            for resolution in Resolution
            if resolution is not Resolution.RAW
        }
        self._select_progress = session.prepare(
            "SELECT lane, sealed_to FROM rollup_progress WHERE resolution = ?"
        )
        self._insert_progress = session.prepare(
            "INSERT INTO rollup_progress (resolution, lane, sealed_to) VALUES (?, ?, ?)"
        )

    def write_raw(self, lane: int, window_start: int, part: bytes, samples: Samples) -> None:
        """Store the samples of one minute (ms) as a part; nothing is written that is no longer kept.

        What would be too large for one mutation goes to further parts, `part` with a number behind it.
        """
        level = Resolution.RAW.value
        if _ttl(window_start, level.retention_ms) <= 0:
            return
        ttl = _ttl(window_start, level.retention_ms + RAW_GRACE_MS)
        rows = []
        for group, piece, which in self._shares(samples.ids, self._shards.raw_slices):
            for number, some in enumerate(_mutations(samples, which)):
                block = blocks.encode_raw(take(samples, some), window_start)
                own_part = part + number.to_bytes(2, "big") if number else part
                key = (lane, level.period(window_start), group, piece, window_start, own_part)
                content = (block.format, block.ids, block.timestamps, block.samples)
                rows.append((*key, *content, ttl))
        self._write(self._insert_raw, rows)

    def read_raw(self, lane: int, window_start: int) -> Samples:
        """All samples of one minute (ms) of a lane, every part merged.

        :raises InvalidBlock: for a damaged block.
        """
        level = Resolution.RAW.value
        groups = list(range(self._shards.groups))
        slices = list(range(self._shards.raw_slices))
        key = (lane, level.period(window_start), groups, slices, window_start)
        return concat(
            [
                blocks.decode_raw(
                    blocks.RawBlock(row.ids, row.timestamps, row.samples, row.format),
                    window_start,
                    level.width_ms,
                )
                for row in self._session.execute(self._select_raw, key)
            ]
        )

    def write_rollup(
        self, resolution: Resolution, lane: int, window_start: int, aggregates: Aggregates
    ) -> None:
        """Store the aggregates of one window, over what may be there."""
        level = resolution.value
        ttl = _ttl(window_start, level.retention_ms)
        if ttl <= 0:
            return
        rows = []
        for group, piece, which in self._shares(aggregates.ids, self._shards.rollup_slices):
            share = aggregates.rows(which)
            blobs = [columns.encode_column(name, share.columns[name]) for name in ROLLUP_COLUMNS]
            key = (lane, level.period(window_start), group, piece, window_start)
            rows.append((*key, columns.ROLLUP_FORMAT, blocks.encode_ids(share.ids), *blobs, ttl))
        self._write(self._insert_rollup[resolution], rows)

    def progress(self, resolution: Resolution) -> dict[int, int]:
        """Where each lane is sealed up to (ms)."""
        rows = self._session.execute(self._select_progress, (resolution.value.label,))
        return {row.lane: row.sealed_to for row in rows}

    def write_progress(self, resolution: Resolution, lane: int, sealed_to: int) -> None:
        """Declare every window of the lane that ends at or before `sealed_to` (ms) to be in its blocks."""
        self._session.execute(self._insert_progress, (resolution.value.label, lane, sealed_to))

    def _shares(self, ids: Ids, slices: int) -> Iterator[tuple[int, int, npt.NDArray[np.int64]]]:
        """The rows of each (metric group, slice) that occurs."""
        places = groups_of(ids, self._shards.groups) * slices + slices_of(ids, self._shards.lanes, slices)
        for place in np.unique(places):
            group, piece = divmod(int(place), slices)
            yield group, piece, np.flatnonzero(places == place)

    def _write(self, statement: object, rows: Sequence[tuple[object, ...]]) -> None:
        execute_concurrent(self._session, [(statement, row) for row in rows], concurrency=CONCURRENCY)


def _mutations(samples: Samples, rows: npt.NDArray[np.int64]) -> list[npt.NDArray[np.int64]]:
    """Cut row numbers where more samples would not fit into a mutation."""
    before = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.diff(samples.offsets)[rows])[:-1]])
    cuts = np.flatnonzero(np.diff(before // SAMPLES_A_ROW)) + 1
    return np.split(rows, cuts)


def _ttl(window_start: int, retention_ms: int) -> int:
    return ttl_seconds(int(time.time() * 1000), window_start, retention_ms)
