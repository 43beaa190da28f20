"""One group of rules of the alert job, tick by tick, without Flink: see `MergeRules`."""

import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from operators.group_ticks import Parts
from schemas import alert_messages
from schemas.alert_messages import ActiveAlert, GroupStatus, RuleHealth
from schemas.batch_packing import Packed
from streamgauge.config import Alerts
from streamgauge.promql.query import Source
from streamgauge.rules.alert_output import About, active_alerts, health, key_of, triggered
from streamgauge.rules.applied.rule_sets import RuleSet
from streamgauge.rules.applied.timeline import interval_of
from streamgauge.rules.evaluation import Point
from streamgauge.rules.group_state import GroupState, Outcome, identities, origin_of
from streamgauge.rules.recorded_batches import batches
from streamgauge.rules.stream.asks import StreamGroup, Terms
from streamgauge.rules.stream.merge import GroupMerge, MixedPartials
from streamgauge.rules.stream.partials import InvalidPartial

log = logging.getLogger(__name__)

WRITTEN_MS = 60_000
"""So long what a group has written may be on its way to the shards; its own rules see it meanwhile."""


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


@dataclass(slots=True)
class Shown:
    """What was said last in alerts.state, and when by the clock (s)."""

    status_at: float = float("-inf")
    rule_set: str = ""
    healths: list[tuple[str, str]] = field(default_factory=list)
    alerts: dict[int, list[ActiveAlert]] = field(default_factory=dict)
    alerts_at: dict[int, float] = field(default_factory=dict)


