"""Reading blocks: raw parts, rollup rows, and how far each lane is sealed."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from cassandra.cluster import Session

from schemas import blocks
from schemas.blocks import RawBlock
from schemas.columns import ROLLUP_FORMAT, decode_column
from schemas.invalid_block import BlockFault, InvalidBlock
from schemas.tables import ROLLUP_COLUMNS, Level, Resolution
from streamgauge.series.id_kernels import rows_of
from streamgauge.series.ids import Ids, Shards, groups_of, lanes_of, slices_of
from streamgauge.series.samples import Samples
from streamgauge.store.reading import Damage, Reading, fetch

Span = tuple[int, int]
"""The first and the last window (starts in ms, both included) to be read of a lane."""
_KEY = "lane = ? AND period = ? AND metric_group = ? AND slice = ?"
_WINDOWS = "window_start >= ? AND window_start <= ?"


class RollupRow(NamedTuple):
    """The wanted series of one rollup row: ids (n, 2), and an array of length n for each column."""

    window_start: int
    ids: Ids
    columns: dict[str, npt.NDArray[np.generic]]


class BlockReader:
    """Reads the rows that hold wanted series and decodes only those series.

    Ids that are asked for are sorted and distinct. Damaged rows are left out and noted in the reading.
    """

    def __init__(self, session: Session, shards: Shards) -> None:
        self._session = session
        self._shards = shards
        self._select_raw = session.prepare(
            f"SELECT window_start, part, format, ids, timestamps, samples "
            f"FROM {Resolution.RAW.value.table} WHERE {_KEY} AND {_WINDOWS}"
        )
        self._select_rollups: dict[tuple[Resolution, tuple[str, ...]], Any] = {}
        self._select_progress = session.prepare(
            "SELECT lane, sealed_to FROM rollup_progress WHERE resolution = ?"
        )

    def progress(self, resolution: Resolution, reading: Reading) -> dict[int, int]:
        """Where each lane is sealed up to (ms)."""
        rows = fetch(self._session, self._select_progress, [(resolution.value.label,)], reading)
        return {lane: sealed_to for _, (lane, sealed_to) in rows}

    def raw(self, ids: Ids, spans: Mapping[int, Span], reading: Reading) -> list[Samples]:
        """The wanted series of every raw part, windows rising; parts may overlap.

        :raises DeadlinePassed, TooManySamples: by the reading's limits.
        """
        level = Resolution.RAW.value
        requests, wanted = self._requests(ids, spans, level, self._shards.raw_slices)
        found: list[tuple[int, Samples]] = []
        for request, row in fetch(self._session, self._select_raw, requests, reading):
            window_start, part, version, id_blob, times, values = row
            try:
                block = RawBlock(id_blob, times, values, version)
                samples = blocks.decode_raw(block, window_start, level.width_ms, wanted[_place(request)])
            except InvalidBlock as fault:
                _note(reading, fault, level, request, f"window_start={window_start} part={part.hex()}")
                continue
            reading.take_samples(len(samples.values))
            found.append((window_start, samples))
        return [samples for _, samples in sorted(found, key=lambda pair: pair[0])]

    def rollups(
        self,
        ids: Ids,
        resolution: Resolution,
        spans: Mapping[int, Span],
        columns: Sequence[str],
        reading: Reading,
    ) -> list[RollupRow]:
        """The wanted series and columns of every rollup row, in no order.

        :raises DeadlinePassed, TooManySamples: by the reading's limits. :raises KeyError: for an unknown column.
        """
        level = resolution.value
        requests, wanted = self._requests(ids, spans, level, self._shards.rollup_slices)
        found = []
        for request, row in fetch(
            self._session, self._select_rollup(resolution, tuple(columns)), requests, reading
        ):
            window_start, version, id_blob, *blobs = row
            try:
                if version != ROLLUP_FORMAT:
                    raise InvalidBlock(BlockFault.UNKNOWN_FORMAT, f"rollup format {version}")
                there = blocks.decode_ids(id_blob)
                rows = rows_of(there, wanted[_place(request)])
                arrays = {
                    name: decode_column(name, blob or b"", len(there))[rows]
                    for name, blob in zip(columns, blobs, strict=True)
                }
            except InvalidBlock as fault:
                _note(reading, fault, level, request, f"window_start={window_start}")
                continue
            reading.take_samples(len(rows))
            found.append(RollupRow(window_start, there[rows], arrays))
        return found

    def _select_rollup(self, resolution: Resolution, columns: tuple[str, ...]) -> Any:
        statement = self._select_rollups.get((resolution, columns))
        if statement is None:
            if unknown := set(columns) - set(ROLLUP_COLUMNS):
                raise KeyError(f"no such rollup column: {', '.join(sorted(unknown))}")
            names = "".join(f', "{name}"' for name in columns)
            statement = self._select_rollups[resolution, columns] = self._session.prepare(
                f"SELECT window_start, format, ids{names} FROM {resolution.value.table} "
                f"WHERE {_KEY} AND {_WINDOWS}"
            )
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


def _place(request: Sequence[int]) -> tuple[int, ...]:
    lane, _, group, piece, *_ = request
    return lane, group, piece


def _note(reading: Reading, fault: InvalidBlock, level: Level, request: Sequence[int], rest: str) -> None:
    lane, period, group, piece, *_ = request
    row = f"{level.table} lane={lane} period={period} metric_group={group} slice={piece} {rest}"
    reading.damages.append(Damage(fault.reason.value, row))
