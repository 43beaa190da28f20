"""What the index has to see, and up to where it is sealed: what `StoreHead` and `IndexSeries` decide, without Flink."""

from collections.abc import Callable, Iterable

from schemas.tables import index_period
from schemas.units import MINUTE_MS

KNOWN_LIMIT = 1_000_000
"""Series that a worker remembers."""
MOST_MINUTES = 1000
"""Minutes of a lane that a worker remembers."""


class KnownSeries:
    """What a worker has handed on to the index: series by lane and index period, and minutes by lane.

    The index needs every batch with a new series. It needs the minute of each later batch too, for that batch may hold
    the series in a minute that is sealed, where kept answers miss it. Once the index has seen a minute, it needs to
    see it again only after another new series. Forgetting is harmless: the index sees something twice.

    :param forgotten: called when all series are forgotten, before they are new once more.
    """

    def __init__(self, limit: int = KNOWN_LIMIT, forgotten: Callable[[], None] = lambda: None) -> None:
        self._limit = limit
        self._forgotten = forgotten
        self._series: dict[tuple[int, int], set[bytes]] = {}
        self._count = 0
        self._minutes: dict[int, set[int]] = {}

    def new(self, lane: int, minute: int, ids: Iterable[bytes]) -> set[bytes]:
        """Those of the packed ids that are new to the lane in the index period of the minute (ms)."""
        if self._count > self._limit:
            self._series.clear()
            self._count = 0
            self._forgotten()
        return set(ids) - self._series.get((lane, index_period(minute, lane)), set())

    def hand_on(self, lane: int, minute: int, new: set[bytes]) -> bool:
        """Remember that a batch of the minute (ms) brings these new series; whether the index has to see it."""
        minutes = self._minutes.setdefault(lane, set())
        if new:
            self._series.setdefault((lane, index_period(minute, lane)), set()).update(new)
            self._count += len(new)
            minutes.clear()
        elif minute in minutes:
            return False
        elif len(minutes) >= MOST_MINUTES:
            minutes.clear()
        minutes.add(minute)
        return True


class IndexedMinutes:
    """The minutes (ms) of one lane. `sealed_to`: the index is sealed for every minute that ends at or before it.

    Answers are kept only of minutes for which the index is sealed. So a series that comes later in such a minute
    outdates what was made of that minute, and any other series outdates nothing.
    """

    def __init__(self, sealed_to: int) -> None:
        self._sealed_to = sealed_to
        self._open: set[int] = set()

    def is_sealed(self, minute: int) -> bool:
        """Whether answers about the minute may have been kept."""
        return minute + MINUTE_MS <= self._sealed_to

    def open(self, minute: int) -> bool:
        """Note that there is something of a minute that is not sealed; whether that is new."""
        is_new = minute not in self._open
        self._open.add(minute)
        return is_new

    def seal(self, to: int) -> bool:
        """Seal every minute that ends at or before `to` (ms); whether that is new."""
        self._open = {minute for minute in self._open if minute + MINUTE_MS > to}
        is_new = to > self._sealed_to
        self._sealed_to = max(to, self._sealed_to)
        return is_new
