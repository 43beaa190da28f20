"""What a collector has acknowledged, batch by batch: gathered for the audit and published on `metrics.acknowledged`."""

import threading
from collections.abc import Callable
from typing import NamedTuple

from schemas.batches.batch import minute_of
from schemas.batches.batch_records import MAX_RECORDS, encode, records

MOST_WAITING = 1000
"""Pages that wait for a Kafka that takes batches but no pages; beyond that the oldest are given up."""


class Page(NamedTuple):
    """Batches that were acknowledged in a stretch of time, ready to be published. closed: its end, ms."""

    number: int
    closed: int
    value: bytes

    def headers(self, producer: str) -> list[tuple[str, str | bytes | None]]:
        """The Kafka headers."""
        return [("closed", b"%d" % self.closed), ("producer", producer.encode())]


class Acknowledged:
    """Takes a note of each batch, from any thread, and gives pages to publish.

    :param clock: gives ms, as `sent` is stamped.
    """

    def __init__(self, clock: Callable[[], int]) -> None:
        self.given_up = 0
        self._clock = clock
        self._lock = threading.Lock()
        self._noted: list[tuple[int, int, int, int, int]] = []
        self._waiting: dict[int, Page] = {}
        self._next = 0

    def note(self, lane: int, newest: int, partition: int, offset: int, samples: int) -> None:
        """Note that Kafka has acknowledged a batch whose newest sample is of a time (ms)."""
        with self._lock:
            self._noted.append((lane, minute_of(newest), partition, offset, samples))

    def pages(self) -> list[Page]:
        """Pages to be published now, the oldest first; each is given again only after `settle` says that it failed."""
        with self._lock:
            noted, self._noted = self._noted, []
            closed = self._clock()
            for at in range(0, len(noted), MAX_RECORDS):
                blob = encode(records(noted[at : at + MAX_RECORDS]))
                self._waiting[self._next] = Page(self._next, closed, blob)
                self._next += 1
            given = [self._waiting.pop(number) for number in sorted(self._waiting)]
            self.given_up += len(given[:-MOST_WAITING])
            return given[-MOST_WAITING:]

    def settle(self, page: Page, published: bool) -> None:
        """A page is in Kafka, or has to be published once more."""
        if not published:
            with self._lock:
                self._waiting[page.number] = page
