"""The rows of one SQL rule that wait for their tick, without Flink: see `SqlAlerts`."""

import json
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from streamgauge.rules.job.sql_group import Found

RowKey = tuple[int, str]
"""What a row is kept under: its time (ms) and its content."""
_PRESENCE = ""


class Due(NamedTuple):
    """What counts at a tick: the newest rows of each label set, and whether the rule's selectors had samples."""

    rows: list[Found]
    has_samples: bool
    forgotten: list[RowKey]


class WaitingRows:
    """The ticks of a rule, and its rows by their time, in any order; the same row twice is one.

    The first tick is the one after the oldest row, or after what is known to be past: a partition may come first with
    what is later than what others have.

    :param every_ms: from tick to tick. :param last: the last tick (ms), 0 before the first.
    :param stored: what is in Flink's state.
    """

    def __init__(self, every_ms: int, last: int = 0, stored: Iterable[RowKey] = ()) -> None:
        self._every_ms = every_ms
        self._waiting: dict[RowKey, None] = dict.fromkeys((time, row) for time, row in stored)
        self._has_begun = bool(last)
        self._last: int | None = last or None
        if not last and self._waiting:
            self._last = self._before(min(time for time, _ in self._waiting) - 1)

    @property
    def next_tick(self) -> int | None:
        """The next tick (ms); None before anything came."""
        return None if self._last is None else self._before(self._last) + self._every_ms

    def see(self, time: int, watermark: int) -> bool:
        """Something came of a time (ms), by time on the stream: whether it still counts."""
        if not self._has_begun and (self._last is None or time <= self._last):
            begin = self._before(max(time - 1, watermark))
            self._last = begin if self._last is None else min(begin, self._last)
        return self._last is not None and time > self._last

    def add(self, time: int, labels: Mapping[str, str | None] | None, value: float | None) -> RowKey | None:
        """Take a row, without labels one that says that there were samples; what to store, None if it is there."""
        content = _PRESENCE
        if labels is not None:
            number = float("nan") if value is None else value
            present = sorted((name, text) for name, text in labels.items() if text is not None)
            content = json.dumps([present, number.hex()], ensure_ascii=False, separators=(",", ":"))
        place = time, content
        if place in self._waiting:
            return None
        self._waiting[place] = None
        return place

    def take(self, tick: int) -> Due:
        """Go on to a tick (ms): hand out and forget what is due at it."""
        self._last, self._has_begun = tick, True
        due = sorted(place for place in self._waiting if place[0] <= tick)
        newest: dict[str, tuple[int, list[Found]]] = {}
        has_samples = False
        for time, content in due:
            del self._waiting[time, content]
            if time <= tick - self._every_ms:
                continue
            if content == _PRESENCE:
                has_samples = True
                continue
            labels, number = json.loads(content)
            found = dict(labels), float.fromhex(number)
            before = newest.get(str(labels))
            if before is None or before[0] < time:
                newest[str(labels)] = time, [found]
            else:
                before[1].append(found)
        return Due([found for _, rows in newest.values() for found in rows], has_samples, due)

    def _before(self, time: int) -> int:
        """The newest tick that is not after a time (ms)."""
        return time - time % self._every_ms
