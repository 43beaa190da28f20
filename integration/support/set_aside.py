"""What was set aside, and whether jobs went on."""

from confluent_kafka import Consumer, TopicPartition

from integration.support.stored import wait_for
from schemas.topics import REJECTED
from streamgauge.config import Config
from streamgauge.local.stack import Stack


def restarts(stack: Stack) -> dict[str, int]:
    """How often each job that runs was restarted."""
    return {name: job["restarts"] for name, job in stack.state()["jobs"].items() if job["state"] == "RUNNING"}


class RejectedMessages:
    """Reads `metrics.rejected` from where it ends now."""

    def __init__(self, config: Config) -> None:
        self._consumer = Consumer({"bootstrap.servers": config.kafka.bootstrap, "group.id": "rejected-test"})
        _, end = self._consumer.get_watermark_offsets(TopicPartition(REJECTED, 0))
        self._consumer.assign([TopicPartition(REJECTED, 0, end)])

    def read(self, count: int) -> list[tuple[bytes | None, dict[str, str]]]:
        """The values and headers of this many messages."""
        found: list[tuple[bytes | None, dict[str, str]]] = []
        wait_for(lambda: self._poll(found) >= count, 60, lambda: f"{found!s:.2000} of {count}")
        self._consumer.close()
        return found

    def _poll(self, found: list[tuple[bytes | None, dict[str, str]]]) -> int:
        message = self._consumer.poll(0.5)
        if message is not None and message.error() is None:
            headers = {name: text.decode() for name, text in dict(message.headers() or {}).items()}
            found.append((message.value(), headers))
        return len(found)
