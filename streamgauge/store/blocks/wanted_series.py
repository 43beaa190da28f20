"""Selects the requested series from each stored row."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from schemas.blocks import codec
from schemas.blocks.blobs import InvalidBlock
from schemas.tables import Level
from streamgauge.series.id_kernels import rows_of
from streamgauge.series.ids import Ids
from streamgauge.store.reading import Damage, ReadContext


class Picked(NamedTuple):
    """Requested series of a row. series: number in the row. rows: (n,) int64, rising indices. ids: (n, 2) uint64."""

    series: int
    rows: npt.NDArray[np.int64]
    ids: Ids


class WantedSeries:
    """Picks wanted series out of the rows of a table, and notes the rows that are damaged.

    :param places: the wanted ids of each lane, metric group and slice.
    """

    def __init__(self, level: Level, places: Mapping[tuple[int, ...], Ids], reading: ReadContext) -> None:
        self._level = level
        self._places = places
        self._reading = reading
        # the rows of a place mostly hold the same series
        self._latest: dict[tuple[int, ...], tuple[bytes, Picked]] = {}

    def of(self, request: Sequence[int], id_blob: bytes) -> Picked:
        """Which series of a row of a request are wanted.

        :raises InvalidBlock: if the row's ids are damaged.
        """
        place = place_of(request)
        latest = self._latest.get(place)
        if latest is None or latest[0] != id_blob:
            there = codec.decode_ids(id_blob)
            rows = rows_of(there, self._places[place])
            latest = self._latest[place] = id_blob, Picked(len(there), rows, there[rows])
        return latest[1]

    def note(self, fault: InvalidBlock, request: Sequence[int], rest: str) -> None:
        """Note that a row is damaged. rest: identifies it among the rows of its request."""
        lane, period, group, piece, *_ = request
        row = f"{self._level.table} lane={lane} period={period} metric_group={group} slice={piece} {rest}"
        self._reading.damages.append(Damage(fault.reason.value, row))


def place_of(request: Sequence[int]) -> tuple[int, ...]:
    """The lane, metric group and slice of a request."""
    lane, _, group, piece, *_ = request
    return lane, group, piece
