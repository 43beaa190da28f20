"""The state machine of the bridge: state of each alert, and its delivery to each receiver. Pure.

A change that was applied is never applied again: its copy has the same id, its replay an older tick. So every
interleaving of copies, replays and restarts leaves the same state, and the same changes for the receivers.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from schemas.alert_messages import Triggered
from schemas.notified_messages import Notified, Written, key_of
from streamgauge.notify.entry import FIRING, NOTHING, RESOLVED, Entry, text_of
from streamgauge.notify.outbox import Outbox

GAP_MS = 1000
"""Minimum time between two changes of an alert: Alertmanager ignores alerts that end before it looks."""
MOST_TEXT = 1_000_000
"""Maximum characters of one post."""
MOST_ENDED = 100_000
"""Alerts that have ended of which a receiver does not know; a bound for one that never comes back."""


class Verdict(StrEnum):
    """Outcome of a message."""

    APPLIED = "applied"
    DUPLICATE = "duplicate"
    OLDER = "older"
    UNREADABLE = "unreadable"


class Delivery(NamedTuple):
    """A change to send to a receiver. again: it was delivered before, and is resent."""

    key: str
    change: Triggered
    again: bool


class Ledger:
    """All alerts of the partitions that this process reads.

    :param receivers: their names. :param resend_ms: between two times that the same is sent.
    :param memory_ms: for how long after its last change an alert is remembered: nobody can compute older ticks again.
    """

    def __init__(self, receivers: Sequence[str], resend_ms: int, memory_ms: int) -> None:
        self.receivers = receivers
        self.dropped = dict.fromkeys(receivers, 0)
        self._entries: dict[str, Entry] = {}
        self._resend_ms = resend_ms
        self._memory_ms = memory_ms
        self._outboxes = {receiver: Outbox() for receiver in receivers}
        self._ended: dict[str, dict[str, None]] = {receiver: {} for receiver in receivers}
        self._dirty: dict[str, None] = {}
        self._left: set[int] = set()
        self._unwritten: set[str] = set()
        """Alerts with a change that is in none of the records that were taken yet."""
        self._taken: set[str] = set()
        """Likewise in one that is not committed yet."""
        self._sent_at: dict[int, int] = {}
        self._sent: set[int] = set()

    def load(self, partition: int, records: Mapping[str, Notified], now: int, sent_at: int = 0) -> None:
        """Load the recorded alerts of a partition.

        :param sent_at: when (ms) any process last sent something of it again. What fires is sent again once that, and
            its own tick, are `resend_ms` ago: all of it together, so that a gap is never twice as long, however
            often partitions change hands.
        """
        sent_at = self._sent_at[partition] = max(sent_at, self._sent_at.get(partition, 0))
        for key, record in records.items():
            entry = self._entries[key] = Entry.of(partition, record, self.receivers)
            last = max(sent_at, entry.newest.tick if entry.newest else 0)
            due = min(max(now, last + self._resend_ms), now + self._resend_ms)
            for receiver in self.receivers:
                self._schedule(receiver, key, now if entry.waiting(receiver) else due)

    def leave(self, partitions: Collection[int]) -> None:
        """Stop new deliveries of these partitions, but resend their firing alerts until `forget_left`.

        Else it would end at the receivers while no process reads the partitions.
        """
        self._left.update(partitions)

    def forget_left(self) -> None:
        """Forget the partitions that were left, as their new owner is known."""
        for key in [key for key, entry in self._entries.items() if entry.partition in self._left]:
            self._forget(key)
        self._left.clear()

    def apply(self, partition: int, change: Triggered, *, is_history: bool = False) -> Verdict:
        """Take a change. Nothing is sent of it before `commit`.

        :param is_history: it was there before this system had any receiver: only what holds in the end counts.
        """
        key = key_of(change)
        entry = self._entries.get(key)
        if entry is not None and change.tick <= entry.last_tick:
            return Verdict.DUPLICATE if change.id == entry.last_id else Verdict.OLDER
        if entry is None:
            entry = self._entries[key] = Entry(partition, seen=dict.fromkeys(self.receivers, NOTHING))
        entry.add(change, self.receivers, is_history=is_history)
        self._dirty[key] = None
        self._unwritten.add(key)
        return Verdict.APPLIED

    def take_dirty(self) -> dict[str, Written]:
        """Return the entries to record, then to `commit`; those of left partitions belong to their new owner."""
        dirty = [(key, self._entries[key]) for key in self._dirty]
        self._dirty = {}
        self._taken |= self._unwritten
        self._unwritten = set()
        return {
            key: Written(entry.partition, entry.record())
            for key, entry in dirty
            if entry.partition not in self._left
        }

    def take_sent(self) -> dict[int, int]:
        """When (ms) something was sent again last, of each partition of which something was since this was called."""
        sent, self._sent = self._sent - self._left, set()
        return {partition: self._sent_at[partition] for partition in sent}

    def commit(self, keys: Iterable[str], now: int) -> None:
        """Note that entries were recorded, and schedule their deliveries."""
        for key in keys:
            self._taken.discard(key)
            entry = self._entries.get(key)
            if entry is None:
                continue
            if entry.last_tick == NOTHING:
                self._forget(key)
                continue
            for receiver in self.receivers:
                if receiver not in entry.in_flight and entry.waiting(receiver):
                    self._schedule(receiver, key, now)

    def take(self, receiver: str, now: int, most: int, most_text: int = MOST_TEXT) -> list[Delivery]:
        """Return the deliveries due for a receiver, each alert at most once.

        It is out of the queue until one of `accepted`, `failed` or `lapsed` is called for it.

        :param most: of deliveries. :param most_text: characters after which no more is taken.
        """
        found: list[Delivery] = []
        size = 0
        for key in self._outboxes[receiver].due(now):
            entry = self._entries[key]
            waiting = entry.waiting(receiver)
            if waiting and (key in self._unwritten or key in self._taken):
                # it is sent once it is written
                continue
            change = waiting[0] if waiting else entry.newest
            if entry.partition in self._left and (waiting or change is None or change.after != FIRING):
                continue
            if change is not None and (waiting or not entry.is_settled(now)):
                entry.in_flight[receiver] = change.tick
                found.append(Delivery(key, change, again=not waiting))
                size += text_of(change)
            if len(found) == most or size >= most_text:
                break
        return found

    def accepted(self, receiver: str, deliveries: Iterable[Delivery], now: int) -> None:
        """The receiver has got these, or never will."""
        for key, change, again in deliveries:
            if (entry := self._landed(receiver, key)) is None:
                continue
            if again:
                self._sent_at[entry.partition] = now
                self._sent.add(entry.partition)
            else:
                entry.accept(receiver, change.tick, self.receivers)
                entry.told_at[receiver] = now
                self._dirty[key] = None
            self._schedule(receiver, key, now + (0 if entry.waiting(receiver) else self._resend_ms))

    def failed(self, receiver: str, deliveries: Iterable[Delivery], now: int) -> None:
        """The receiver has not got these; they are due again."""
        for key, _, _ in deliveries:
            if self._landed(receiver, key) is not None:
                self._schedule(receiver, key, now)

    def lapsed(self, receiver: str, key: str, now: int) -> None:
        """Note that a firing alert was not resent because the board no longer has it; it is checked again."""
        if self._landed(receiver, key) is not None:
            self._schedule(receiver, key, now + self._resend_ms)

    def next_due(self, receiver: str) -> int | None:
        """When something is due for a receiver."""
        return self._outboxes[receiver].next_due()

    def prune(self, now: int) -> None:
        """Drop the contents of ended alerts, and later their entries."""
        for key, entry in self._entries.items():
            if entry.in_flight or any(entry.waiting(receiver) for receiver in self.receivers):
                continue
            if entry.changes and entry.is_settled(now):
                entry.changes = []
                self._dirty[key] = None
            if not entry.changes and NOTHING < entry.last_tick < now - self._memory_ms:
                entry.last_tick = NOTHING
                self._dirty[key] = None

    def count_waiting(self, receiver: str) -> int:
        """Count alerts with changes that a receiver has not accepted."""
        return sum(bool(entry.waiting(receiver)) for entry in self._entries.values())

    def count_firing(self) -> int:
        """Count firing alerts."""
        newest = (entry.newest for entry in self._entries.values())
        return sum(change is not None and change.after == FIRING for change in newest)

    def _landed(self, receiver: str, key: str) -> Entry | None:
        if (entry := self._entries.get(key)) is not None:
            entry.in_flight.pop(receiver, None)
        return entry

    def _schedule(self, receiver: str, key: str, at: int) -> None:
        entry, outbox = self._entries[key], self._outboxes[receiver]
        if waiting := entry.waiting(receiver):
            outbox.put(key, max(at, entry.told_at.get(receiver, at - GAP_MS) + GAP_MS))
            if waiting[-1].after == RESOLVED:
                self._bound(receiver, key)
            return
        self._ended[receiver].pop(key, None)
        if entry.is_settled(at):
            outbox.remove(key)
        else:
            outbox.put(key, at)

    def _bound(self, receiver: str, key: str) -> None:
        """Where too many that have ended wait, let go of the oldest: a receiver ends it by itself at its endsAt."""
        ended = self._ended[receiver]
        ended[key] = None
        while len(ended) > MOST_ENDED:
            oldest = next(iter(ended))
            del ended[oldest]
            entry = self._entries[oldest]
            if (newest := entry.newest) and newest.after == RESOLVED and not entry.in_flight:
                entry.accept(receiver, newest.tick, self.receivers)
                self._outboxes[receiver].remove(oldest)
                self._dirty[oldest] = None
                self.dropped[receiver] += 1

    def _forget(self, key: str) -> None:
        del self._entries[key]
        self._dirty.pop(key, None)
        self._unwritten.discard(key)
        self._taken.discard(key)
        for receiver in self.receivers:
            self._outboxes[receiver].remove(key)
            self._ended[receiver].pop(key, None)
