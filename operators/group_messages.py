"""What a group of rules tells Kafka of a tick: changes of alerts, what readers show, and series."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from schemas import alert_messages
from schemas.alert_messages import ActiveAlert, GroupStatus, RuleHealth
from schemas.batch_packing import Packed
from streamgauge.config import Alerts
from streamgauge.rules.alert_output import About, active_alerts, health, key_of, triggered
from streamgauge.rules.group_state import GroupState, Outcome
from streamgauge.rules.recorded_batches import batches


class Message(NamedTuple):
    """A message for Kafka; no payload is a tombstone."""

    key: bytes
    payload: bytes | None


@dataclass(slots=True)
class Ticked:
    """What a tick gave: messages of both topics, batches of series, and what changed in the group's state."""

    outcome: Outcome
    triggered: list[Message] = field(default_factory=list)
    state: list[Message] = field(default_factory=list)
    batches: list[Packed] = field(default_factory=list)
    are_new: bool = False
    """Whether the group has other rules than before."""
    is_dropped: bool = False
    """Whether the parts did not belong to the rules."""
    forgotten: list[int] = field(default_factory=list)
    """Ticks of which it is no longer remembered what was written."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A tick (ms), and the version of the rules that were evaluated. interval_ms: of the group.

    newest: the newest time (ms) at which anything was sent. offset_ms: how much earlier than the tick rules look.
    gap_ms: how long nothing was sent before. state_bytes: of all samples that are kept.
    """

    tick: int
    rule_set: str
    interval_ms: int
    newest: int
    offset_ms: int = 0
    gap_ms: int = 0
    state_bytes: int = 0


@dataclass(slots=True)
class _Shown:
    """What was said last in alerts.state, and when by the clock (s)."""

    status_at: float = float("-inf")
    rule_set: str = ""
    healths: list[tuple[str, str]] = field(default_factory=list)
    alerts: dict[int, list[ActiveAlert]] = field(default_factory=dict)
    alerts_at: dict[int, float] = field(default_factory=dict)


class GroupMessages:
    """Adds to what a tick gave the messages that tell of it.

    :param key: of the group. :param state: as it was when a worker first met the group; alerts.state has its alerts.
    :param clock: seconds of the epoch. :param definition: what readers know of the group from its status alone.
    """

    def __init__(
        self,
        key: str,
        state: GroupState,
        config: Alerts,
        lanes: int,
        clock: Callable[[], float] = time.time,
        definition: str = "",
    ) -> None:
        self._key = key
        self._state = state
        self._config = config
        self._lanes = lanes
        self._clock = clock
        self._definition = definition
        self._shown = _Shown()
        for number, identity in enumerate(state.origins):
            if identity in state.states:
                self._shown.alerts[number] = active_alerts(state.states[identity])

    def emit(self, moment: Moment, ticked: Ticked) -> None:
        """The changes, and the series that were written."""
        delay = int(self._clock() * 1000) - moment.newest
        about = About(self._key, moment.rule_set, moment.interval_ms, delay, self._config.external_url)
        ticked.triggered += [
            Message(key_of(change), alert_messages.encode(triggered(change, about)))
            for change in ticked.outcome.changes
        ]
        written = ticked.outcome.written
        if ticked.are_new:
            # a series of a rule that is gone may be one of a rule that takes its place, which comes after it
            written = list({frozenset(point.labels.items()): point for point in written}.values())
        ticked.batches += batches(written, moment.tick - moment.offset_ms, self._lanes)

    def show(
        self,
        moment: Moment,
        ticked: Ticked,
        rules: Sequence[str],
        seconds: Sequence[float],
        samples: Sequence[int],
    ) -> None:
        """What alerts.state is told: at once what changes, the rest now and then.

        :param rules: their identities. :param seconds: what the evaluation of each took. :param samples: that each
            looked at.
        """
        now, shown, outcome = self._clock(), self._shown, ticked.outcome
        changed = {change.identity for change in outcome.changes}
        for number, identity in enumerate(rules):
            state = self._state.states.get(identity)
            found = active_alerts(state) if state else []
            if shown.alerts.get(number, []) == found:
                continue
            since = now - shown.alerts_at.get(number, float("-inf"))
            if ticked.are_new or identity in changed or since * 1000 >= self._config.values_interval_ms:
                ticked.state.append(self._alerts(number, found))
                shown.alerts_at[number] = now
        for number in [number for number in shown.alerts if number >= len(rules)]:
            ticked.state.append(self._alerts(number, []))
        healths = health(outcome.errors, outcome.series, seconds, samples)
        words = [(one.health, one.last_error) for one in healths]
        is_due = (now - shown.status_at) * 1000 >= self._config.state_interval_ms
        if is_due or moment.gap_ms or words != shown.healths or moment.rule_set != shown.rule_set:
            ticked.state.append(self._status(moment, healths, seconds))
            shown.status_at, shown.healths, shown.rule_set = now, words, moment.rule_set

    def withdraw(self, ticked: Ticked) -> None:
        """Nothing of the group is shown any more."""
        ticked.state += [self._tombstone(number) for number in sorted(self._shown.alerts)]
        ticked.state.append(self._tombstone(None))

    def _status(self, moment: Moment, healths: list[RuleHealth], seconds: Sequence[float]) -> Message:
        status = GroupStatus(
            moment.rule_set,
            moment.tick,
            round(sum(seconds), 6),
            moment.gap_ms,
            moment.state_bytes,
            healths,
            self._definition,
        )
        return Message(alert_messages.state_key(self._key).encode(), alert_messages.encode(status))

    def _alerts(self, number: int, found: list[ActiveAlert]) -> Message:
        if not found:
            self._shown.alerts.pop(number, None)
            return self._tombstone(number)
        self._shown.alerts[number] = found
        return Message(alert_messages.state_key(self._key, number).encode(), alert_messages.encode(found))

    def _tombstone(self, number: int | None) -> Message:
        return Message(alert_messages.state_key(self._key, number).encode(), None)
