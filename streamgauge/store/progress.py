"""Progress of each lane: sealed time at each resolution, and completeness of its index."""

from cassandra.cluster import Session

from schemas.tables import Resolution
from streamgauge.store.changes import INDEX

AHEAD_US = 100 * 365 * 86_400 * 1_000_000
"""A hundred years: more than any clock was ahead that wrote progress by its own time."""


class ProgressStore:
    """Reads and writes `rollup_progress`, which never goes back.

    The write time of a value is the value itself, `AHEAD_US` later than any clock: of two the larger one wins, whoever
    wrote it, however late, and by whatever clock.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._select = session.prepare("SELECT lane, sealed_to FROM rollup_progress WHERE resolution = ?")
        self._insert = session.prepare(
            "INSERT INTO rollup_progress (resolution, lane, sealed_to) VALUES (?, ?, ?) USING TIMESTAMP ?"
        )

    def read(self, resolution: Resolution) -> dict[int, int]:
        """Where each lane is sealed up to (ms)."""
        return self._read(resolution.value.label)

    def write(self, resolution: Resolution, lane: int, sealed_to: int) -> None:
        """Declare every window of the lane that ends at or before `sealed_to` (ms) to be in its blocks."""
        self._write(resolution.value.label, lane, sealed_to)

    def read_index(self) -> dict[int, int]:
        """Where the index of each lane is sealed up to (ms)."""
        return self._read(INDEX)

    def write_index(self, lane: int, sealed_to: int) -> None:
        """Declare the index of the lane complete for every minute that ends at or before `sealed_to` (ms).

        What comes of these minutes later has to outdate what was made of them.
        """
        self._write(INDEX, lane, sealed_to)

    def _read(self, label: str) -> dict[int, int]:
        return {row.lane: row.sealed_to for row in self._session.execute(self._select, (label,))}

    def _write(self, label: str, lane: int, sealed_to: int) -> None:
        self._session.execute(self._insert, (label, lane, sealed_to, sealed_to * 1000 + AHEAD_US))
