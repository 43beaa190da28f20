"""The rows of one SQL rule that wait for their tick, without Flink: see `SqlAlerts`."""

import json
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from operators.sql_group import Found

Place = tuple[int, str]
"""What a row is kept under: its time (ms) and its content."""
_PRESENCE = ""


class Due(NamedTuple):
    """What counts at a tick: the newest rows of each label set, and whether the rule's selectors had samples."""

    rows: list[Found]
    has_samples: bool
    forgotten: list[Place]


class WaitingRows:
    """Rows by their time, in any order; the same row twice is one.

    :param stored: what is in Flink's state.
    """

    def __init__(self, stored: Iterable[Place] = ()) -> None:
        self._waiting: dict[Place, None] = dict.fromkeys(tuple(place) for place in stored)

    def add(self, time: int, labels: Mapping[str, str | None] | None, value: float | None) -> Place | None:
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

    def take(self, tick: int, every_ms: int) -> Due:
        """Hand out and forget what is due at a tick (ms), which is so long after the one before."""
        due = sorted(place for place in self._waiting if place[0] <= tick)
        newest: dict[str, tuple[int, list[Found]]] = {}
        has_samples = False
        for time, content in due:
            del self._waiting[time, content]
            if time <= tick - every_ms:
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
