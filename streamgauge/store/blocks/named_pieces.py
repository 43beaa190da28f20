"""The pieces of rollup rows that were cut: which of them hold wanted series, and whether all were there."""

from collections.abc import Iterator, Sequence
from typing import Any

from schemas.blocks import row_directory
from schemas.blocks.blobs import BlockFault, InvalidBlock
from streamgauge.series.ids import Ids
from streamgauge.store.blocks.wanted_series import place_of

Request = tuple[int, ...]
"""Lane, period, metric group, slice, first and last window (starts in ms, both included)."""


class NamedPieces:
    """What the directories of a query's rows name.

    :param places: the wanted ids of each lane, metric group and slice; gets those of the pieces too.
    """

    def __init__(self, places: dict[tuple[int, ...], Ids]) -> None:
        self._places = places
        self._windows: dict[Request, set[int]] = {}
        self._faults: list[tuple[InvalidBlock, Request, int]] = []

    def add(self, request: Request, row: Sequence[Any]) -> None:
        """Take a row that is a directory; what is damaged is a fault."""
        lane, period, group, *_ = request
        window_start, _, directory, *_ = row
        wanted = self._places[place_of(request)]
        try:
            pieces = row_directory.decode(directory)
        except InvalidBlock as fault:
            self._faults.append((fault, request, window_start))
            return
        for number, own in pieces:
            rows = own.rows(wanted)
            if rows.start < rows.stop:
                self._windows.setdefault((lane, period, group, number), set()).add(window_start)
                self._places.setdefault((lane, group, number), wanted)

    def requests(self) -> list[Request]:
        """One for each period and slice of pieces that may hold wanted series, over all its windows."""
        return [(*place, min(windows), max(windows)) for place, windows in self._windows.items()]

    def names(self, request: Request, row: Sequence[Any]) -> bool:
        """Whether a directory names this row: what an earlier one named may still be there. Each is named once."""
        windows = self._windows[request[:4]]
        is_named = row[0] in windows
        windows.discard(row[0])
        return is_named

    def faults(self) -> Iterator[tuple[InvalidBlock, Request, int]]:
        """What is damaged, with its request and window, when all rows of the requests were seen."""
        yield from self._faults
        for place, windows in self._windows.items():
            for window_start in sorted(windows):
                yield InvalidBlock(BlockFault.DAMAGED, "a piece is not there"), place, window_start
