"""Reads one partition of a Kafka topic to its current end."""

from collections.abc import Iterator

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from streamgauge.clients.kafka import client_settings
from streamgauge.config import Kafka

TIMEOUT_S = 30.0
_AWAY = (
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._TRANSPORT,
    KafkaError._RESOLVE,
    KafkaError._TIMED_OUT,
    KafkaError._UNKNOWN_PARTITION,
)
"""Errors of a client that reaches no broker; one that has never reached any knows no partition either."""


def passes(error: KafkaError) -> bool:
    """Whether an error says that there is no broker for now, or that the broker asks to try again."""
    return error.retriable() or error.code() in _AWAY


def reader(kafka: Kafka) -> Consumer:
    """Return a consumer of committed messages, to be closed by the caller."""
    return Consumer(
        {
            **client_settings(kafka),
            "group.id": "streamgauge-reader",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "allow.auto.create.topics": False,
            # who uses it tells what is wrong, once
            "log_level": 2,
        }
    )


def end_of(kafka: Kafka, topic: str, partition: int) -> int:
    """The offset after the last message that is committed.

    :raises confluent_kafka.KafkaException: without Kafka or the topic.
    """
    consumer = reader(kafka)
    try:
        _, end = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=TIMEOUT_S)
        return end
    finally:
        consumer.close()


def read_partition(kafka: Kafka, topic: str, partition: int, start: int = 0) -> Iterator[Message]:
    """All messages from an offset on that are committed now, in their order.

    :raises confluent_kafka.KafkaException: without Kafka or the topic. :raises TimeoutError: if it takes too long.
    """
    consumer = reader(kafka)
    try:
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=TIMEOUT_S)
        if max(low, start) >= high:
            return
        consumer.assign([TopicPartition(topic, partition, max(low, start))])
        while True:
            message = consumer.poll(TIMEOUT_S)
            if message is None:
                raise TimeoutError(
                    f"{topic}/{partition} has not been read to its end within {TIMEOUT_S:.0f} s"
                )
            error = message.error()
            if error is not None:
                # markers of transactions are never given, so the last offset may be none of a message
                if error.code() == KafkaError._PARTITION_EOF:
                    return
                raise KafkaException(error)
            if (message.offset() or 0) >= high:
                return
            yield message
    finally:
        consumer.close()


def headers_of(message: Message) -> dict[str, str]:
    """The headers of a message, as texts."""
    pairs = message.headers() or []
    return {name: text_of(value) for name, value in (pairs.items() if isinstance(pairs, dict) else pairs)}


def text_of(value: str | bytes | None) -> str:
    """A key or the value of a header as text."""
    return value.decode(errors="replace") if isinstance(value, bytes) else value or ""
