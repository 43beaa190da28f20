"""Up to where the index of a lane is sealed: what `IndexSeries` decides, without Flink."""

from schemas.units import MINUTE_MS


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
