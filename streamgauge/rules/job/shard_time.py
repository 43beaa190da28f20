"""Time of one shard, without Flink: its last tick, and when anything was sent to it: see `EvaluateRules`."""

import json
from bisect import bisect_right
from typing import NamedTuple

HOLE_MS = 60_000
"""If a shard was sent nothing at all for longer, not even a heartbeat, all collectors were away."""


class Hole(NamedTuple):
    """Nothing was sent between two times (ms)."""

    start: int
    end: int


class Presence:
    """When a shard was sent anything: runs of times (ms) with no hole in them, in order."""

    def __init__(self, runs: list[list[int]] | None = None) -> None:
        self.runs = runs or []

    @property
    def newest(self) -> int:
        """The newest time, 0 if nothing ever came."""
        return self.runs[-1][1] if self.runs else 0

    def add(self, sent: int) -> None:
        """Something was sent at a time."""
        if self.runs and self.runs[-1][0] <= sent <= self.runs[-1][1]:
            return
        at = bisect_right(self.runs, [sent, sent])
        self.runs.insert(at, [sent, sent])
        if at + 1 < len(self.runs) and self.runs[at + 1][0] - sent <= HOLE_MS:
            self.runs[at][1] = self.runs.pop(at + 1)[1]
        if at and sent - self.runs[at - 1][1] <= HOLE_MS:
            last = self.runs.pop(at)[1]
            self.runs[at - 1][1] = max(self.runs[at - 1][1], last)

    def hole_at(self, tick: int) -> Hole | None:
        """The hole in which a tick lies."""
        at = bisect_right(self.runs, tick, key=lambda run: run[0])
        if not 0 < at < len(self.runs) or tick <= self.runs[at - 1][1]:
            return None
        return Hole(self.runs[at - 1][1], self.runs[at][0])

    def gap_before(self, tick: int) -> int:
        """How long the hole was that ended last before a tick, of those that are not forgotten."""
        at = bisect_right(self.runs, tick, key=lambda run: run[0])
        return self.runs[at - 1][0] - self.runs[at - 2][1] if at > 1 else 0

    def forget_before(self, tick: int) -> None:
        """Drop the runs that ended before the one in which a tick lies."""
        while len(self.runs) > 1 and self.runs[1][0] <= tick:
            self.runs.pop(0)


class ShardTime:
    """The last tick (ms) that was evaluated or passed over, and what has been seen.

    Before the first tick it stands right before the first thing that was sent, of all partitions: one may come first
    with what was sent later.
    """

    def __init__(self, data: str | None = None) -> None:
        stored = json.loads(data) if data else {}
        self._last: int | None = stored.get("last")
        self._has_begun: bool = stored.get("has_begun", False)
        self._presence = Presence(stored.get("runs"))
        self._stored_newest, self._stored_last = self._presence.newest, self._last

    def encode(self) -> str:
        """What the constructor takes."""
        self._stored_newest, self._stored_last = self._presence.newest, self._last
        content = {"last": self._last, "has_begun": self._has_begun, "runs": self._presence.runs}
        return json.dumps(content, separators=(",", ":"))

    @property
    def last(self) -> int | None:
        """The last tick; None before anything was sent."""
        return self._last

    @property
    def newest(self) -> int:
        """The newest time (ms) at which anything was sent."""
        return self._presence.newest

    @property
    def is_ahead(self) -> bool:
        """Whether a second or more was seen since it was encoded last, or what moves the first tick."""
        return self._presence.newest - self._stored_newest >= 1000 or self._last != self._stored_last

    def see(self, sent: int) -> None:
        """Something was sent at a time (ms)."""
        self._stand_before(sent)
        runs = self._presence.runs
        # what comes late from before the run that the last tick lies in would make up the hole once more
        if not (runs and self._last is not None and sent < runs[0][0] <= self._last):
            self._presence.add(sent)

    def rest(self, sent: int) -> None:
        """Something was sent at a time (ms) while no tick will come: holes do not matter."""
        self._stand_before(sent)
        self._presence = Presence([[sent, sent]])

    def has_come(self, tick: int) -> bool:
        """Whether something was sent after a tick (ms): what comes from now on was too, or is late."""
        return self._presence.newest >= tick

    def pass_over(self, tick: int) -> bool:
        """Whether a tick (ms) that has come is not to be evaluated, as it lies in a hole, whose end is next then."""
        hole = self._presence.hole_at(tick)
        if hole is None:
            return False
        self._last = max(tick, hole.end - 1)
        self._has_begun = True
        return True

    def finish(self, tick: int) -> int:
        """The tick was evaluated; how long (ms) the hole was that lies between it and the last one, 0 if none."""
        gap = self._presence.gap_before(tick)
        self._presence.forget_before(tick)
        self._last = tick
        self._has_begun = True
        return gap

    def _stand_before(self, sent: int) -> None:
        if self._last is None or (not self._has_begun and sent <= self._last):
            self._last = sent - 1
