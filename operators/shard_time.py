"""Time of one shard, without Flink: its last tick, and when anything was sent to it: see `EvaluateRules`."""

import json
from bisect import bisect_right
from typing import NamedTuple

HOLE_MS = 60_000
"""If a shard was sent nothing at all for longer, not even a heartbeat, all collectors were away."""


class Hole(NamedTuple):
    """Nothing was sent between two times (ms); end: None if nothing came after it yet."""

    start: int
    end: int | None


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
        start = self.runs[at - 1][1] if at else None
        end = self.runs[at][0] if at < len(self.runs) else None
        if start is None or tick <= start:
            return None
        if end is None:
            return Hole(start, None) if tick - start > HOLE_MS else None
        return Hole(start, end)

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

    Before the first tick it stands right before the first thing that was sent.
    """

    def __init__(self, data: str | None = None) -> None:
        stored = json.loads(data) if data else {}
        self._last: int | None = stored.get("last")
        self._presence = Presence(stored.get("runs"))
        self._stored_newest = self._presence.newest

    def encode(self) -> str:
        """What the constructor takes."""
        self._stored_newest = self._presence.newest
        return json.dumps({"last": self._last, "runs": self._presence.runs}, separators=(",", ":"))

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
        """Whether a second or more was seen since it was encoded last."""
        return self._presence.newest - self._stored_newest >= 1000

    def see(self, sent: int) -> None:
        """Something was sent at a time (ms)."""
        if self._last is None:
            self._last = sent - 1
        runs = self._presence.runs
        # what comes late from before the run that the last tick lies in would make up the hole once more
        if not (runs and sent < runs[0][0] <= self._last):
            self._presence.add(sent)

    def rest(self, sent: int) -> None:
        """Something was sent at a time (ms) while no tick will come: holes do not matter."""
        if self._last is None:
            self._last = sent - 1
        self._presence = Presence([[sent, sent]])

    def pass_over(self, tick: int, watermark: int) -> int | None:
        """Where a due tick (ms) is not to be evaluated, the time after which the next is looked for; None if it is."""
        hole = self._presence.hole_at(tick)
        if hole is None:
            return None
        self._last = watermark if hole.end is None else max(tick, hole.end - 1)
        return self._last

    def finish(self, tick: int) -> int:
        """The tick was evaluated; how long (ms) the hole was that lies between it and the last one, 0 if none."""
        gap = self._presence.gap_before(tick)
        self._presence.forget_before(tick)
        self._last = tick
        return gap
