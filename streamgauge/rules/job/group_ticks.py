"""Which ticks of a group are complete, without Flink: see `MergeRules`."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

MAX_WAITING = 1000
"""Ticks of a group that wait for a shard; above it the oldest is dropped."""
WAIT_MS = 600_000
"""So long after a tick, by time on the stream, a group that some shards say is gone is so without the others."""


class Part(NamedTuple):
    """What one shard says of a tick. rule_set: a version. newest: the newest time (ms) at which it was sent anything.

    is_gone: the rule set no longer has the group. gap_ms: how long nothing was sent before. state_bytes: of all samples
    that the shard keeps.
    """

    rule_set: str
    is_gone: bool
    payload: bytes
    newest: int
    gap_ms: int
    state_bytes: int


Parts = Mapping[int, Part]
"""By shard."""


class Taken(NamedTuple):
    """What came of a part. complete: the parts of its tick if all are there now. dropped: ticks (ms) to forget."""

    complete: Parts | None
    dropped: Sequence[int]


class GroupTicks:
    """The ticks of one group that wait for shards. last: the newest tick (ms) that is past.

    A shard's parts come in the order of their ticks. So once all have come for a tick, those before it that wait will
    wait for ever.
    """

    def __init__(self, shards: int, last: int = 0) -> None:
        self._shards = shards
        self._waiting: dict[int, dict[int, Part]] = {}
        self.last = last

    def take(self, tick: int, shard: int, part: Part) -> Taken:
        """Take a part. A tick whose shards have different rules is dropped; a part of a past tick changes nothing."""
        if tick <= self.last:
            return Taken(None, ())
        parts = self._waiting.setdefault(tick, {})
        parts[shard] = part
        if len(parts) < self._shards:
            overfull = (min(self._waiting),) if len(self._waiting) > MAX_WAITING else ()
            self._forget(overfull)
            return Taken(None, overfull)
        dropped = [waiting for waiting in sorted(self._waiting) if waiting < tick]
        is_mixed = len({one.rule_set for one in parts.values()}) > 1
        if is_mixed:
            dropped.append(tick)
        self._forget([*dropped, tick])
        return Taken(None if is_mixed else parts, dropped)

    def overdue(self, watermark: int) -> dict[int, Parts]:
        """Hand out the ticks, in order, that will not be complete any more by time on the stream (ms)."""
        late = sorted(tick for tick in self._waiting if tick + WAIT_MS <= watermark)
        found: dict[int, Parts] = {tick: self._waiting[tick] for tick in late}
        self._forget(late)
        return found

    def _forget(self, ticks: Sequence[int]) -> None:
        for tick in ticks:
            self._waiting.pop(tick, None)
            self.last = max(self.last, tick)
