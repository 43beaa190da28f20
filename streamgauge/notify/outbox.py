"""Schedule of the alerts to send to one receiver. Pure: times are arguments, in ms."""

import heapq
from collections.abc import Iterator


class Outbox:
    """The alerts that are to be sent to a receiver, each at its time, the earliest first.

    An alert is here once at most, whatever happens to it, so the size is bounded by the number of alerts.
    """

    def __init__(self) -> None:
        self._due: dict[str, int] = {}
        self._heap: list[tuple[int, int, str]] = []
        self._added = 0

    def put(self, key: str, at: int) -> None:
        """Send this alert at that time, not at the one that was set before."""
        if self._due.get(key) == at:
            return
        self._due[key] = at
        self._added += 1
        heapq.heappush(self._heap, (at, self._added, key))
        if len(self._heap) > 2 * len(self._due) + 1000:
            self._heap = [entry for entry in self._heap if self._due.get(entry[2]) == entry[0]]
            heapq.heapify(self._heap)

    def remove(self, key: str) -> None:
        """Do not send this alert."""
        self._due.pop(key, None)

    def due(self, now: int) -> Iterator[str]:
        """Remove and yield the due alerts."""
        while self._heap and self._heap[0][0] <= now:
            at, _, key = heapq.heappop(self._heap)
            if self._due.get(key) == at:
                del self._due[key]
                yield key

    def next_due(self) -> int | None:
        """Return the time of the next due alert, or None."""
        while self._heap and self._due.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None
