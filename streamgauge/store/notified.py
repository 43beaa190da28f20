"""Alerts that are read from alerts.triggered, and what became of them in alerts.notified, in one transaction."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from schemas.alert_messages import Triggered, decode_triggered
from schemas.notified_messages import HEADERS, Notified, decode, encode
from schemas.rule_messages import InvalidMessage
from schemas.topics import ALERT_PARTITIONS, NOTIFIED, TRIGGERED
from streamgauge.config import Kafka
from streamgauge.notify.bridge import Assigned
from streamgauge.notify.ledger import Written
from streamgauge.store.partition import TIMEOUT_S, read_partition, reader, text_of

GROUP = "streamgauge-notify"
SESSION_MS = 10_000
"""After which another process takes over from one that is silent; one of the same name does at once."""
TRANSACTION_MS = 15_000
PAUSE_S = 1.0
POLL_S = 0.5
TAKEN_OVER = (
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.UNKNOWN_MEMBER_ID,
    KafkaError.FENCED_INSTANCE_ID,
)
"""Another process reads the partitions now."""

log = logging.getLogger(__name__)
Outcome = TypeVar("Outcome")


class Journal:
    """Reads alerts.triggered with others of the same group, each partition in one process.

    Where it has read to and what it knows are committed together, so whoever goes on, on whatever machine, goes on
    exactly there.

    :param name: of this process; of two with the same name only the newer one can commit.
    :param assigned, revoked: are called inside `poll`, with partitions to begin and to end with.
    :raises confluent_kafka.KafkaException: without Kafka.
    """

    def __init__(
        self,
        kafka: Kafka,
        name: str,
        assigned: Callable[[Sequence[Assigned]], None],
        revoked: Callable[[Sequence[int]], None],
    ) -> None:
        self._kafka = kafka
        self._assigned, self._revoked = assigned, revoked
        self._positions: dict[int, int] = {}
        self._producer = Producer(
            {
                "bootstrap.servers": kafka.bootstrap,
                "transactional.id": f"{GROUP}-{name}",
                "transaction.timeout.ms": TRANSACTION_MS,
                "compression.type": "zstd",
                "linger.ms": 0,
            }
        )
        _again(lambda: self._producer.init_transactions(TIMEOUT_S))
        self._consumer = Consumer(
            {
                "bootstrap.servers": kafka.bootstrap,
                "group.id": GROUP,
                "group.instance.id": name,
                "session.timeout.ms": SESSION_MS,
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "isolation.level": "read_committed",
                "fetch.wait.max.ms": 100,
                "allow.auto.create.topics": False,
            }
        )
        self._consumer.subscribe([TRIGGERED], on_assign=self._assign, on_revoke=self._revoke)

    def poll(self, most: int, timeout_s: float) -> list[tuple[int, bytes]]:
        """Partitions and values of new messages, as many as are there.

        :raises confluent_kafka.KafkaException: if it cannot go on.
        """
        found = []
        first = self._consumer.poll(timeout_s)
        more = [] if first is None else [first, *self._consumer.consume(most - 1, 0)]
        for message in more:
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

    def commit(self, records: Mapping[str, Written]) -> None:
        """Write records, and that all that was polled has been read: both or nothing, as often as it takes.

        :raises confluent_kafka.KafkaException: if another process has taken over.
        """
        offsets = [TopicPartition(TRIGGERED, *position) for position in self._positions.items()]
        if not records and not offsets:
            return
        while not self._committed(records, offsets):
            time.sleep(PAUSE_S)
        self._positions = {}

    def close(self) -> None:
        """Stop reading; another process may go on at once."""
        self._consumer.close()

    def _committed(self, records: Mapping[str, Written], offsets: list[TopicPartition]) -> bool:
        try:
            self._producer.begin_transaction()
            for key, (partition, record) in records.items():
                value = None if record is None else encode(record)
                self._produce(key, value, partition)
            if offsets:
                group = self._consumer.consumer_group_metadata()
                _again(lambda: self._producer.send_offsets_to_transaction(offsets, group, TIMEOUT_S))
            _again(lambda: self._producer.commit_transaction(TIMEOUT_S))
        except KafkaException as error:
            if not error.args[0].txn_requires_abort() or error.args[0].code() in TAKEN_OVER:
                raise
            log.warning("transaction ended without effect: error=%s", error.args[0])
            _again(lambda: self._producer.abort_transaction(TIMEOUT_S))
            return False
        return True

    def _produce(self, key: str, value: bytes | None, partition: int) -> None:
        headers: dict[str, str | bytes | None] = {**HEADERS}
        while True:
            try:
                self._producer.produce(NOTIFIED, value, key.encode(), partition=partition, headers=headers)
                return
            except BufferError:
                # the producer's queue is full: let it send
                self._producer.poll(0.1)

    def _assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        committed = _again(lambda: consumer.committed(partitions, TIMEOUT_S))
        found = []
        for place in committed:
            own = place.partition
            history: list[bytes] = []
            if place.offset < 0:
                _, place.offset = consumer.get_watermark_offsets(
                    TopicPartition(TRIGGERED, own), timeout=TIMEOUT_S
                )
                self._positions[own] = place.offset
                history = [message.value() or b"" for message in read_partition(self._kafka, TRIGGERED, own)]
            found.append(Assigned(own, self._records(own), history))
        self._assigned(found)
        consumer.assign(committed)
        log.info("reads: partitions=%s", sorted(place.partition for place in committed))

    def _records(self, partition: int) -> dict[str, Notified]:
        records: dict[str, Notified] = {}
        for message in read_partition(self._kafka, NOTIFIED, partition):
            key, value = text_of(message.key()), message.value()
            if value is None:
                records.pop(key, None)
                continue
            try:
                records[key] = decode(value)
            except InvalidMessage as fault:
                log.error(
                    "record left out: topic=%s partition=%d offset=%s fault=%s",
                    NOTIFIED,
                    partition,
                    message.offset(),
                    fault,
                )
        return records

    def _revoke(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        gone = [place.partition for place in partitions]
        for partition in gone:
            self._positions.pop(partition, None)
        self._revoked(gone)


def _again(call: Callable[[], Outcome]) -> Outcome:
    """Call until Kafka does not ask to try again."""
    is_told = False
    while True:
        try:
            return call()
        except KafkaException as error:
            if not error.args[0].retriable():
                raise
            if not is_told:
                log.warning("kafka is tried again: error=%s", error.args[0])
            is_told = True
            time.sleep(PAUSE_S)


class DryJournal:
    """Reads alerts.triggered from its beginning and writes nothing.

    :param assigned: is called at once, with all partitions and what they hold now as history.
    :raises confluent_kafka.KafkaException: without Kafka.
    """

    def __init__(self, kafka: Kafka, assigned: Callable[[Sequence[Assigned]], None]) -> None:
        self._consumer = reader(kafka)
        places = []
        for partition in range(ALERT_PARTITIONS):
            place = TopicPartition(TRIGGERED, partition)
            _, place.offset = self._consumer.get_watermark_offsets(place, timeout=TIMEOUT_S)
            places.append(place)
            history = [message.value() or b"" for message in read_partition(kafka, TRIGGERED, partition)]
            assigned([Assigned(partition, {}, history)])
        self._consumer.assign(places)

    def poll(self, most: int, timeout_s: float) -> list[tuple[int, bytes]]:
        """Partitions and values of new messages."""
        messages = self._consumer.consume(most, timeout_s)
        return [(each.partition() or 0, each.value() or b"") for each in messages if each.error() is None]

    def commit(self, records: Mapping[str, Written]) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Stop reading."""
        self._consumer.close()


def changes(kafka: Kafka) -> Iterator[tuple[Triggered, str]]:
    """Every change from now on, and its message as text.

    :raises confluent_kafka.KafkaException: without Kafka.
    """
    consumer = reader(kafka)
    try:
        places = [TopicPartition(TRIGGERED, partition) for partition in range(ALERT_PARTITIONS)]
        for place in places:
            _, place.offset = consumer.get_watermark_offsets(place, timeout=TIMEOUT_S)
        consumer.assign(places)
        while True:
            message = consumer.poll(POLL_S)
            if message is None or message.error() is not None:
                continue
            value = message.value() or b""
            try:
                yield decode_triggered(value), value.decode()
            except InvalidMessage as fault:
                log.error("message left out: partition=%s fault=%s", message.partition(), fault)
    finally:
        consumer.close()