class AlertGroup:
    """A group from when a worker first meets it.

    :param key: of alerts.rules. :param state: what is in Flink's state. :param last_alerts: numbers of the rules of
        which alerts.state has active alerts. :param store: where ranges are read that go back further than shards do.
    :param compile: gives a group of a rule set. :param clock: seconds of the epoch.
    """

    def __init__(
        self,
        key: str,
        state: GroupState,
        config: Alerts,
        lanes: int,
        terms: Terms,
        store: Source,
        compile_group: Callable[[RuleSet, str], StreamGroup],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.key = key
        self.state = state
        self._config = config
        self._lanes = lanes
        self._terms = terms
        self._store = store
        self._compile = compile_group
        self._clock = clock
        self._merge: GroupMerge | None = None
        self._rules: list[str] = []
        self._interval_ms = 0
        self._shown = Shown()
        for number, identity in enumerate(state.origins):
            if identity in state.states:
                self._shown.alerts[number] = active_alerts(state.states[identity])
        self.written: deque[tuple[int, list[Point]]] = deque()

    @property
    def reads_own(self) -> bool:
        """Whether its rules look at what it has written at earlier ticks."""
        return self._merge is not None and any(ask.reads_own for ask in self._merge.group.asks)

    def tick(self, tick: int, parts: Parts, rules: RuleSet) -> Ticked:
        """Go on to a tick (ms) with the parts of all shards, evaluated by these rules."""
        ended = self._begin(tick, rules)
        merge = self._merge
        if merge is None:
            raise ValueError("a group that has not begun")
        outcome, group = Outcome(), merge.group.compiled
        if ended is not None:
            merge.remember(ended.written, tick)
        ticked = Ticked(outcome, are_new=ended is not None)
        try:
            merge.results(
                tick,
                [part.payload for part in parts.values()],
                lambda number, found: self.state.take(
                    self._rules[number], group.rules[number], tick, found, outcome
                ),
            )
        except (InvalidPartial, MixedPartials) as fault:
            # parts of another version of this program, which has waited for the others in the state
            log.warning("tick dropped: group=%s tick=%d cause=%s", self.key, tick, fault)
            ticked.is_dropped = True
        if ended is not None:
            _join(outcome, ended)
        if self.reads_own:
            self._remember(tick, ticked)
        self._emit(tick, parts, rules.version, ticked, group.query_offset_ms)
        if not ticked.is_dropped:
            self._show(tick, parts, rules.version, ticked, merge)
        return ticked

    def end(self, tick: int, parts: Parts, rule_set: str) -> Ticked:
        """The group is gone from a tick (ms) on."""
        ticked = Ticked(self.state.adopt({}, tick), are_new=True)
        self._emit(tick, parts, rule_set, ticked, 0)
        ticked.state += [self._tombstone(number) for number in sorted(self._shown.alerts)]
        ticked.state.append(self._tombstone(None))
        return ticked

    def _begin(self, tick: int, rules: RuleSet) -> Outcome | None:
        """Take up the rules of a set; what became of those that are gone, None if they are the same."""
        if self._merge is not None and self._merge.version == rules.version:
            return None
        group = self._compile(rules, self.key)
        found = group.compiled.group
        self._rules = identities(found, self.key)
        self._interval_ms = interval_of(found)
        self._merge = GroupMerge(group, rules.version, self._terms, self._store)
        for when, points in self.written:
            self._merge.remember(points, when)
        origins = {one: origin_of(rule) for one, rule in zip(self._rules, found.rules, strict=True)}
        if list(self.state.origins.items()) == list(origins.items()):
            return None
        return self.state.adopt(origins, tick)

    def _remember(self, tick: int, ticked: Ticked) -> None:
        self.written.append((tick, ticked.outcome.written))
        while self.written[0][0] < tick - WRITTEN_MS:
            ticked.forgotten.append(self.written.popleft()[0])

    def _emit(self, tick: int, parts: Parts, rule_set: str, ticked: Ticked, offset_ms: int) -> None:
        outcome = ticked.outcome
        newest = max(part.newest for part in parts.values())
        delay = int(self._clock() * 1000) - newest
        about = About(self.key, rule_set, self._interval_ms, delay, self._config.external_url)
        ticked.triggered += [
            Message(key_of(change), alert_messages.encode(triggered(change, about)))
            for change in outcome.changes
        ]
        ticked.batches += batches(outcome.written, tick - offset_ms, self._lanes)

    def _show(self, tick: int, parts: Parts, rule_set: str, ticked: Ticked, merge: GroupMerge) -> None:
        """What alerts.state is told: at once what changes, the rest now and then."""
        now, shown, outcome = self._clock(), self._shown, ticked.outcome
        changed = {change.identity for change in outcome.changes}
        for number, identity in enumerate(self._rules):
            state = self.state.states.get(identity)
            found = active_alerts(state) if state else []
            if shown.alerts.get(number, []) == found:
                continue
            since = now - shown.alerts_at.get(number, float("-inf"))
            if ticked.are_new or identity in changed or since * 1000 >= self._config.values_interval_ms:
                ticked.state.append(self._alerts(number, found))
                shown.alerts_at[number] = now
        for number in [number for number in shown.alerts if number >= len(self._rules)]:
            ticked.state.append(self._alerts(number, []))
        healths = health(outcome.errors, outcome.series, merge.seconds)
        words = [(one.health, one.last_error) for one in healths]
        is_due = (now - shown.status_at) * 1000 >= self._config.state_interval_ms
        gap = max(part.gap_ms for part in parts.values())
        if is_due or gap or words != shown.healths or rule_set != shown.rule_set:
            ticked.state.append(self._status(tick, parts, rule_set, healths, merge))
            shown.status_at, shown.healths, shown.rule_set = now, words, rule_set

    def _status(
        self, tick: int, parts: Parts, rule_set: str, healths: list[RuleHealth], merge: GroupMerge
    ) -> Message:
        status = GroupStatus(
            rule_set,
            tick,
            round(sum(merge.seconds), 6),
            max(part.gap_ms for part in parts.values()),
            sum(part.state_bytes for part in parts.values()),
            healths,
        )
        return Message(alert_messages.state_key(self.key).encode(), alert_messages.encode(status))

    def _alerts(self, number: int, found: list[ActiveAlert]) -> Message:
        if not found:
            self._shown.alerts.pop(number, None)
            return self._tombstone(number)
        self._shown.alerts[number] = found
        return Message(alert_messages.state_key(self.key, number).encode(), alert_messages.encode(found))

    def _tombstone(self, number: int | None) -> Message:
        return Message(alert_messages.state_key(self.key, number).encode(), None)


def _join(outcome: Outcome, ended: Outcome) -> None:
    """What ended comes before what began."""
    outcome.changes[:0] = ended.changes
    outcome.written[:0] = ended.written
    outcome.states |= ended.states
    outcome.given |= ended.given
