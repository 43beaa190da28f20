"""When the sealed blocks of a lane last changed: late data, and what follows from it.

Whoever changes a sealed block stores a new version afterwards; whoever keeps something made of blocks reads the version
before them. So what was made of old blocks is never found under the new version.
"""

import time
from collections.abc import Collection

from cassandra.cluster import Session

from schemas.tables import CHANGES_RETENTION_MS, Resolution
from streamgauge.store.reading import Reading, fetch


class ChangeStore:
    """Reads and writes `changes`."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._insert = session.prepare(
            f"INSERT INTO changes (resolution, period, lane, version) VALUES (?, ?, ?, ?) "
            f"USING TTL {CHANGES_RETENTION_MS // 1000}"
        )
        self._select = session.prepare(
            "SELECT lane, version FROM changes WHERE resolution = ? AND period = ?"
        )

    def write(self, resolution: Resolution, lane: int, window_start: int) -> None:
        """Note that a sealed block of this window (ms) has changed."""
        level = resolution.value
        version = time.time_ns() // 1000
        self._session.execute(self._insert, (level.label, level.period(window_start), lane, version))

    def read(
        self, resolution: Resolution, periods: Collection[int], reading: Reading
    ) -> dict[tuple[int, int], int]:
        """The versions of each period and lane that has any."""
        requests = [(resolution.value.label, period) for period in periods]
        return {
            (period, lane): version
            for (_, period), (lane, version) in fetch(self._session, self._select, requests, reading)
        }
