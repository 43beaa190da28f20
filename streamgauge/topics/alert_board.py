"""Follows rules and alerts in Kafka, in a thread of its own."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from schemas.alert_messages import Triggered
from schemas.rule_messages import InvalidMessage
from schemas.topics import ALERT_STATE, RULES
from streamgauge.config import Kafka
from streamgauge.rules.applied.board import Board
from streamgauge.times import now_ms
from streamgauge.topics.partition import reader, text_of
from streamgauge.topics.rule_topic import rule_message

POLL_S = 0.5
BATCH = 500
PROBE_S = 5.0
"""Interval of checks that Kafka is reachable while no messages arrive."""
_TOPICS = RULES, ALERT_STATE

log = logging.getLogger(__name__)
Seen = TypeVar("Seen")


class AlertBoard:
    """Follows alerts.rules and alerts.state from their beginning. Reading it waits for Kafka once, the first time."""

    def __init__(self, kafka: Kafka) -> None:
        self.faults = 0
        self._kafka = kafka
        self._board = Board()
        self._guard = threading.Lock()
        self._complete = threading.Event()
        self._trouble = ""
        self._ending = threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    @property
    def trouble(self) -> str:
        """Reason for which the board may be out of date, else empty."""
        return self._trouble

    def start(self) -> None:
        """Begin to follow, if it has not begun."""
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="alert board", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """End."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join()

    def wait(self, timeout_s: float) -> bool:
        """Whether all that was there at first has been read; waits for that."""
        self.start()
        return self._complete.wait(timeout_s)

    def holds(self, change: Triggered) -> Triggered | None:
        """Return a change to firing with its current state, None if the alert no longer fires.

        What is not known, or was learnt before Kafka went away, says nothing.
        """
        if change.after != "firing" or self._trouble or not self._complete.is_set():
            return change
        now = now_ms()
        found = self.see(lambda board: board.held(change.group, change.rule, change.labels, change.tick, now))
        if not found.is_held:
            return None
        if found.alert is None or found.alert.state != change.after:
            return change
        return replace(change, annotations=found.alert.annotations, value=found.alert.value)

    def see(self, look: Callable[[Board], Seen]) -> Seen:
        """Run a function on the board, which does not change meanwhile."""
        with self._guard:
            return look(self._board)

    def _run(self) -> None:
        while not self._ending.is_set():
            try:
                consumer = reader(self._kafka)
                try:
                    # partition 0 is all there is
                    consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING) for topic in _TOPICS])
                    self._follow(consumer)
                finally:
                    consumer.close()
            except KafkaException as error:
                self._troubled(str(error.args[0].str()))
                self._ending.wait(PROBE_S)
            except ValueError as error:
                # a password file that cannot be read while it is replaced
                self._troubled(str(error))
                self._ending.wait(PROBE_S)

    def _follow(self, consumer: Consumer) -> None:
        # one of its own, shown when all is read: the topics' past is not to be seen again after a fault
        board, unread = Board(), set(_TOPICS)
        probe_at = time.monotonic() + PROBE_S
        while not self._ending.is_set():
            for message in consumer.consume(BATCH, POLL_S):
                if _is_end(message):
                    unread.discard(message.topic() or "")
                else:
                    self._take(message, board)
            if not unread and self._board is not board:
                self._show(board)
            if time.monotonic() > probe_at:
                consumer.get_watermark_offsets(TopicPartition(RULES, 0), timeout=PROBE_S)
                probe_at = time.monotonic() + PROBE_S

    def _show(self, board: Board) -> None:
        with self._guard:
            self._board = board
        self._trouble = ""
        self._complete.set()

    def _take(self, message: Message, board: Board) -> None:
        topic, key = message.topic(), text_of(message.key())
        try:
            with self._guard:
                if topic == RULES:
                    board.take_rules(rule_message(message))
                else:
                    board.take_state(key, message.value())
        except InvalidMessage as fault:
            self.faults += 1
            log.error(
                "message skipped: topic=%s key=%s offset=%s fault=%s", topic, key, message.offset(), fault
            )

    def _troubled(self, trouble: str) -> None:
        if not self._trouble:
            log.warning("kafka does not answer: error=%s", trouble)
        self._trouble = trouble


def _is_end(message: Message) -> bool:
    """Whether all that a topic had has been read.

    :raises KafkaException: if Kafka tells of another error.
    """
    error = message.error()
    if error is None:
        return False
    if error.code() != KafkaError._PARTITION_EOF:
        raise KafkaException(error)
    return True
