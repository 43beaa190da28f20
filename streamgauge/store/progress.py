"""How far each lane is built at each resolution, and how far its index is complete."""

from cassandra.cluster import Session

from schemas.tables import Resolution
from streamgauge.store.changes import INDEX


class ProgressStore:
    """Reads and writes `rollup_progress`."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._select = session.prepare("SELECT lane, sealed_to FROM rollup_progress WHERE resolution = ?")
        self._insert = session.prepare(
            "INSERT INTO rollup_progress (resolution, lane, sealed_to) VALUES (?, ?, ?)"
        )

    def read(self, resolution: Resolution) -> dict[int, int]:
        """Where each lane is sealed up to (ms)."""
        return self._read(resolution.value.label)

    def write(self, resolution: Resolution, lane: int, sealed_to: int) -> None:
        """Declare every window of the lane that ends at or before `sealed_to` (ms) to be in its blocks."""
        self._session.execute(self._insert, (resolution.value.label, lane, sealed_to))

    def read_index(self) -> dict[int, int]:
        """Where the index of each lane is sealed up to (ms)."""
        return self._read(INDEX)

    def write_index(self, lane: int, sealed_to: int) -> None:
        """Declare the index to know what the lane has of every minute that ends at or before `sealed_to` (ms).

        What comes of these minutes later has to outdate what was made of them.
        """
        self._session.execute(self._insert, (INDEX, lane, sealed_to))

    def _read(self, label: str) -> dict[int, int]:
        return {row.lane: row.sealed_to for row in self._session.execute(self._select, (label,))}
