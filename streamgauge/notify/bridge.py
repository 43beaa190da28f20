"""From alerts.triggered to Alertmanagers: reads a change, records it, and only then sends it."""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple, Protocol

from schemas.alert_messages import Triggered, decode_triggered
from schemas.notified_messages import Assigned, Written
from schemas.rule_messages import InvalidMessage
from streamgauge.notify.entry import ERROR
from streamgauge.notify.ledger import Ledger, Verdict
from streamgauge.notify.metrics import Metrics
from streamgauge.notify.post import title
from streamgauge.notify.sender import Receiver, Sender

BATCH = 1000
POLL_S = 0.1
PRUNE_MS = 60_000
WRITE_MS = 1000
"""Interval of recording deliveries; changes are recorded at once."""
STOP_S = 15.0

log = logging.getLogger(__name__)


class Journal(Protocol):
    """Source of changes, and the record of what was done with them."""

    def poll(self, most: int, timeout_s: float) -> Sequence[tuple[int, bytes]]:
        """Partitions and values of new messages."""
        ...

    def commit(self, records: Mapping[str, Written], sent: Mapping[int, int]) -> None:
        """Write records, and that all that was polled has been read: both or nothing.

        :param sent: when (ms) something of a partition was sent again last, of some.
        """
        ...


class Terms(NamedTuple):
    """Settings for sending. resend_ms, memory_ms: as the ledger's. external_labels: added to every alert."""

    resend_ms: int
    memory_ms: int
    external_labels: Mapping[str, str]


class Bridge:
    """The bridge without Kafka.

    :param now: gives the time in ms. :param holds: what a change that is sent again has become, None if it has lapsed.
    """

    def __init__(
        self,
        receivers: Sequence[Receiver],
        terms: Terms,
        now: Callable[[], int],
        holds: Callable[[Triggered], Triggered | None],
    ) -> None:
        self.metrics = Metrics()
        self._ledger = Ledger([each.name for each in receivers], terms.resend_ms, terms.memory_ms)
        self._work = threading.Condition()
        self._now = now
        self._senders = [
            Sender(
                each,
                self._ledger,
                self._work,
                self.metrics,
                terms.resend_ms,
                terms.external_labels,
                now,
                holds,
            )
            for each in receivers
        ]
        self._ending = threading.Event()
        self._measure()

    def assigned(self, partitions: Sequence[Assigned]) -> None:
        """Begin with partitions, and end with those that were revoked and are not among them."""
        with self._work:
            self._ledger.forget_left()
            for partition, records, history, sent_at in partitions:
                self._ledger.load(partition, records, self._now(), sent_at)
                for value in history:
                    self._take(partition, value, is_history=True)
                if records or history:
                    log.info(
                        "partition started: partition=%d alerts=%d history=%d",
                        partition,
                        len(records),
                        len(history),
                    )
            self._work.notify_all()

    def revoked(self, partitions: Sequence[int]) -> None:
        """Stop reading partitions; their firing alerts are resent until their new owner is known."""
        with self._work:
            self._ledger.leave(partitions)

    def end(self) -> None:
        """Let `run` return."""
        self._ending.set()

    @property
    def is_ending(self) -> bool:
        """Whether `run` is to return."""
        return self._ending.is_set()

    def run(self, journal: Journal) -> None:
        """Read and send until `end`; records deliveries on the way out."""
        for sender in self._senders:
            sender.start()
        prune_at = write_at = 0
        while not self._ending.is_set():
            if self._read(journal) or self._now() >= write_at:
                self._write(journal)
                write_at = self._now() + WRITE_MS
            if self._now() >= prune_at:
                with self._work:
                    self._ledger.prune(self._now())
                prune_at = self._now() + PRUNE_MS
        for sender in self._senders:
            sender.stop(STOP_S)
        self._write(journal)

    def _measure(self) -> None:
        """Let gauges look at the ledger whenever they are read."""

        def counted(count: Callable[[], int]) -> Callable[[], float]:
            def locked() -> float:
                with self._work:
                    return count()

            return locked

        self.metrics.firing.set_function(counted(self._ledger.count_firing))
        for name in self._ledger.receivers:
            waiting, dropped = self.metrics.waiting.labels(name), self.metrics.dropped.labels(name)
            waiting.set_function(counted(partial(self._ledger.count_waiting, name)))
            dropped.set_function(counted(partial(self._ledger.dropped.__getitem__, name)))

    def _read(self, journal: Journal) -> bool:
        """Whether anything has come."""
        values = journal.poll(BATCH, POLL_S)
        with self._work:
            for partition, value in values:
                self._take(partition, value)
        return bool(values)

    def _write(self, journal: Journal) -> None:
        with self._work:
            records, sent = self._ledger.take_dirty(), self._ledger.take_sent()
        journal.commit(records, sent)
        if records:
            with self._work:
                self._ledger.commit(records, self._now())
                self._work.notify_all()

    def _take(self, partition: int, value: bytes, *, is_history: bool = False) -> None:
        try:
            change = decode_triggered(value)
            verdict = self._ledger.apply(partition, change, is_history=is_history)
        except InvalidMessage as fault:
            log.error("message skipped: partition=%d fault=%s value=%r", partition, fault, value[:200])
            self.metrics.changes.labels(Verdict.UNREADABLE.value).inc()
            return
        self.metrics.changes.labels(verdict.value).inc()
        if verdict is Verdict.APPLIED and change.after == ERROR and not is_history:
            log.warning("rule failed: group=%s rule=%s error=%s", change.group, change.rule, change.detail)
        elif verdict is Verdict.APPLIED and not is_history:
            log.info("alert: %s => %s: %s id=%s", change.before, change.after, title(change), change.id)
