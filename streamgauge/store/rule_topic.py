"""The topic alerts.rules in Kafka."""

import time
from collections.abc import Sequence

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from schemas.rule_messages import RuleMessage
from schemas.topics import RULES
from streamgauge.config import Kafka

TIMEOUT_S = 30.0
POLL_S = 0.05
_TRANSACTION = "streamgauge-rules"


class RuleTopic:
    """Reads and writes the topic; what a writer has not finished is never read.

    Every method raises confluent_kafka.KafkaException without Kafka or the topic.
    """

    def __init__(self, kafka: Kafka, topic: str = RULES) -> None:
        self._bootstrap = kafka.bootstrap
        self._topic = topic

    def read(self) -> list[RuleMessage]:
        """All messages that are there now, in their order."""
        consumer = self._consumer()
        try:
            low, high = self._bounds(consumer)
            consumer.assign([TopicPartition(self._topic, 0, low)])
            return _up_to(consumer, high) if high > low else []
        finally:
            consumer.close()

    def publish(self, messages: Sequence[RuleMessage]) -> None:
        """Add all messages or none, in one transaction; another one that is under way is ended without effect.

        Returns when they can be read: Kafka answers a commit before it has written the transaction's end.

        :raises TimeoutError: if they cannot be read in time.
        """
        producer = Producer(
            {
                "bootstrap.servers": self._bootstrap,
                "transactional.id": _TRANSACTION,
                "compression.type": "zstd",
            }
        )
        offsets: list[int] = []

        def delivered(error: KafkaError | None, message: Message) -> None:
            if error is None:
                offsets.append(message.offset() or 0)

        producer.init_transactions(TIMEOUT_S)
        producer.begin_transaction()
        for message in messages:
            headers: dict[str, str | bytes | None] = {**message.headers}
            producer.produce(
                self._topic,
                message.value,
                message.key.encode(),
                partition=0,
                headers=headers,
                on_delivery=delivered,
            )
        producer.commit_transaction(TIMEOUT_S)
        self._await(max(offsets, default=-1))

    def _await(self, offset: int) -> None:
        consumer, deadline = self._consumer(), time.monotonic() + TIMEOUT_S
        try:
            while self._bounds(consumer)[1] <= offset:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"what was published cannot be read within {TIMEOUT_S:.0f} s")
                time.sleep(POLL_S)
        finally:
            consumer.close()

    def _bounds(self, consumer: Consumer) -> tuple[int, int]:
        """The first offset, and the end of what is committed."""
        low, high = consumer.get_watermark_offsets(TopicPartition(self._topic, 0), timeout=TIMEOUT_S)
        return low, high

    def _consumer(self) -> Consumer:
        return Consumer(
            {
                "bootstrap.servers": self._bootstrap,
                "group.id": "streamgauge-rules",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
                "allow.auto.create.topics": False,
            }
        )


def _up_to(consumer: Consumer, end: int) -> list[RuleMessage]:
    found: list[RuleMessage] = []
    while True:
        message = consumer.poll(TIMEOUT_S)
        if message is None:
            raise TimeoutError(f"the topic has not been read to its end within {TIMEOUT_S:.0f} s")
        error = message.error()
        if error is not None:
            # the end of what is committed; the offsets of markers of transactions are never given
            if error.code() == KafkaError._PARTITION_EOF:
                return found
            raise KafkaException(error)
        found.append(_read(message))
        if (message.offset() or 0) >= end - 1:
            return found


def _read(message: Message) -> RuleMessage:
    pairs = message.headers() or []
    headers = {name: _text(value) for name, value in (pairs.items() if isinstance(pairs, dict) else pairs)}
    return RuleMessage(_text(message.key()), message.value(), headers)


def _text(value: str | bytes | None) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value or ""
