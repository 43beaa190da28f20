"""Follows the topic alerts.rules, for running jobs."""

import time

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from schemas.rule_messages import RuleMessage
from schemas.topics import RULES
from streamgauge.config import Kafka
from streamgauge.topics.partition import TIMEOUT_S, passes, reader
from streamgauge.topics.rule_topic import rule_message


class RuleFollower:
    """Reads the topic to its end, and from then on, without waiting, whatever is added.

    Every method raises confluent_kafka.KafkaException for what does not pass by itself.
    """

    def __init__(self, kafka: Kafka, topic: str = RULES) -> None:
        self._place = TopicPartition(topic, 0)
        self._consumer = reader(kafka)
        self._is_at_end = False

    def read_to_end(self) -> list[RuleMessage]:
        """All messages that are there now, in their order; once, before `poll`.

        :raises TimeoutError: if that takes too long.
        """
        self._place.offset = self._consumer.get_watermark_offsets(self._place, timeout=TIMEOUT_S)[0]
        self._consumer.assign([self._place])
        found: list[RuleMessage] = []
        deadline = time.monotonic() + TIMEOUT_S
        while not self._is_at_end:
            found += self._take(0.1)
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self._place.topic} has not been read to its end in {TIMEOUT_S:.0f} s")
        return found

    def poll(self) -> list[RuleMessage]:
        """Return the messages that have arrived since; none while Kafka is unreachable."""
        return self._take(0)

    def close(self) -> None:
        """Leave Kafka."""
        self._consumer.close()

    def _take(self, wait_s: float) -> list[RuleMessage]:
        found: list[RuleMessage] = []
        while (message := self._consumer.poll(wait_s)) is not None:
            error = message.error()
            if error is None:
                found.append(rule_message(message))
            elif error.code() == KafkaError._PARTITION_EOF:
                self._is_at_end = True
                return found
            elif not passes(error):
                raise KafkaException(error)
        return found
