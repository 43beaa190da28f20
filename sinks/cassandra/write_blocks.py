"""Writing blocks, raw parts and rollup rows, and reading whole windows of them again."""

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt
from cassandra.cluster import Session

from schemas.blocks import codec, row_directory
from schemas.blocks.blobs import BlockFault, InvalidBlock
from schemas.blocks.columns import ROLLUP_FORMAT
from schemas.blocks.row_directory import DIRECTORY_FORMAT
from schemas.tables import RAW_GRACE_MS, ROLLED, ROLLUP_BLOBS, Resolution, StorageClass, ttl_seconds
from sinks.cassandra.bounded_writes import write_all
from sinks.cassandra.cut_rows import StoredRow, decode_rollup, raw_blocks, stored_rows
from streamgauge.rollup.aggregates import Aggregates
from streamgauge.series.id_ranges import below, parts_of
from streamgauge.series.ids import Ids, Shards, groups_of, slices_of
from streamgauge.series.samples import Samples, concat, take
from streamgauge.store.write_times import after

ROWS_A_PAGE = 16
"""Of up to 4 MiB each."""
PIECES_A_REQUEST = 100
PIECE_GRACE_S = 60
"""Pieces outlive the directory that names them by this."""
StoredRows = dict[tuple[int, int], StoredRow]
"""The rows of one window that mean something, by (metric group, slice)."""


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
            "timestamps, samples) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) USING TTL ? AND TIMESTAMP ?"
        )
        self._select_raw = session.prepare(
            f"SELECT format, ids, timestamps, samples FROM {raw} WHERE lane = ? AND period = ? "
            "AND metric_group IN ? AND slice IN ? AND window_start = ?"
        )
        self._select_raw.fetch_size = ROWS_A_PAGE
        self._select_written = {
            resolution: session.prepare(
                f"SELECT WRITETIME(format) AS written FROM {kept.table(resolution)} WHERE lane = ? AND period = ? "
                "AND metric_group IN ? AND slice IN ? AND window_start = ?"
            )
            for resolution in Resolution
        }
        self._insert_rollup: dict[Resolution, Any] = {}
        self._select_rollup: dict[Resolution, Any] = {}
        names = [f'"{name}"' for name in ROLLUP_BLOBS]
        for resolution in ROLLED:
            self._insert_rollup[resolution] = session.prepare(
                f"INSERT INTO {kept.table(resolution)} (lane, period, metric_group, slice, window_start, format, "
                f"ids, {', '.join(names)}) VALUES (?, ?, ?, ?, ?, ?, ?, {', '.join('?' * len(names))}) "
                "USING TTL ? AND TIMESTAMP ?"
            )
            self._select_rollup[resolution] = session.prepare(
                f"SELECT metric_group, slice, window_start, format, ids, {', '.join(names)} "
                f"FROM {kept.table(resolution)} WHERE lane = ? AND period = ? AND metric_group IN ? "
                "AND slice IN ? AND window_start >= ? AND window_start < ?"
            )
            self._select_rollup[resolution].fetch_size = ROWS_A_PAGE

    def write_raw(
        self, lane: int, window_start: int, part: bytes, samples: Samples, keep_ms: int = 0
    ) -> bool:
        """Store the samples of one minute (ms) as a part; nothing is written that is no longer kept.

        What would be too large for one row goes to further parts, `part` with a number behind it. Whatever an earlier
        attempt left of these does no harm: samples are only ever added.

        :param keep_ms: how long the part lives at least, whatever its age.
        :returns: whether it was stored; False for what is no longer kept.
        """
        retention_ms = self.kept.retention_ms[Resolution.RAW]
        if _ttl(window_start, retention_ms) <= 0 and not keep_ms:
            return False
        ttl = max(_ttl(window_start, retention_ms + RAW_GRACE_MS), keep_ms // 1000)
        shards = self._shards
        places = [(group, piece) for group in range(shards.groups) for piece in range(shards.raw_slices)]
        stamp = self._stamp(Resolution.RAW, lane, window_start, places if len(samples.ids) else [])
        rows = self._raw_rows(lane, window_start, part, samples, ttl, stamp)
        write_all(self._session, ((self._insert_raw, row) for row in rows))
        return True

    def _raw_rows(
        self, lane: int, window_start: int, part: bytes, samples: Samples, ttl: int, stamp: int
    ) -> Iterator[tuple[object, ...]]:
        period = Resolution.RAW.value.period(window_start)
        for group, piece, which in self._shares(samples.ids, self._shards.raw_slices):
            for number, block in enumerate(raw_blocks(take(samples, which), window_start)):
                own_part = part + number.to_bytes(2, "big") if number else part
                key = (lane, period, group, piece, window_start, own_part)
                yield *key, block.format, block.ids, block.timestamps, block.samples, ttl, stamp

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
                codec.decode_raw(
                    codec.RawBlock(row.ids, row.timestamps, row.samples, row.format),
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
        self.write_rollup_rows(resolution, lane, window_start, self.rollup_rows(aggregates))

    def rollup_rows(self, aggregates: Aggregates) -> StoredRows:
        """The rows that aggregates of one window make."""
        slices = self._shards.rollup_slices
        return {
            (group, number): row
            for group, piece, which in self._shares(aggregates.ids, slices)
            for number, row in stored_rows(aggregates.rows(which), piece, slices).items()
        }

    def write_rollup_rows(
        self, resolution: Resolution, lane: int, window_start: int, rows: StoredRows
    ) -> None:
        """Store rows of one window, pieces before the directories that name them; nothing that is no longer kept."""
        level = resolution.value
        ttl = _ttl(window_start, self.kept.retention_ms[resolution])
        if ttl <= 0:
            return
        place = lane, level.period(window_start)
        stamp = self._stamp(resolution, lane, window_start, list(rows))
        for are_pieces in (True, False):
            own_ttl = ttl + PIECE_GRACE_S if are_pieces else ttl
            write_all(
                self._session,
                (
                    (
                        self._insert_rollup[resolution],
                        (*place, group, number, window_start, *row, own_ttl, stamp),
                    )
                    for (group, number), row in rows.items()
                    if (number < 0) == are_pieces
                ),
            )

    def read_rollup_rows(self, resolution: Resolution, lane: int, window_start: int) -> StoredRows:
        """The rows of one window as they are stored, without those of another format."""
        found: StoredRows = {}
        named: dict[tuple[int, int], list[int]] = defaultdict(list)
        for group, number, _, *row in self._select(resolution, lane, window_start, window_start + 1):
            if row[0] in (ROLLUP_FORMAT, DIRECTORY_FORMAT):
                found[group, number] = _row(row)
            if row[0] == DIRECTORY_FORMAT:
                # of one that is damaged nothing is there, so that all that should be is stored
                with suppress(InvalidBlock):
                    named[group, window_start] += [piece.slice for piece in row_directory.decode(row[1])]
        for group, number, _, *row in self._select_pieces(resolution, lane, named):
            if row[0] == ROLLUP_FORMAT:
                found[group, number] = _row(row)
        return found

    def read_rollups(
        self, resolution: Resolution, lane: int, start: int, end: int
    ) -> Iterator[list[tuple[int, Aggregates]]]:
        """The windows of a lane that start from `start` to before `end` (ms), which are of one period.

        They come in parts, each with all that is stored of its series, as (start in ms, aggregates): that of all
        places whose rows were not cut, and of each other one several, so that not more than needed is in memory.

        :raises InvalidBlock: for a damaged row, or one that should be there and is not.
        """
        places: dict[tuple[int, int], dict[int, StoredRow]] = defaultdict(dict)
        for group, piece, window_start, *row in self._select(resolution, lane, start, end):
            places[group, piece][window_start] = _row(row)
        whole = []
        for (group, _), windows in places.items():
            named = {
                at: row_directory.decode(row[1]) for at, row in windows.items() if row[0] == DIRECTORY_FORMAT
            }
            rows = [(at, decode_rollup(row)) for at, row in windows.items() if at not in named]
            if not named:
                whole += rows
                continue
            for first, limit in parts_of(piece.ids for pieces in named.values() for piece in pieces):
                own = {
                    (group, at): [piece.slice for piece in pieces if first <= piece.ids.first < limit]
                    for at, pieces in named.items()
                }
                yield [
                    *((at, decode_rollup(row)) for at, row in self._pieces(resolution, lane, own)),
                    *((at, _between(aggregates, first, limit)) for at, aggregates in rows),
                ]
        yield whole

    def _pieces(
        self, resolution: Resolution, lane: int, named: dict[tuple[int, int], list[int]]
    ) -> Iterator[tuple[int, StoredRow]]:
        """The pieces with these slices by (metric group, window), with their windows.

        :raises InvalidBlock: if one is not there.
        """
        missing = {(*place, number) for place, numbers in named.items() for number in numbers}
        for group, number, window_start, *row in self._select_pieces(resolution, lane, named):
            missing.discard((group, window_start, number))
            yield window_start, _row(row)
        for group, window_start, number in sorted(missing):
            where = f"metric_group={group} slice={number} window_start={window_start}"
            raise InvalidBlock(BlockFault.DAMAGED, f"a directory names {where}, which is not there")

    def _select(self, resolution: Resolution, lane: int, start: int, end: int) -> Iterator[Any]:
        """The rows that are found without a directory, among them directories."""
        groups, slices = list(range(self._shards.groups)), list(range(self._shards.rollup_slices))
        key = (lane, resolution.value.period(start), groups, slices, start, end)
        yield from self._session.execute(self._select_rollup[resolution], key)

    def _select_pieces(
        self, resolution: Resolution, lane: int, named: dict[tuple[int, int], list[int]]
    ) -> Iterator[Any]:
        """The rows that directories name. :param named: slices by (metric group, window)."""
        for (group, start), numbers in named.items():
            for at in range(0, len(numbers), PIECES_A_REQUEST):
                some = numbers[at : at + PIECES_A_REQUEST]
                key = (lane, resolution.value.period(start), [group], some, start, start + 1)
                yield from self._session.execute(self._select_rollup[resolution], key)

    def _stamp(
        self, resolution: Resolution, lane: int, window_start: int, places: Sequence[tuple[int, int]]
    ) -> int:
        """A write time that makes rows of a window win over those that are there. :param places: groups and slices."""
        if not places:
            return after(None)
        groups, slices = (sorted(set(part)) for part in zip(*places, strict=True))
        key = lane, resolution.value.period(window_start), groups, slices, window_start
        found = self._session.execute(self._select_written[resolution], key)
        return after(max((row.written for row in found), default=None))

    def _shares(self, ids: Ids, slices: int) -> Iterator[tuple[int, int, npt.NDArray[np.int64]]]:
        """The rows of each (metric group, slice) that occurs."""
        places = groups_of(ids, self._shards.groups) * slices + slices_of(ids, self._shards.lanes, slices)
        for place in np.unique(places):
            group, piece = divmod(int(place), slices)
            yield group, piece, np.flatnonzero(places == place)


def _row(columns: list[Any]) -> StoredRow:
    version, *blobs = columns
    return (version, *blobs)


def _between(aggregates: Aggregates, first: int, limit: int) -> Aggregates:
    return aggregates.rows(np.arange(below(aggregates.ids, first), below(aggregates.ids, limit)))


def _ttl(window_start: int, retention_ms: int) -> int:
    return ttl_seconds(int(time.time() * 1000), window_start, retention_ms)
