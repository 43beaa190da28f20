"""Which minutes of a lane are open, and what waits for them: what `CloseMinutes` decides, without Flink."""

from collections.abc import Iterator

from schemas.units import MINUTE_MS
from streamgauge.rollup.pending_batches import PendingBatch


class OpenMinutes:
    """The minutes (ms) of one lane. `closed_to`: every minute that ends at or before it is closed.

    A minute is open from its first batch or heartbeat until it is closed; batches of closed minutes are late.
    """

    def __init__(self, closed_to: int) -> None:
        self._closed_to = closed_to
        self._minutes: dict[int, list[PendingBatch]] = {}

    def is_late(self, minute: int) -> bool:
        """Whether the minute is closed."""
        return minute + MINUTE_MS <= self._closed_to

    def is_open(self, minute: int) -> bool:
        """Whether the minute has had its first batch or heartbeat and is not closed."""
        return minute in self._minutes and not self.is_late(minute)

    def open_minutes(self) -> list[int]:
        """All open minutes in order."""
        return sorted(minute for minute in self._minutes if not self.is_late(minute))

    def has_late(self) -> bool:
        """Whether late batches wait."""
        return any(self.is_late(minute) for minute in self._minutes)

    def open(self, minute: int) -> None:
        """Note that there is something of this minute."""
        self._minutes.setdefault(minute, [])

    def add(self, minute: int, batch: PendingBatch) -> None:
        """Let a batch of the minute wait."""
        self._minutes.setdefault(minute, []).append(batch)

    def take_late(self) -> Iterator[tuple[int, list[PendingBatch]]]:
        """Hand out the late batches by minute, in order."""
        for minute in sorted(minute for minute in self._minutes if self.is_late(minute)):
            yield minute, self._minutes.pop(minute)

    def close(self, to: int) -> Iterator[tuple[int, list[PendingBatch]]]:
        """Close every open minute that ends at or before `to` (ms), in order, and hand out its batches."""
        for minute in self.open_minutes():
            if minute + MINUTE_MS > to:
                break
            yield minute, self._minutes.pop(minute)
            self._closed_to = minute + MINUTE_MS
