"""The topic alerts.rules in Kafka."""

import time
from collections.abc import Sequence

from confluent_kafka import KafkaError, Message, Producer, TopicPartition

from schemas.limits import MAX_MESSAGE_BYTES
from schemas.rule_messages import RuleMessage
from schemas.topics import RULES
from streamgauge.clients.kafka import client_settings
from streamgauge.config import Kafka
from streamgauge.topics.partition import TIMEOUT_S, headers_of, read_partition, reader, text_of

POLL_S = 0.05
_TRANSACTION = "streamgauge-rules"


class RuleTopic:
    """Reads and writes the topic; what a writer has not finished is never read.

    Every method raises confluent_kafka.KafkaException without Kafka or the topic.
    """

    def __init__(self, kafka: Kafka, topic: str = RULES) -> None:
        self._kafka = kafka
        self._topic = topic

    def read(self) -> list[RuleMessage]:
        """All messages that are there now, in their order."""
        return [rule_message(message) for message in read_partition(self._kafka, self._topic, 0)]

    def publish(self, messages: Sequence[RuleMessage]) -> None:
        """Add all messages or none, in one transaction; another one that is under way is ended without effect.

        Returns when they can be read: Kafka answers a commit before it has written the transaction's end.

        :raises TimeoutError: if they cannot be read in time.
        """
        producer = Producer(
            {
                **client_settings(self._kafka),
                "transactional.id": _TRANSACTION,
                "message.max.bytes": MAX_MESSAGE_BYTES,
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
        consumer, deadline = reader(self._kafka), time.monotonic() + TIMEOUT_S
        own = TopicPartition(self._topic, 0)
        try:
            while consumer.get_watermark_offsets(own, timeout=TIMEOUT_S)[1] <= offset:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"what was published cannot be read within {TIMEOUT_S:.0f} s")
                time.sleep(POLL_S)
        finally:
            consumer.close()


def rule_message(message: Message) -> RuleMessage:
    """A message of the topic as Kafka gives it."""
    return RuleMessage(text_of(message.key()), message.value(), headers_of(message))
