"""What a group of rules tells Kafka of a tick: changes of alerts, what readers show, and series."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from schemas import alert_messages
from schemas.alert_messages import ActiveAlert, GroupStatus, RuleHealth
from schemas.batches.batch_packing import Packed
from schemas.limits import MAX_MESSAGE_BYTES
from streamgauge.config import Alerts
from streamgauge.rules.machine.alert_output import About, active_alerts, health, key_of, triggered
from streamgauge.rules.machine.alert_parts import ToldAlerts
from streamgauge.rules.machine.group_state import GroupState, Outcome
from streamgauge.rules.machine.recorded_batches import batches

ROOM_BYTES = 4096
"""For a message's headers and framing."""

log = logging.getLogger(__name__)


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
    oversized: int = 0
    """Messages that no topic takes."""
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
    alerts: dict[int, ToldAlerts] = field(default_factory=dict)
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
                told = active_alerts(state.states[identity])
                self._shown.alerts[number] = ToldAlerts(key, number, told)

    def emit(self, moment: Moment, ticked: Ticked) -> None:
        """The changes, and the series that were written."""
        delay = int(self._clock() * 1000) - moment.newest
        about = About(self._key, moment.rule_set, moment.interval_ms, delay, self._config.external_url)
        for change in ticked.outcome.changes:
            _add(ticked, ticked.triggered, key_of(change), alert_messages.encode(triggered(change, about)))
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
            told = shown.alerts.get(number)
            if not found if told is None else told.is_as(found):
                continue
            since = now - shown.alerts_at.get(number, float("-inf"))
            if ticked.are_new or identity in changed or since * 1000 >= self._config.values_interval_ms:
                self._tell(number, found, ticked)
                shown.alerts_at[number] = now
        for number in [number for number in shown.alerts if number >= len(rules)]:
            self._tell(number, [], ticked)
        healths = health(outcome.errors, outcome.series, seconds, samples)
        words = [(one.health, one.last_error) for one in healths]
        is_due = (now - shown.status_at) * 1000 >= self._config.state_interval_ms
        if is_due or moment.gap_ms or words != shown.healths or moment.rule_set != shown.rule_set:
            _add(
                ticked,
                ticked.state,
                alert_messages.state_key(self._key),
                self._status(moment, healths, seconds),
            )
            shown.status_at, shown.healths, shown.rule_set = now, words, moment.rule_set

    def withdraw(self, ticked: Ticked) -> None:
        """Nothing of the group is shown any more."""
        for number in sorted(self._shown.alerts):
            self._tell(number, [], ticked)
        ticked.state.append(Message(alert_messages.state_key(self._key).encode(), None))

    def _status(self, moment: Moment, healths: list[RuleHealth], seconds: Sequence[float]) -> bytes:
        status = GroupStatus(
            moment.rule_set,
            moment.tick,
            round(sum(seconds), 6),
            moment.gap_ms,
            moment.state_bytes,
            healths,
            self._definition,
        )
        return alert_messages.encode(status)

    def _tell(self, number: int, found: list[ActiveAlert], ticked: Ticked) -> None:
        told = self._shown.alerts.setdefault(number, ToldAlerts(self._key, number))
        for key, value in told.tell(found):
            _add(ticked, ticked.state, key, value)
        if not found:
            del self._shown.alerts[number]


def _add(ticked: Ticked, messages: list[Message], key: str, value: bytes | None) -> None:
    """Add a message, unless no topic takes it: everything in it is bounded, but what an earlier version has left."""
    if value is not None and len(key) + len(value) > MAX_MESSAGE_BYTES - ROOM_BYTES:
        ticked.oversized += 1
        log.error("message left out: key=%s bytes=%d", key[:200], len(value))
        return
    messages.append(Message(key.encode(), value))
