"""Rollup rows from the store, decoded together for the requested series."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from schemas.blocks.blobs import BlockFault, InvalidBlock
from schemas.blocks.columns import ROLLUP_FORMAT, decode_columns
from schemas.blocks.digests import decode as decode_digests
from schemas.tables import DIGEST, Level
from streamgauge.series import digests
from streamgauge.series.digests import Digests
from streamgauge.series.ids import Ids
from streamgauge.store.blocks.rollups import NoDigests, RollupRow, derive
from streamgauge.store.blocks.wanted_series import Picked, WantedSeries
from streamgauge.store.reading import ReadContext


class _Row(NamedTuple):
    """A rollup row that holds wanted series, and the blobs of its aggregates."""

    request: Sequence[int]
    window_start: int
    picked: Picked
    blobs: tuple[bytes | None, ...]


class RollupRows:
    """The rollup rows of a table, until all are there: a column of all of them is decoded at once.

    :param places: the wanted ids of each lane, metric group and slice.
    """

    def __init__(self, level: Level, places: Mapping[tuple[int, ...], Ids], reading: ReadContext) -> None:
        self._width_ms = level.width_ms
        self._reading = reading
        self._wanted = WantedSeries(level, places, reading)
        self._rows: list[_Row] = []

    def add(self, request: Sequence[int], row: Sequence[Any]) -> None:
        """Add a row if it has requested series; damaged ones are noted.

        :raises TooManySamples: by the reading's limits.
        """
        self._reading.take_block(request[0], row)
        window_start, version, id_blob, *blobs = row
        try:
            if version != ROLLUP_FORMAT:
                raise InvalidBlock(BlockFault.UNKNOWN_FORMAT, f"rollup format {version}")
            picked = self._wanted.of(request, id_blob)
        except InvalidBlock as fault:
            self.note(fault, request, window_start)
            return
        if len(picked.rows):
            self._reading.take_samples(len(picked.rows))
            self._rows.append(_Row(request, window_start, picked, tuple(blobs)))

    def decoded(self, names: Sequence[str], wanted: Sequence[str]) -> Iterator[RollupRow]:
        """The wanted aggregates of all rows together.

        :param names: of the blobs. :raises NoDigests: for percentiles of a storage class without digests.
        """
        if not self._rows:
            return
        if any(blob is None for row in self._rows for blob in row.blobs):
            raise NoDigests
        picked, series = [row.picked.rows for row in self._rows], [row.picked.series for row in self._rows]
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
                self.note(fault, self._rows[number].request, self._rows[number].window_start)
            self._reading.samples -= sum(len(self._rows[number].picked.rows) for number in faults)
            self._rows = [row for number, row in enumerate(self._rows) if number not in faults]
            yield from self.decoded(names, wanted)
            return
        starts = [np.full(len(row.picked.rows), row.window_start, np.int64) for row in self._rows]
        yield RollupRow(
            np.concatenate(starts),
            self._width_ms,
            np.concatenate([row.picked.ids for row in self._rows]),
            derive(wanted, arrays),
            digests.concat(own) if own else None,
        )

    def _digests(self, column: Sequence[bytes], faults: dict[int, InvalidBlock]) -> list[Digests]:
        found = []
        for number, (row, blob) in enumerate(zip(self._rows, column, strict=True)):
            try:
                found.append(decode_digests(blob, row.picked.series, row.picked.rows))
            except InvalidBlock as fault:
                faults[number] = fault
        return found

    def note(self, fault: InvalidBlock, request: Sequence[int], window_start: int) -> None:
        """Note that a row is damaged."""
        self._wanted.note(fault, request, f"window_start={window_start}")
