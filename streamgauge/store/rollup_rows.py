"""Rollup rows as they come from the store, and what is wanted of them, decoded together."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from schemas import blocks
from schemas.columns import ROLLUP_FORMAT, decode_columns
from schemas.digests import decode as decode_digests
from schemas.invalid_block import BlockFault, InvalidBlock
from schemas.tables import DIGEST, Level
from streamgauge.series import digests
from streamgauge.series.digests import Digests
from streamgauge.series.id_kernels import rows_of
from streamgauge.series.ids import Ids
from streamgauge.store.reading import Damage, Reading
from streamgauge.store.rollups import NoDigests, RollupRow, derive


class _Row(NamedTuple):
    """A rollup row that holds wanted series: those it has, which of them are wanted, and the blobs of aggregates."""

    request: Sequence[int]
    window_start: int
    there: Ids
    picked: npt.NDArray[np.int64]
    blobs: tuple[bytes | None, ...]


class RollupRows:
    """The rollup rows of a table, until all are there: a column of all of them is decoded at once.

    :param places: the wanted ids of each lane, metric group and slice.
    """

    def __init__(self, level: Level, places: Mapping[tuple[int, ...], Ids], reading: Reading) -> None:
        self._level = level
        self._places = places
        self._reading = reading
        self._rows: list[_Row] = []
        # the rows of a place mostly hold the same series
        self._ids: dict[tuple[int, ...], tuple[bytes, Ids, npt.NDArray[np.int64]]] = {}

    def add(self, request: Sequence[int], row: Sequence[Any]) -> None:
        """Take a row if it holds wanted series; what is damaged is noted.

        :raises TooManySamples: by the reading's limits.
        """
        window_start, version, id_blob, *blobs = row
        place = place_of(request)
        try:
            if version != ROLLUP_FORMAT:
                raise InvalidBlock(BlockFault.UNKNOWN_FORMAT, f"rollup format {version}")
            if place not in self._ids or self._ids[place][0] != id_blob:
                there = blocks.decode_ids(id_blob)
                self._ids[place] = id_blob, there, rows_of(there, self._places[place])
        except InvalidBlock as fault:
            self._note(fault, request, window_start)
            return
        _, there, picked = self._ids[place]
        if len(picked):
            self._reading.take_samples(len(picked))
            self._rows.append(_Row(request, window_start, there, picked, tuple(blobs)))

    def decoded(self, names: Sequence[str], wanted: Sequence[str]) -> Iterator[RollupRow]:
        """The wanted aggregates of all rows together.

        :param names: of the blobs. :raises NoDigests: for percentiles of a storage class without digests.
        """
        if not self._rows:
            return
        if any(blob is None for row in self._rows for blob in row.blobs):
            raise NoDigests
        picked, series = [row.picked for row in self._rows], [len(row.there) for row in self._rows]
        arrays: dict[str, npt.NDArray[np.generic]] = {}
        own: list[Digests] = []
        faults: dict[int, InvalidBlock] = {}
        for at, name in enumerate(names):
            column = [row.blobs[at] or b"" for row in self._rows]
            if name == DIGEST:
                own = self._digests(column, faults)
                continue
            arrays[name], wrong = decode_columns(name, column, picked, series)
            faults |= wrong
        if faults:
            for number, fault in sorted(faults.items()):
                self._note(fault, self._rows[number].request, self._rows[number].window_start)
            self._reading.samples -= sum(len(self._rows[number].picked) for number in faults)
            self._rows = [row for number, row in enumerate(self._rows) if number not in faults]
            yield from self.decoded(names, wanted)
            return
        starts = [np.full(len(row.picked), row.window_start, np.int64) for row in self._rows]
        yield RollupRow(
            np.concatenate(starts),
            self._level.width_ms,
            np.concatenate([row.there[row.picked] for row in self._rows]),
            derive(wanted, arrays),
            digests.concat(own) if own else None,
        )

    def _digests(self, column: Sequence[bytes], faults: dict[int, InvalidBlock]) -> list[Digests]:
        found = []
        for number, (row, blob) in enumerate(zip(self._rows, column, strict=True)):
            try:
                found.append(decode_digests(blob, len(row.there), row.picked))
            except InvalidBlock as fault:
                faults[number] = fault
        return found

    def _note(self, fault: InvalidBlock, request: Sequence[int], window_start: int) -> None:
        note(self._reading, fault, self._level, request, f"window_start={window_start}")


def place_of(request: Sequence[int]) -> tuple[int, ...]:
    """The lane, metric group and slice of a request."""
    lane, _, group, piece, *_ = request
    return lane, group, piece


def note(reading: Reading, fault: InvalidBlock, level: Level, request: Sequence[int], rest: str) -> None:
    """Note in the reading that a row is damaged. rest: what tells it from the others of its request."""
    lane, period, group, piece, *_ = request
    row = f"{level.table} lane={lane} period={period} metric_group={group} slice={piece} {rest}"
    reading.damages.append(Damage(fault.reason.value, row))
