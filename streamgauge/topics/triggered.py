"""Reads the topic alerts.triggered without keeping state."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence

from confluent_kafka import Consumer, TopicPartition

from schemas.alert_messages import Triggered, decode_triggered
from schemas.notified_messages import Assigned, Written
from schemas.rule_messages import InvalidMessage
from schemas.topics import ALERT_PARTITIONS, TRIGGERED
from streamgauge.config import Kafka
from streamgauge.topics.partition import end_of, read_partition, reader

POLL_S = 0.5

log = logging.getLogger(__name__)


class DryJournal:
    """Reads alerts.triggered from its beginning and writes nothing.

    :param assigned: is called at once, with all partitions and what they hold now as history.
    :raises confluent_kafka.KafkaException: without Kafka.
    """

    def __init__(self, kafka: Kafka, assigned: Callable[[Sequence[Assigned]], None]) -> None:
        self._consumer = reader(kafka)
        places = _ends(kafka)
        for place in places:
            held = read_partition(kafka, TRIGGERED, place.partition)
            assigned([Assigned(place.partition, {}, [message.value() or b"" for message in held])])
        self._consumer.assign(places)

    def poll(self, most: int, timeout_s: float) -> list[tuple[int, bytes]]:
        """Partitions and values of new messages."""
        messages = self._consumer.consume(most, timeout_s)
        return [(each.partition() or 0, each.value() or b"") for each in messages if each.error() is None]

    def commit(self, records: Mapping[str, Written], sent: Mapping[int, int]) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Stop reading."""
        self._consumer.close()


def changes(kafka: Kafka) -> Iterator[tuple[Triggered, str]]:
    """Every change from this call on, and its message as text.

    :raises confluent_kafka.KafkaException: without Kafka.
    """
    consumer = reader(kafka)
    consumer.assign(_ends(kafka))
    return _follow(consumer)


def _follow(consumer: Consumer) -> Iterator[tuple[Triggered, str]]:
    try:
        while True:
            message = consumer.poll(POLL_S)
            if message is None or message.error() is not None:
                continue
            value = message.value() or b""
            try:
                yield decode_triggered(value), value.decode()
            except InvalidMessage as fault:
                log.error("message skipped: partition=%s fault=%s", message.partition(), fault)
    finally:
        consumer.close()


def _ends(kafka: Kafka) -> list[TopicPartition]:
    return [
        TopicPartition(TRIGGERED, partition, end_of(kafka, TRIGGERED, partition))
        for partition in range(ALERT_PARTITIONS)
    ]
