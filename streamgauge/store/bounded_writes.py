"""Many writes at a time, bounded in number and in bytes."""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

from cassandra.cluster import ResponseFuture, Session

UNDER_WAY = 32
BYTES_UNDER_WAY = 16 * 1024 * 1024
"""Of all writes of one call that were not answered yet; a single one may be more."""


def write_all(session: Session, statement: Any, rows: Iterable[Sequence[object]]) -> None:
    """Execute a statement with each of these values; return when all is stored.

    :raises cassandra.DriverException: if one is not.
    """
    under_way: deque[tuple[int, ResponseFuture]] = deque()
    total = 0
    for row in rows:
        size = sum(len(value) for value in row if isinstance(value, bytes))
        while under_way and (len(under_way) >= UNDER_WAY or total + size > BYTES_UNDER_WAY):
            done, future = under_way.popleft()
            future.result()
            total -= done
        under_way.append((size, session.execute_async(statement, row)))
        total += size
    for _, future in under_way:
        future.result()
