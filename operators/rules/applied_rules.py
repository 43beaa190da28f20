"""The applied rules for an operator of the alert job: reads the topic to its end, then follows it."""

import time

from streamgauge.config import Config
from streamgauge.rules.applied.rule_sets import RuleSet
from streamgauge.rules.applied.timeline import Timeline
from streamgauge.rules.machine.compiled import EvaluationContext
from streamgauge.rules.stream.compile.expressions import Terms
from streamgauge.topics.rule_follower import RuleFollower

POLL_S = 0.1
WAIT_S = 30.0


class AppliedRules:
    """The rule sets of alerts.rules; nothing can be evaluated before the topic was read to its end.

    :raises confluent_kafka.KafkaException: without Kafka or the topic.
    """

    def __init__(self, config: Config) -> None:
        self._follower = RuleFollower(config.kafka)
        self.timeline = Timeline()
        self.timeline.take(self._follower.read_to_end())
        self._polled = time.monotonic()

    def refresh(self) -> bool:
        """Read new messages, at most once in a while; returns whether the rule set has changed."""
        now = time.monotonic()
        if now - self._polled < POLL_S:
            return False
        self._polled = now
        return self.timeline.take(self._follower.poll())

    def of_version(self, version: str) -> RuleSet:
        """A set by its version, which another worker has read already.

        :raises TimeoutError: if it does not come.
        """
        deadline = time.monotonic() + WAIT_S
        while (found := self.timeline.of_version(version)) is None:
            if time.monotonic() > deadline:
                raise TimeoutError(f"rule set {version} has not arrived")
            time.sleep(POLL_S / 10)
            self.timeline.take(self._follower.poll())
        return found

    def close(self) -> None:
        """Leave Kafka."""
        self._follower.close()


def terms(config: Config) -> Terms:
    """How expressions are asked."""
    alerts = config.alerts
    context = EvaluationContext(
        alerts.external_labels, alerts.external_url, lookback_ms=config.gateway.lookback_s * 1000
    )
    return Terms(context, alerts.metadata_labels, max_gathered=alerts.max_gathered)
