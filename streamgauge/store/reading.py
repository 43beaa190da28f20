"""The reading of one query: its limits, damaged rows, and bounded concurrent requests."""

import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any, NamedTuple, TypeVar

from cassandra.cluster import ResponseFuture, Session

from streamgauge.store.session import ROWS

UNDER_WAY = 32
REQUEST_TIMEOUT_S = 10.0
ROWS_BETWEEN_LOOKS = 1000
"""Rows to process between two checks of the deadline."""

MATCHES_BETWEEN_LOOKS = 16
"""Values to match between two checks; a regex may take milliseconds for each."""

Request = TypeVar("Request", bound=Sequence[Any])
Item = TypeVar("Item")


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
class ReadContext:
    """The limits of one query's reading, and the damage it met.

    deadline: on the clock of `time.monotonic`, seconds. samples: decoded so far. session: what is read with, in place
    of the reader's own. blocks, bytes: rows looked at so far, and what is stored in them; lanes: those that they are
    of.
    """

    deadline: float = inf
    max_series: float = inf
    max_samples: float = inf
    samples: int = 0
    session: Session | None = None
    damages: list[Damage] = field(default_factory=list)
    blocks: int = 0
    bytes: int = 0
    lanes: set[int] = field(default_factory=set)
    known: dict[object, Any] = field(default_factory=dict)
    """Progress and changes as first read: a query sees one state of them."""
    is_now: bool = False
    """Whether the result is not cached; the index may then be slightly outdated."""

    def stop(self) -> None:
        """Cancel the reading: the next check of the deadline raises."""
        self.deadline = -inf

    def left_s(self) -> float:
        """Seconds left, at most those a single request may take.

        :raises DeadlinePassed: if none are left.
        """
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise DeadlinePassed
        return min(left, REQUEST_TIMEOUT_S)

    def watched(self, items: Iterable[Item]) -> Iterator[Item]:
        """The items, each of which is to be matched.

        :raises DeadlinePassed: between two of them.
        """
        for number, item in enumerate(items):
            if number % MATCHES_BETWEEN_LOOKS == 0:
                self.left_s()
            yield item

    def hold(self, size: int) -> None:
        """Account for this many bytes read; a reading with a budget may refuse them."""

    def keep(self, size: int) -> object:
        """Return an owner of this many bytes of the reading; None without a budget."""
        self.hold(size)
        return None

    def take_series(self, count: int) -> None:
        """Check a number of selected series.

        :raises TooManySeries: over the limit.
        """
        if count > self.max_series:
            raise TooManySeries

    def take_block(self, lane: int, row: Iterable[Any]) -> None:
        """Count a row of a lane that is looked at."""
        self.blocks += 1
        self.bytes += sum(len(blob) for blob in row if isinstance(blob, bytes))
        self.lanes.add(lane)

    def restart(self) -> None:
        """Reset samples and damage, as the results so far are discarded."""
        self.samples = 0
        self.damages.clear()

    def take_samples(self, count: int) -> None:
        """Count samples that were decoded.

        :raises TooManySamples: over the limit.
        """
        self.samples += count
        if self.samples > self.max_samples:
            raise TooManySamples


def fetch(
    session: Session, statement: Any, requests: Iterable[Request], reading: ReadContext
) -> Iterator[tuple[Request, Any]]:
    """Each request's bound values with each of its rows, in the order of the requests.

    Several requests are under way at a time.

    :raises DeadlinePassed: at the reading's deadline. :raises cassandra.DriverException: as the driver does.
    """
    session = reading.session or session
    under_way: deque[tuple[Request, ResponseFuture]] = deque()
    for request in requests:
        future = session.execute_async(statement, request, timeout=reading.left_s(), execution_profile=ROWS)
        under_way.append((request, future))
        if len(under_way) >= UNDER_WAY:
            yield from _rows(*under_way.popleft(), reading)
    while under_way:
        yield from _rows(*under_way.popleft(), reading)


def _rows(request: Request, future: ResponseFuture, reading: ReadContext) -> Iterator[tuple[Request, Any]]:
    for number, row in enumerate(future.result()):
        if number % ROWS_BETWEEN_LOOKS == 0:
            reading.left_s()
        yield request, row
