"""How far each lane is built at each resolution."""

from cassandra.cluster import Session

from schemas.tables import Resolution

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
        rows = self._session.execute(self._select, (resolution.value.label,))
        return {row.lane: row.sealed_to for row in rows}

    def write(self, resolution: Resolution, lane: int, sealed_to: int) -> None:
        """Declare every window of the lane that ends at or before `sealed_to` (ms) to be in its blocks."""
        row = resolution.value.label, lane, sealed_to, sealed_to * 1000 + AHEAD_US
        self._session.execute(self._insert, row)
