"""Writing batches as they come, so that they can be read before their minute is sealed."""

import time

from cassandra.cluster import ResponseFuture, Session

from schemas.tables import HEAD_RETENTION_MS, ttl_seconds

MOST_UNDER_WAY = 128
MOST_BYTES_UNDER_WAY = 16 * 1024 * 1024


class HeadStore:
    """Writes `metrics_head`, many batches at a time: nothing is stored for sure before `settle`."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._under_way: list[ResponseFuture] = []
        self._bytes = 0
        self._insert = session.prepare(
            'INSERT INTO metrics_head (lane, minute, partition, "offset", payload) VALUES (?, ?, ?, ?, ?) '
            "USING TTL ?"
        )

    def write(self, lane: int, minute: int, partition: int, offset: int, payload: bytes) -> None:
        """Begin to store a batch of a UTC minute (ms); one older than the head keeps is passed over."""
        ttl = ttl_seconds(int(time.time() * 1000), minute, HEAD_RETENTION_MS)
        if ttl > 0:
            row = (lane, minute, partition, offset, payload, ttl)
            self._under_way.append(self._session.execute_async(self._insert, row))
            self._bytes += len(payload)
        if len(self._under_way) >= MOST_UNDER_WAY or self._bytes >= MOST_BYTES_UNDER_WAY:
            self.settle()

    def settle(self) -> int:
        """Return when all that was begun is stored; how many that were.

        :raises cassandra.DriverException: if one is not.
        """
        under_way, self._under_way, self._bytes = self._under_way, [], 0
        for future in under_way:
            future.result()
        return len(under_way)
