"""Writing blocks, raw parts and rollup rows, and reading whole windows of them again."""

import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from cassandra.cluster import Session
from cassandra.concurrent import execute_concurrent

from schemas import blocks, digests
from schemas.columns import ROLLUP_FORMAT, decode_column, encode_column
from schemas.invalid_block import BlockFault, InvalidBlock
from schemas.tables import (
    QUANTILES,
    RAW_GRACE_MS,
    ROLLED,
    ROLLUP_BLOBS,
    ROLLUP_COLUMNS,
    Resolution,
    StorageClass,
    ttl_seconds,
)
from streamgauge.rollup.aggregates import COLUMNS, Aggregates
from streamgauge.series.ids import Ids, Shards, groups_of, slices_of
from streamgauge.series.samples import Samples, concat, take

CONCURRENCY = 32
ROWS_A_PAGE = 64
RollupBlobs = dict[tuple[int, int], tuple[bytes | None, ...]]
"""Of one window, the ids and then the blobs of each (metric group, slice), as they are stored."""
SAMPLES_A_ROW = 400_000
"""At 11 bytes a sample at worst, and 30 a series, a third of the 16 MiB that Cassandra takes at once."""


class BlockStore:
    """Writes and re-reads the blocks of whole windows of one storage class.

    A write returns when all is stored, or raises. :param kept: the class.
    """

    def __init__(self, session: Session, shards: Shards, kept: StorageClass) -> None:
        self.kept = kept
        self._session = session
        self._shards = shards
        raw = kept.table(Resolution.RAW)
        self._insert_raw = session.prepare(
            f"INSERT INTO {raw} (lane, period, metric_group, slice, window_start, part, format, ids, "
            "timestamps, samples) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) USING TTL ?"
        )
        self._select_raw = session.prepare(
            f"SELECT format, ids, timestamps, samples FROM {raw} WHERE lane = ? AND period = ? "
            "AND metric_group IN ? AND slice IN ? AND window_start = ?"
        )
        self._insert_rollup: dict[Resolution, Any] = {}
        self._select_rollup: dict[Resolution, Any] = {}
        names = [f'"{name}"' for name in ROLLUP_BLOBS]
        for resolution in ROLLED:
            self._insert_rollup[resolution] = session.prepare(
                f"INSERT INTO {kept.table(resolution)} (lane, period, metric_group, slice, window_start, format, "
                f"ids, {', '.join(names)}) VALUES (?, ?, ?, ?, ?, ?, ?, {', '.join('?' * len(names))}) USING TTL ?"
            )
            self._select_rollup[resolution] = session.prepare(
                f"SELECT metric_group, slice, window_start, format, ids, {', '.join(names)} "
                f"FROM {kept.table(resolution)} WHERE lane = ? AND period = ? AND metric_group IN ? "
                "AND slice IN ? AND window_start >= ? AND window_start < ?"
            )
            self._select_rollup[resolution].fetch_size = ROWS_A_PAGE

    def write_raw(
        self, lane: int, window_start: int, part: bytes, samples: Samples, keep_ms: int = 0
    ) -> None:
        """Store the samples of one minute (ms) as a part; nothing is written that is no longer kept.

        What would be too large for one mutation goes to further parts, `part` with a number behind it.

        :param keep_ms: how long the part lives at least, whatever its age.
        """
        level, retention_ms = Resolution.RAW.value, self.kept.retention_ms[Resolution.RAW]
        if _ttl(window_start, retention_ms) <= 0 and not keep_ms:
            return
        ttl = max(_ttl(window_start, retention_ms + RAW_GRACE_MS), keep_ms // 1000)
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
        self.write_rollup_blobs(resolution, lane, window_start, self.rollup_blobs(aggregates))

    def rollup_blobs(self, aggregates: Aggregates) -> RollupBlobs:
        """The rows that aggregates of one window make."""
        found = {}
        for group, piece, which in self._shares(aggregates.ids, self._shards.rollup_slices):
            share = aggregates.rows(which)
            columns = encode_rollup(share)
            found[group, piece] = (
                blocks.encode_ids(share.ids),
                *(columns.get(name) for name in ROLLUP_BLOBS),
            )
        return found

    def write_rollup_blobs(
        self, resolution: Resolution, lane: int, window_start: int, rows: RollupBlobs
    ) -> None:
        """Store rows of one window; nothing is written that is no longer kept."""
        level = resolution.value
        ttl = _ttl(window_start, self.kept.retention_ms[resolution])
        if ttl > 0:
            place = lane, level.period(window_start)
            self._write(
                self._insert_rollup[resolution],
                [
                    (*place, group, piece, window_start, ROLLUP_FORMAT, *blobs, ttl)
                    for (group, piece), blobs in rows.items()
                ],
            )

    def read_rollup_blobs(self, resolution: Resolution, lane: int, window_start: int) -> RollupBlobs:
        """The rows of one window as they are stored, without those of another format."""
        return {
            (group, piece): tuple(blobs)
            for group, piece, _, version, *blobs in self._rollup_rows(
                resolution, lane, window_start, window_start + 1
            )
            if version == ROLLUP_FORMAT
        }

    def read_rollups(
        self, resolution: Resolution, lane: int, start: int, end: int
    ) -> list[tuple[int, Aggregates]]:
        """The windows of a lane that start from `start` to before `end` (ms), which are of one period.

        A window comes in as many pieces as it has rows.

        :raises InvalidBlock: for a damaged row.
        """
        names = ("ids", *ROLLUP_BLOBS)
        return [
            (window_start, decode_rollup(version, dict(zip(names, row, strict=True))))
            for _, _, window_start, version, *row in self._rollup_rows(resolution, lane, start, end)
        ]

    def _rollup_rows(self, resolution: Resolution, lane: int, start: int, end: int) -> Iterator[Any]:
        groups, slices = list(range(self._shards.groups)), list(range(self._shards.rollup_slices))
        key = (lane, resolution.value.period(start), groups, slices, start, end)
        yield from self._session.execute(self._select_rollup[resolution], key)

    def _shares(self, ids: Ids, slices: int) -> Iterator[tuple[int, int, npt.NDArray[np.int64]]]:
        """The rows of each (metric group, slice) that occurs."""
        places = groups_of(ids, self._shards.groups) * slices + slices_of(ids, self._shards.lanes, slices)
        for place in np.unique(places):
            group, piece = divmod(int(place), slices)
            yield group, piece, np.flatnonzero(places == place)

    def _write(self, statement: object, rows: Sequence[tuple[object, ...]]) -> None:
        execute_concurrent(self._session, [(statement, row) for row in rows], concurrency=CONCURRENCY)


def encode_rollup(aggregates: Aggregates) -> dict[str, bytes]:
    """The blobs of a row, percentiles and digest where there are digests."""
    found = {name: encode_column(name, aggregates.columns[name]) for name in ROLLUP_COLUMNS}
    if aggregates.digests is not None:
        quantiles = aggregates.quantiles(list(QUANTILES.values()))
        found |= {name: encode_column(name, quantiles[:, at]) for at, name in enumerate(QUANTILES)}
        found["digest"] = digests.encode(aggregates.digests)
    return found


def decode_rollup(version: int, blobs: dict[str, bytes | None]) -> Aggregates:
    """The aggregates of a row, without the percentiles, which follow from the digest.

    :raises InvalidBlock: for a damaged row.
    """
    if version != ROLLUP_FORMAT:
        raise InvalidBlock(BlockFault.UNKNOWN_FORMAT, f"rollup format {version}")
    ids = blocks.decode_ids(blobs["ids"] or b"")
    columns = {name: decode_column(name, blobs[name] or b"", len(ids)) for name in COLUMNS}
    digest = blobs["digest"]
    return Aggregates(ids, columns, None if digest is None else digests.decode(digest, len(ids)))


def _mutations(samples: Samples, rows: npt.NDArray[np.int64]) -> list[npt.NDArray[np.int64]]:
    """Cut row numbers where more samples would not fit into a mutation."""
    before = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.diff(samples.offsets)[rows])[:-1]])
    cuts = np.flatnonzero(np.diff(before // SAMPLES_A_ROW)) + 1
    return np.split(rows, cuts)


def _ttl(window_start: int, retention_ms: int) -> int:
    return ttl_seconds(int(time.time() * 1000), window_start, retention_ms)
