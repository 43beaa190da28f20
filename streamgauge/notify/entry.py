"""The state of one alert. Pure."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from schemas.alert_messages import Triggered
from schemas.cut_texts import cut_all
from schemas.limits import MAX_ANNOTATIONS_BYTES, MAX_MESSAGE_BYTES
from schemas.notified_messages import Notified
from streamgauge.rules.machine.alerts import RESOLVED_RETENTION_MS, AlertState

FIRING, RESOLVED, ERROR = AlertState.FIRING.value, AlertState.RESOLVED.value, AlertState.ERROR.value
MOST_CHANGES = 64
"""Of an alert that wait for a receiver: 32 times that it fired, with their ends."""
MOST_TEXT = MAX_MESSAGE_BYTES // 8
"""Characters of these changes: a message has room for them however they are written."""
SHORT_BYTES = 1024
"""Maximum bytes of annotations of older changes when space is short."""
NOTHING = -1


@dataclass(slots=True)
class Entry:
    """An alert as `Notified` describes it. in_flight: by receiver, the tick of the change that is under way to it.

    told_at: by receiver, when it got something new, ms. partition: of alerts.triggered.
    last_tick: NOTHING for an alert that is to be forgotten.
    """

    partition: int
    last_id: str = ""
    last_tick: int = NOTHING
    changes: list[Triggered] = field(default_factory=list)
    seen: dict[str, int] = field(default_factory=dict)
    in_flight: dict[str, int] = field(default_factory=dict)
    told_at: dict[str, int] = field(default_factory=dict)

    @staticmethod
    def of(partition: int, record: Notified, receivers: Collection[str]) -> "Entry":
        """Create an entry from a record. A new receiver gets firing alerts only."""
        changes = list(record.changes)
        entry = Entry(partition, record.last_id, record.last_tick, changes, dict(record.seen))
        for receiver in receivers:
            entry.seen.setdefault(receiver, _before_what_holds(entry.changes))
        return entry

    def record(self) -> Notified | None:
        """Return the record to keep, or None."""
        if self.last_tick == NOTHING:
            return None
        return Notified(self.last_id, self.last_tick, list(self.changes), dict(self.seen))

    @property
    def newest(self) -> Triggered | None:
        """The newest change for receivers."""
        return self.changes[-1] if self.changes else None

    def waiting(self, receiver: str) -> list[Triggered]:
        """The changes that the receiver has not got, oldest first."""
        seen = self.seen.get(receiver, NOTHING)
        return [change for change in self.changes if change.tick > seen]

    def is_settled(self, now: int) -> bool:
        """Whether nothing more is to be sent of it: its end is sent again for a while, unless it is pending again."""
        newest = self.newest
        if newest is None or newest.after != RESOLVED:
            return newest is None
        return self.last_tick > newest.tick or now - newest.ends_at > RESOLVED_RETENTION_MS

    def add(self, change: Triggered, receivers: Collection[str], *, is_history: bool) -> None:
        """Add a change newer than all before."""
        self.last_id, self.last_tick = change.id, change.tick
        # an earlier version of the job did not cut them
        change = replace(change, annotations=cut_all(change.annotations, MAX_ANNOTATIONS_BYTES))
        told = self._told(change)
        if told is None:
            return
        newest = self.newest
        if newest and newest.after == told.after == FIRING and newest.starts_at == told.starts_at:
            # it goes on to fire: the next time that it is sent it is sent so
            self.changes[-1] = replace(told, id=newest.id, tick=newest.tick)
        elif is_history:
            self.changes = [told]
            self.seen = dict.fromkeys(receivers, _before_what_holds(self.changes))
        else:
            self.changes.append(told)
            self._shorten(receivers)

    def accept(self, receiver: str, tick: int, receivers: Collection[str]) -> None:
        """Note that a receiver accepted the change of a tick; drops changes that all have, except the newest."""
        self.seen[receiver] = max(tick, self.seen.get(receiver, NOTHING))
        first = min(self.seen.get(one, NOTHING) for one in receivers)
        self.changes = [one for one in self.changes if one.tick > first or one is self.changes[-1]]

    def _told(self, change: Triggered) -> Triggered | None:
        """The change as receivers learn of it, None if they do not."""
        if change.after in (FIRING, RESOLVED):
            return change
        newest = self.newest
        if change.after != ERROR and newest and newest.after == FIRING:
            # back to pending, as where the rule's `for` has become longer: it does not fire
            return replace(change, after=RESOLVED, ends_at=change.tick, starts_at=newest.starts_at)
        return None

    def _shorten(self, receivers: Collection[str]) -> None:
        """Leave out the oldest firings with their ends of which no receiver has got only the one, then texts."""
        while self._is_too_much() and (at := self._removable(receivers)) is not None:
            del self.changes[at : at + 2]
        if self._is_too_much():
            *older, newest = self.changes
            texts = [cut_all(change.annotations, SHORT_BYTES) for change in older]
            pairs = zip(older, texts, strict=True)
            self.changes = [*(replace(change, annotations=short) for change, short in pairs), newest]

    def _is_too_much(self) -> bool:
        if len(self.changes) < 3:
            return False
        return len(self.changes) > MOST_CHANGES or sum(map(text_of, self.changes)) > MOST_TEXT

    def _removable(self, receivers: Collection[str]) -> int | None:
        got = [
            max(self.seen.get(receiver, NOTHING), self.in_flight.get(receiver, NOTHING))
            for receiver in receivers
        ]
        for at in range(len(self.changes) - 2):
            begin, end = self.changes[at : at + 2]
            is_pair = (begin.after, end.after) == (FIRING, RESOLVED)
            if is_pair and not any(begin.tick <= tick < end.tick for tick in got):
                return at
        return None


def text_of(change: Triggered) -> int:
    """Approximate number of characters of a change."""
    pairs = (*change.labels.items(), *change.annotations.items())
    return sum(len(name) + len(text) for name, text in pairs) + len(change.generator_url)


def _before_what_holds(changes: Sequence[Triggered]) -> int:
    """The tick up to which all is old to a receiver that is new: it is to get what fires now, or nothing."""
    if not changes:
        return NOTHING
    return changes[-1].tick - (changes[-1].after == FIRING)
