"""Reading blocks: raw parts, rollup rows, and how far each lane is sealed."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from cassandra.cluster import Session

from schemas.blocks.row_directory import DIRECTORY_FORMAT
from schemas.tables import DIGEST, Level, Resolution, StorageClass
from streamgauge.series.ids import Ids, Shards, groups_of, lanes_of, slices_of
from streamgauge.series.samples import Runs
from streamgauge.store.blocks.block_cache import BlockCache
from streamgauge.store.blocks.named_pieces import NamedPieces
from streamgauge.store.blocks.raw_rows import RawRows
from streamgauge.store.blocks.rollup_rows import RollupRows
from streamgauge.store.blocks.rollups import RollupRow, stored
from streamgauge.store.changes import INDEX, GenerationStore, versions_of
from streamgauge.store.reading import ReadContext, fetch

Span = tuple[int, int]
"""The first and the last window (starts in ms, both included) to be read of a lane."""
RAW_ROWS_A_PAGE = 64
"""An hour of minutes, of up to 4 MiB each."""
DIGEST_ROWS_A_PAGE = 16
"""Nearly all of a row of up to 4 MiB is its digests."""
COLUMN_ROWS_A_PAGE = 400
"""A period of any level, of which one column and the ids are less than a quarter of a row."""
_KEY = "lane = ? AND period = ? AND metric_group = ? AND slice = ?"
_WINDOWS = "window_start >= ? AND window_start <= ?"


class BlockReader:
    """Reads the rows that hold wanted series and decodes only those series.

    A series is looked for in the tables of every storage class, for rules may have changed. Ids that are asked for
    are sorted and distinct. Damaged rows are left out and noted in the reading.
    """

    def __init__(self, session: Session, shards: Shards, classes: Sequence[StorageClass]) -> None:
        self._session = session
        self._shards = shards
        self._classes = classes
        self.changes = GenerationStore(session)
        self.cache = BlockCache(session)
        self._select_raw = [
            session.prepare(
                f"SELECT window_start, part, format, ids, timestamps, samples "
                f"FROM {kept.table(Resolution.RAW)} WHERE {_KEY} AND {_WINDOWS}"
            )
            for kept in classes
        ]
        for select in self._select_raw:
            select.fetch_size = RAW_ROWS_A_PAGE
        self._select_rollups: dict[tuple[str, tuple[str, ...]], Any] = {}
        self._select_progress = session.prepare(
            "SELECT lane, sealed_to FROM rollup_progress WHERE resolution = ?"
        )

    def progress(self, resolution: Resolution, reading: ReadContext) -> dict[int, int]:
        """Where each lane is sealed up to (ms).

        :raises DeadlinePassed: at the reading's deadline.
        """
        return self._progress(resolution.value.label, reading)

    def index_progress(self, reading: ReadContext) -> dict[int, int]:
        """Where the index of each lane is sealed up to (ms).

        :raises DeadlinePassed: at the reading's deadline.
        """
        return self._progress(INDEX, reading)

    def _progress(self, label: str, reading: ReadContext) -> dict[int, int]:
        found: dict[int, int] | None = reading.known.get(label)
        if found is None:
            rows = fetch(self._session, self._select_progress, [(label,)], reading)
            found = reading.known[label] = {lane: sealed_to for _, (lane, sealed_to) in rows}
        return found

    def raw(
        self, ids: Ids, spans: Mapping[int, Span], start: int, end: int, reading: ReadContext
    ) -> list[Runs]:
        """The wanted series of all raw parts, which may overlap, from `start` to `end` (ms), both included.

        :raises DeadlinePassed, TooManySamples: by the reading's limits.
        """
        level = Resolution.RAW.value
        requests, places = self._requests(ids, spans, level, self._shards.raw_slices)
        found: list[Runs] = []
        versions = versions_of(
            self.changes.read(Resolution.RAW, {period for _, period, *_ in requests}, reading)
        )
        for number, select in enumerate(self._select_raw):
            rows = self.cache.fetch(number, select, requests, versions, reading)
            found += RawRows(level, places, start, end, reading).decoded(rows)
        return found

    def rollups(
        self,
        ids: Ids,
        resolution: Resolution,
        spans: Mapping[int, Span],
        wanted: Sequence[str],
        reading: ReadContext,
    ) -> list[RollupRow]:
        """The wanted series and aggregates of all rollup rows, in no order.

        :raises DeadlinePassed, TooManySamples: by the reading's limits. :raises KeyError: for an unknown aggregate.
        :raises NoDigests: for percentiles of a storage class without digests.
        """
        level, names = resolution.value, stored(wanted)
        requests, places = self._requests(ids, spans, level, self._shards.rollup_slices)
        found: list[RollupRow] = []
        versions = versions_of(self.changes.read(resolution, {period for _, period, *_ in requests}, reading))
        for kept in self._classes:
            statement = self._select_rollup(kept.table(resolution), tuple(names))
            name = kept.table(resolution), *names
            held, cut = RollupRows(level, places, reading), NamedPieces(places)
            for request, row in self.cache.fetch(name, statement, requests, versions, reading):
                if row[1] == DIRECTORY_FORMAT:
                    cut.add(request, row)
                else:
                    held.add(request, row)
            for request, row in self.cache.fetch(name, statement, cut.requests(), versions, reading):
                if cut.names(request, row):
                    held.add(request, row)
            for fault, request, window_start in cut.faults():
                held.note(fault, request, window_start)
            found += held.decoded(names, wanted)
        return found

    def _select_rollup(self, table: str, columns: tuple[str, ...]) -> Any:
        statement = self._select_rollups.get((table, columns))
        if statement is None:
            names = "".join(f', "{name}"' for name in columns)
            statement = self._select_rollups[table, columns] = self._session.prepare(
                f"SELECT window_start, format, ids{names} FROM {table} WHERE {_KEY} AND {_WINDOWS}"
            )
            statement.fetch_size = DIGEST_ROWS_A_PAGE if DIGEST in columns else COLUMN_ROWS_A_PAGE
        return statement

    def _requests(
        self, ids: Ids, spans: Mapping[int, Span], level: Level, slices: int
    ) -> tuple[list[tuple[int, ...]], dict[tuple[int, ...], Ids]]:
        """One request for each period of each (lane, group, slice) that holds wanted ids; and those ids."""
        wanted = dict(self._places(ids, slices))
        requests: list[tuple[int, ...]] = [
            (lane, period, group, piece, max(period, first), min(period + level.period_ms - 1, last))
            for (lane, group, piece) in wanted
            if lane in spans
            for first, last in [spans[lane]]
            for period in range(level.period(first), last + 1, level.period_ms)
        ]
        return requests, wanted

    def _places(self, ids: Ids, slices: int) -> Iterator[tuple[tuple[int, ...], Ids]]:
        shards = self._shards
        places = np.column_stack(
            [
                lanes_of(ids, shards.lanes),
                groups_of(ids, shards.groups),
                slices_of(ids, shards.lanes, slices),
            ]
        )
        distinct, where = np.unique(places, axis=0, return_inverse=True)
        for number, place in enumerate(distinct.tolist()):
            yield tuple(place), ids[where.reshape(-1) == number]
