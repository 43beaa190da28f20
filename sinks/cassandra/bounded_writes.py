"""Many writes at a time, bounded in number and in bytes."""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

from cassandra.cluster import NoHostAvailable, ResponseFuture, Session
from cassandra.connection import ConnectionBusy

UNDER_WAY = 32
BYTES_UNDER_WAY = 16 * 1024 * 1024
Row = Sequence[object]


class BoundedWrites:
    """Begins writes, and waits for the oldest where more would be under way than allowed; a large one goes alone.

    The driver refuses a write while the socket still has bytes of those before it to take. Such a write is begun
    again when nothing else is under way.

    :param most, most_bytes: of the writes that were not answered yet.
    """

    def __init__(self, session: Session, most: int = UNDER_WAY, most_bytes: int = BYTES_UNDER_WAY) -> None:
        self._session = session
        self._most, self._most_bytes = most, most_bytes
        self._under_way: deque[tuple[Any, Row, ResponseFuture]] = deque()
        self._bytes = 0
        self._begun = 0

    def begin(self, statement: Any, row: Row) -> None:
        """Begin a write with these values; earlier ones are waited for.

        :raises cassandra.DriverException: if one of these failed.
        """
        size = _size(row)
        while self._under_way and (
            len(self._under_way) >= self._most or self._bytes + size > self._most_bytes
        ):
            self._finish()
        self._under_way.append((statement, row, self._session.execute_async(statement, row)))
        self._bytes += size
        self._begun += 1

    def settle(self) -> int:
        """Wait for all writes; returns their number since the last time.

        :raises cassandra.DriverException: if one failed; the others are given up.
        """
        try:
            while self._under_way:
                self._finish()
            return self._begun
        finally:
            self._under_way.clear()
            self._bytes = self._begun = 0

    def _finish(self) -> None:
        """Wait for the oldest write; if it was refused as too much at a time, for all, and begin those again alone."""
        refused = []
        while self._under_way:
            statement, row, future = self._under_way.popleft()
            self._bytes -= _size(row)
            try:
                future.result()
            except NoHostAvailable as error:
                if not any(isinstance(each, ConnectionBusy) for each in error.errors.values()):
                    raise
                refused.append((statement, row))
            if not refused:
                return
        for statement, row in refused:
            self._session.execute_async(statement, row).result()


def write_all(session: Session, statements: Iterable[tuple[Any, Row]]) -> None:
    """Execute statements with their values; return when all is stored.

    :raises cassandra.DriverException: if one is not.
    """
    writes = BoundedWrites(session)
    for statement, row in statements:
        writes.begin(statement, row)
    writes.settle()


def _size(row: Row) -> int:
    return sum(len(value) for value in row if isinstance(value, bytes))
