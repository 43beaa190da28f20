"""One query's reading: what it may cost, what was damaged, and its requests, some at a time."""

import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any, NamedTuple, TypeVar

from cassandra.cluster import ResponseFuture, Session

UNDER_WAY = 32
REQUEST_TIMEOUT_S = 10.0

Request = TypeVar("Request", bound=Sequence[Any])


class DeadlinePassed(Exception):
    """The deadline of a reading has passed."""


class TooMuch(Exception):
    """A query asks for more than a reading may hold."""


class TooManySeries(TooMuch):
    """More series than allowed."""


class TooManySamples(TooMuch):
    """More samples than allowed."""


class Damage(NamedTuple):
    """A row that was left out of an answer because it does not decode."""

    reason: str
    row: str


@dataclass(slots=True)
class Reading:
    """The limits of one query's reading, and the damage it met.

    deadline: on the clock of `time.monotonic`, seconds. samples: decoded so far.
    """

    deadline: float = inf
    max_series: float = inf
    max_samples: float = inf
    samples: int = 0
    damages: list[Damage] = field(default_factory=list)

    def left_s(self) -> float:
        """Seconds left, at most those a single request may take.

        :raises DeadlinePassed: if none are left.
        """
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise DeadlinePassed
        return min(left, REQUEST_TIMEOUT_S)

    def take_series(self, count: int) -> None:
        """Check a number of selected series.

        :raises TooManySeries: over the limit.
        """
        if count > self.max_series:
            raise TooManySeries

    def take_samples(self, count: int) -> None:
        """Count samples that were decoded.

        :raises TooManySamples: over the limit.
        """
        self.samples += count
        if self.samples > self.max_samples:
            raise TooManySamples


def fetch(
    session: Session, statement: Any, requests: Iterable[Request], reading: Reading
) -> Iterator[tuple[Request, Any]]:
    """Each request's bound values with each of its rows, in the order of the requests.

    Several requests are under way at a time.

    :raises DeadlinePassed: at the reading's deadline. :raises cassandra.DriverException: as the driver does.
    """
    under_way: deque[tuple[Request, ResponseFuture]] = deque()
    for request in requests:
        under_way.append((request, session.execute_async(statement, request, timeout=reading.left_s())))
        if len(under_way) >= UNDER_WAY:
            yield from _rows(*under_way.popleft(), reading)
    while under_way:
        yield from _rows(*under_way.popleft(), reading)


def _rows(request: Request, future: ResponseFuture, reading: Reading) -> Iterator[tuple[Request, Any]]:
    reading.left_s()
    for row in future.result():
        yield request, row
