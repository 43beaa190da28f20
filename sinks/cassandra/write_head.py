"""Writes batches on arrival, to be read before their minute is sealed."""

import time

from cassandra.cluster import Session

from schemas.tables import HEAD_RETENTION_MS, ttl_seconds
from sinks.cassandra.bounded_writes import BoundedWrites

MOST_UNDER_WAY = 128


class HeadStore:
    """Writes `metrics_head`, many batches at a time: nothing is stored for sure before `settle`."""

    def __init__(self, session: Session) -> None:
        self._writes = BoundedWrites(session, MOST_UNDER_WAY)
        self._insert = session.prepare(
            'INSERT INTO metrics_head (lane, minute, partition, "offset", payload) VALUES (?, ?, ?, ?, ?) '
            "USING TTL ?"
        )

    def write(self, lane: int, minute: int, partition: int, offset: int, payload: bytes) -> None:
        """Begin to store a batch of a UTC minute (ms); one older than the head keeps is passed over."""
        ttl = ttl_seconds(int(time.time() * 1000), minute, HEAD_RETENTION_MS)
        if ttl > 0:
            self._writes.begin(self._insert, (lane, minute, partition, offset, payload, ttl))

    def settle(self) -> int:
        """Wait for all writes; returns their number.

        :raises cassandra.DriverException: if one is not.
        """
        return self._writes.settle()
