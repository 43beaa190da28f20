"""Raw rows from the store, decoded many at a time for the requested series."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np

from schemas.blocks.blobs import BlockFault, InvalidBlock
from schemas.blocks.codec import RAW_FORMAT, decode_raw_rows
from schemas.tables import Level
from streamgauge.series.ids import Ids
from streamgauge.series.samples import Runs, inside
from streamgauge.store.blocks.wanted_series import Picked, WantedSeries
from streamgauge.store.reading import ReadContext

MOST_RUNS = 200_000
MOST_BYTES = 32 * 1024 * 1024
"""Maximum numbers of requested series, and bytes, to decode at once."""


class _Row(NamedTuple):
    """A raw row that holds wanted series."""

    window_start: int
    request: Sequence[int]
    part: bytes
    picked: Picked
    timestamps: bytes
    samples: bytes


class RawRows:
    """The raw rows of a table, of which many are decoded at once.

    :param places: the wanted ids of each lane, metric group and slice. :param start, end: the first and the last time
        (ms) of which samples are wanted.
    """

    def __init__(
        self, level: Level, places: Mapping[tuple[int, ...], Ids], start: int, end: int, reading: ReadContext
    ) -> None:
        self._width_ms = level.width_ms
        self._start, self._end = start, end
        self._reading = reading
        self._wanted = WantedSeries(level, places, reading)
        self._rows: list[_Row] = []
        self._runs = self._bytes = 0

    def decoded(self, rows: Iterator[tuple[Sequence[int], Sequence[Any]]]) -> Iterator[Runs]:
        """The wanted series of all rows; damaged ones are noted.

        :param rows: with their requests. :raises TooManySamples: by the reading's limits.
        """
        for request, row in rows:
            self._add(request, row)
            if self._runs >= MOST_RUNS or self._bytes >= MOST_BYTES:
                yield from self._decode()
        yield from self._decode()

    def _add(self, request: Sequence[int], row: Sequence[Any]) -> None:
        self._reading.take_block(request[0], row)
        window_start, part, version, id_blob, timestamps, samples = row
        try:
            if version != RAW_FORMAT:
                raise InvalidBlock(BlockFault.UNKNOWN_FORMAT, f"raw format {version}")
            picked = self._wanted.of(request, id_blob)
        except InvalidBlock as fault:
            self._note(fault, request, window_start, part)
            return
        if len(picked.rows):
            self._rows.append(_Row(window_start, request, part, picked, timestamps, samples))
            self._runs += len(picked.rows)
            self._bytes += len(timestamps) + len(samples)

    def _decode(self) -> Iterator[Runs]:
        rows = sorted(self._rows, key=attrgetter("window_start"))
        self._rows, self._runs, self._bytes = [], 0, 0
        within = range(self._start, self._end - self._width_ms + 2)
        # two minutes are cut at most, and to cut all would take as long as to decode them
        if whole := [row for row in rows if row.window_start in within]:
            yield self._runs_of(whole)
        if cut := [row for row in rows if row.window_start not in within]:
            yield inside(self._runs_of(cut), self._start, self._end)

    def _runs_of(self, rows: Sequence[_Row]) -> Runs:
        found, faults = decode_raw_rows(
            [row.timestamps for row in rows],
            [row.samples for row in rows],
            [row.picked.series for row in rows],
            [row.picked.rows for row in rows],
            [row.window_start for row in rows],
            self._width_ms,
            int(min(self._reading.max_samples - self._reading.samples, sys.maxsize)),
        )
        for number, fault in sorted(faults.items()):
            row = rows[number]
            self._note(fault, row.request, row.window_start, row.part)
        self._reading.take_samples(len(found.values))
        return Runs(np.concatenate([row.picked.ids for row in rows]), *found)

    def _note(self, fault: InvalidBlock, request: Sequence[int], window_start: int, part: bytes) -> None:
        self._wanted.note(fault, request, f"window_start={window_start} part={part.hex()}")
