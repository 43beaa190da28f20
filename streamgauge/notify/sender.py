"""Sends the ledger's deliveries for one Alertmanager, in a thread of its own."""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from schemas.alert_messages import Triggered
from streamgauge.notify.ledger import Delivery, Ledger
from streamgauge.notify.metrics import Metrics
from streamgauge.notify.post import post, title
from streamgauge.notify.receiver import SendFailed, Trouble

BATCH = 64
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 15.0
"""Pauses between retries; the longest is far below the time after which Alertmanager resolves alerts."""

log = logging.getLogger(__name__)


class Receiver(Protocol):
    """A receiver of alerts."""

    name: str

    def send(self, alerts: Sequence[dict[str, Any]]) -> None:
        """Take alerts in their order. Raises SendFailed if it has not taken all."""
        ...


class Sender:
    """Takes deliveries from the ledger, which others change too under the lock.

    :param work: is notified where something may be due; its lock guards the ledger.
    :param now: gives the time in ms. :param holds: what a change that is sent again has become, None if it has lapsed.
    """

    def __init__(
        self,
        receiver: Receiver,
        ledger: Ledger,
        work: threading.Condition,
        metrics: Metrics,
        resend_ms: int,
        external_labels: Mapping[str, str],
        now: Callable[[], int],
        holds: Callable[[Triggered], Triggered | None],
    ) -> None:
        self._receiver = receiver
        self._ledger, self._work, self._metrics = ledger, work, metrics
        self._resend_ms, self._external_labels = resend_ms, external_labels
        self._now, self._holds = now, holds
        self._pause_s = FIRST_PAUSE_S
        self._lapsed: set[str] = set()
        self._refused: set[str] = set()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"send {receiver.name}", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """Stop after the post in progress, if it finishes in time."""
        self._ending.set()
        with self._work:
            self._work.notify_all()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while not self._ending.is_set():
            deliveries = self._take()
            if deliveries and not self._send(deliveries):
                self._ending.wait(self._pause_s)
                self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)

    def _take(self) -> list[Delivery]:
        name = self._receiver.name
        with self._work:
            due = self._ledger.next_due(name)
            now = self._now()
            if due is None or due > now:
                self._work.wait(1.0 if due is None else min((due - now) / 1000, 1.0))
                now = self._now()
            taken = [] if self._ending.is_set() else self._ledger.take(name, now, BATCH)
            return [held for each in taken if (held := self._still(each))]

    def _still(self, delivery: Delivery) -> Delivery | None:
        """A delivery that is made again, as it is now."""
        if not delivery.again:
            return delivery
        is_refused = delivery.key in self._refused
        held = None if is_refused else self._holds(delivery.change)
        if held is None:
            if not is_refused and delivery.key not in self._lapsed:
                log.warning("lapses: alertmanager=%s alert=%s", self._receiver.name, title(delivery.change))
            self._lapsed.add(delivery.key)
            self._ledger.lapsed(self._receiver.name, delivery.key, self._now())
            return None
        self._lapsed.discard(delivery.key)
        return delivery._replace(change=held)

    def _send(self, deliveries: Sequence[Delivery]) -> bool:
        """Whether the receiver answers."""
        began = time.monotonic()
        try:
            self._receiver.send(self._posts(deliveries))
        except SendFailed as failure:
            return self._failed(deliveries, failure)
        self._pause_s = FIRST_PAUSE_S
        self._metrics.send_seconds.labels(self._receiver.name).observe(time.monotonic() - began)
        self._sent(deliveries)
        return True

    def _posts(self, deliveries: Sequence[Delivery]) -> list[dict[str, Any]]:
        now = self._now()
        return [post(each.change, now, self._resend_ms, self._external_labels) for each in deliveries]

    def _failed(self, deliveries: Sequence[Delivery], failure: SendFailed) -> bool:
        name = self._receiver.name
        self._metrics.failures.labels(name, failure.reason.value).inc()
        if failure.reason is not Trouble.REFUSED:
            log.warning(
                "not sent: alertmanager=%s alerts=%d next_try_s=%.1f cause=%s",
                name,
                len(deliveries),
                self._pause_s,
                failure,
            )
            with self._work:
                self._ledger.failed(name, deliveries, self._now())
            return False
        if len(deliveries) > 1:
            # one bad alert must not keep the others back
            answers = [self._send([each]) for each in deliveries]
            return all(answers)
        [refused] = deliveries
        self._refused.add(refused.key)
        self._metrics.refused.labels(name).inc()
        log.error("refused: alertmanager=%s alert=%s cause=%s", name, title(refused.change), failure)
        with self._work:
            self._ledger.accepted(name, deliveries, self._now())
        return True

    def _sent(self, deliveries: Sequence[Delivery]) -> None:
        name, now = self._receiver.name, self._now()
        for key, change, again in deliveries:
            self._refused.discard(key)
            self._metrics.sent.labels(name, "again" if again else change.after).inc()
            if not again:
                self._metrics.delay_seconds.labels(name).observe(max(0, now - change.tick) / 1000)
                log.info(
                    "sent: alertmanager=%s state=%s alert=%s id=%s",
                    name,
                    change.after,
                    title(change),
                    change.id,
                )
        with self._work:
            self._ledger.accepted(name, deliveries, now)
