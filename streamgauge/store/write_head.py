"""Writing batches as they come, so that they can be read before their minute is sealed."""

import time

from cassandra.cluster import Session

from schemas.tables import HEAD_RETENTION_MS, ttl_seconds


class HeadStore:
    """Writes `metrics_head`."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._insert = session.prepare(
            'INSERT INTO metrics_head (lane, minute, partition, "offset", payload) VALUES (?, ?, ?, ?, ?) '
            "USING TTL ?"
        )

    def write(self, lane: int, minute: int, partition: int, offset: int, payload: bytes) -> None:
        """Store a batch of a UTC minute (ms) and wait; one older than the head keeps is passed over."""
        ttl = ttl_seconds(int(time.time() * 1000), minute, HEAD_RETENTION_MS)
        if ttl > 0:
            self._session.execute(self._insert, (lane, minute, partition, offset, payload, ttl))
