"""Alerts that are read from alerts.triggered, and what became of them in alerts.notified, in one transaction."""

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from schemas.limits import MAX_MESSAGE_BYTES
from schemas.notified_messages import (
    HEADERS,
    OFFSET_KEY,
    Assigned,
    Notified,
    Position,
    Written,
    decode,
    decode_position,
    encode,
    encode_position,
)
from schemas.rule_messages import InvalidMessage
from schemas.topics import NOTIFIED, TRIGGERED
from streamgauge.clients.kafka import client_settings
from streamgauge.config import Kafka
from streamgauge.topics.partition import TIMEOUT_S, end_of, passes, read_partition, text_of

GROUP = "streamgauge-notify"
SESSION_MS = 10_000
"""After which another process takes over from one that is silent; one of the same name does at once."""
TRANSACTION_MS = 60_000
TRANSACTION_BYTES = 16 * 1024 * 1024
"""After which another transaction begins: each has to end within TRANSACTION_MS."""
PAUSE_S = 1.0
TELL_S = 60.0
"""Between two lines that say that Kafka does not answer."""
MISSING_S = 60.0
"""After which a partition that is not known is taken to be missing: a client that reaches no broker knows none."""

log = logging.getLogger(__name__)
Outcome = TypeVar("Outcome")


class Journal:
    """Reads alerts.triggered with others of the same group, each partition in one process.

    Where a partition has been read to is a record beside what is known of its alerts, so whoever goes on, on whatever
    machine, goes on exactly there. Each partition has a transactional id, and who begins with it shuts out who had it.
    The group only divides the partitions: send_offsets_to_transaction, which would commit its offsets in the
    transaction, waits for ever if Kafka is restarted meanwhile (librdkafka#5456).

    :param name: of this process. :param assigned, revoked: are called inside `poll`, with partitions to begin and to
        end with. :param is_ending: whether the process is to end, and waits for Kafka no longer.
    :raises confluent_kafka.KafkaException: without Kafka.
    """

    def __init__(
        self,
        kafka: Kafka,
        name: str,
        assigned: Callable[[Sequence[Assigned]], None],
        revoked: Callable[[Sequence[int]], None],
        is_ending: Callable[[], bool],
    ) -> None:
        self._kafka = kafka
        self._is_ending = is_ending
        self._assigned, self._revoked = assigned, revoked
        self._positions: dict[int, int] = {}
        self._places: dict[int, Position] = {}
        self._producers: dict[int, Producer] = {}
        self._consumer = Consumer(
            {
                **client_settings(kafka),
                "group.id": GROUP,
                "group.instance.id": name,
                "session.timeout.ms": SESSION_MS,
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "isolation.level": "read_committed",
                "fetch.wait.max.ms": 100,
                "allow.auto.create.topics": False,
                "log_level": 2,
            }
        )
        self._consumer.subscribe([TRIGGERED], on_assign=self._assign, on_revoke=self._revoke)

    def poll(self, most: int, timeout_s: float) -> list[tuple[int, bytes]]:
        """Partitions and values of new messages, as many as are there.

        :raises confluent_kafka.KafkaException: if it cannot go on.
        """
        found = []
        first = self._consumer.poll(timeout_s)
        for message in [] if first is None else [first, *self._consumer.consume(most - 1, 0)]:
            error = message.error()
            if error is None:
                partition = message.partition() or 0
                self._positions[partition] = (message.offset() or 0) + 1
                found.append((partition, message.value() or b""))
            elif error.fatal():
                raise KafkaException(error)
            else:
                log.warning("kafka does not answer: error=%s", error)
        return found

    def commit(self, records: Mapping[str, Written], sent: Mapping[int, int]) -> None:
        """Write records, that all that was polled has been read, and when was sent last, as often as it takes.

        Where that is too much for one transaction, what was read is in the last: whoever goes on in between reads
        again what the records hold already, and a change that was applied is not applied again.

        :raises confluent_kafka.KafkaException: if another process has taken over.
        """
        values: dict[int, dict[str, bytes | None]] = defaultdict(dict)
        for key, (partition, record) in records.items():
            values[partition][key] = None if record is None else encode(record)
        for partition in self._places.keys() & {*self._positions, *sent}:
            offset, sent_at = self._places[partition]
            place = Position(self._positions.get(partition, offset), sent.get(partition, sent_at))
            values[partition][OFFSET_KEY] = encode_position(place)
            self._places[partition] = place
        for partition, own in values.items():
            for some in transactions(own):
                # of a partition that another process reads now it is its business
                while partition in self._producers and not self._committed(partition, some):
                    time.sleep(PAUSE_S)
        if self._positions:
            self._tell_the_group()
        self._positions = {}

    def close(self) -> None:
        """Stop reading; another process may go on."""
        self._consumer.close()

    def _committed(self, partition: int, values: Mapping[str, bytes | None]) -> bool:
        producer = self._producers[partition]
        try:
            producer.begin_transaction()
            for key, value in values.items():
                _produce(producer, partition, key, value)
            self._again(lambda: producer.commit_transaction(TIMEOUT_S))
        except KafkaException as error:
            if not error.args[0].txn_requires_abort():
                raise
            log.warning("transaction ended without effect: error=%s", error.args[0])
            self._again(lambda: producer.abort_transaction(TIMEOUT_S))
            return False
        return True

    def _tell_the_group(self) -> None:
        """Commit offsets where people and their tools look for them; nothing here reads them."""
        offsets = [TopicPartition(TRIGGERED, *position) for position in self._positions.items()]
        try:
            self._consumer.commit(offsets=offsets, asynchronous=True)
        except KafkaException as error:
            log.warning("offsets not shown to the group: error=%s", error.args[0])

    def _assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        found = []
        for place in partitions:
            own = place.partition
            producer = self._producers[own] = self._producer(own)
            self._again(lambda producer=producer: producer.init_transactions(TIMEOUT_S))  # type: ignore[misc]
            assigned, place.offset = self._again(lambda own=own: self._begun(own))  # type: ignore[misc]
            found.append(assigned)
        self._assigned(found)
        consumer.assign(partitions)
        log.info("reads: partitions=%s", sorted(place.partition for place in partitions))

    def _begun(self, partition: int) -> tuple[Assigned, int]:
        """What a partition begins with, and the offset to read it from."""
        records, place = self._known(partition)
        history: list[bytes] = []
        if place is None:
            place = Position(end_of(self._kafka, TRIGGERED, partition))
            self._positions[partition] = place.offset
            history = [
                message.value() or b"" for message in read_partition(self._kafka, TRIGGERED, partition)
            ]
        self._places[partition] = place
        return Assigned(partition, records, history, place.sent_at), place.offset

    def _producer(self, partition: int) -> Producer:
        return Producer(
            {
                **client_settings(self._kafka),
                "transactional.id": f"{GROUP}-{partition}",
                "transaction.timeout.ms": TRANSACTION_MS,
                "message.max.bytes": MAX_MESSAGE_BYTES,
                "compression.type": "zstd",
                "linger.ms": 0,
                "log_level": 2,
            }
        )

    def _again(self, call: Callable[[], Outcome]) -> Outcome:
        """Call until Kafka is there and does not ask to try again, or this process is to end."""
        told_at = began = time.monotonic()
        told_at -= TELL_S
        while True:
            try:
                return call()
            except (KafkaException, TimeoutError) as error:
                fault, now = error.args[0], time.monotonic()
                if self._is_ending() or (
                    isinstance(error, KafkaException) and not _may_pass(fault, now - began)
                ):
                    raise
                if now - told_at >= TELL_S:
                    log.warning("kafka is tried again: error=%s", fault)
                    told_at = now
                time.sleep(PAUSE_S)

    def _known(self, partition: int) -> tuple[dict[str, Notified], Position | None]:
        """What is known of the alerts of a partition, and how far it is read."""
        records: dict[str, Notified] = {}
        place = None
        for message in read_partition(self._kafka, NOTIFIED, partition):
            key, value = text_of(message.key()), message.value()
            try:
                if key == OFFSET_KEY:
                    place = None if value is None else decode_position(value)
                elif value is None:
                    records.pop(key, None)
                else:
                    records[key] = decode(value)
            except InvalidMessage as fault:
                _leave_out(message, fault)
        return records, place

    def _revoke(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        gone = [place.partition for place in partitions]
        for partition in gone:
            self._positions.pop(partition, None)
            self._places.pop(partition, None)
            self._producers.pop(partition, None)
        self._revoked(gone)


def transactions(values: Mapping[str, bytes | None]) -> Iterator[dict[str, bytes | None]]:
    """What goes into one transaction each, in its order."""
    part: dict[str, bytes | None] = {}
    size = 0
    for key, value in values.items():
        part[key] = value
        size += len(key) + len(value or b"")
        if size >= TRANSACTION_BYTES:
            yield part
            part, size = {}, 0
    if part:
        yield part


def _produce(producer: Producer, partition: int, key: str, value: bytes | None) -> None:
    headers: dict[str, str | bytes | None] = {**HEADERS}
    while True:
        try:
            producer.produce(NOTIFIED, value, key.encode(), partition=partition, headers=headers)
            return
        except BufferError:
            # the producer's queue is full: let it send
            producer.poll(0.1)


def _may_pass(fault: KafkaError, since_s: float) -> bool:
    """Whether an error that has been there for so long may end by itself."""
    if fault.txn_requires_abort() or (fault.code() == KafkaError._UNKNOWN_PARTITION and since_s > MISSING_S):
        return False
    return passes(fault)


def _leave_out(message: Message, fault: InvalidMessage) -> None:
    log.error(
        "record left out: topic=%s partition=%s offset=%s fault=%s",
        message.topic(),
        message.partition(),
        message.offset(),
        fault,
    )
