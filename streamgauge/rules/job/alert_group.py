"""One group of rules of the alert job, tick by tick, without Flink: see `MergeRules`."""

import logging
import time
from collections import deque
from collections.abc import Callable

from streamgauge.config import Alerts
from streamgauge.promql.data.query import Source
from streamgauge.rules.applied.rule_sets import RuleSet
from streamgauge.rules.job.group_messages import GroupMessages, Moment, Ticked
from streamgauge.rules.job.group_ticks import Parts
from streamgauge.rules.machine.evaluation import Point
from streamgauge.rules.machine.group_state import GroupState, Outcome, identities, origin_of
from streamgauge.rules.machine.intervals import interval_of
from streamgauge.rules.stream.compile.expressions import StreamGroup, Terms
from streamgauge.rules.stream.merging.merge import GroupMerge, MixedPartials
from streamgauge.rules.stream.parts.partials import InvalidPartial

log = logging.getLogger(__name__)

WRITTEN_MS = 60_000
"""So long what a group has written may be on its way to the shards; its own rules see it meanwhile."""


class AlertGroup:
    """A group from when a worker first meets it.

    :param key: of alerts.rules. :param state: what is in Flink's state.
    :param store: where ranges are read that go back further than shards do.
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
        self._terms = terms
        self._store = store
        self._compile = compile_group
        self._merge: GroupMerge | None = None
        self._rules: list[str] = []
        self._interval_ms = 0
        self._messages = GroupMessages(key, state, config, lanes, clock)
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
            merge.remember(ended.written, tick - 1)
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
        moment = self._moment(tick, parts, rules.version, group.query_offset_ms)
        self._messages.emit(moment, ticked)
        if not ticked.is_dropped:
            self._messages.show(moment, ticked, self._rules, merge.seconds, merge.samples)
        return ticked

    def end(self, tick: int, parts: Parts, rule_set: str) -> Ticked:
        """The group is gone from a tick (ms) on."""
        ticked = Ticked(self.state.adopt({}, tick), are_new=True)
        self._messages.emit(self._moment(tick, parts, rule_set), ticked)
        self._messages.withdraw(ticked)
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

    def _moment(self, tick: int, parts: Parts, rule_set: str, offset_ms: int = 0) -> Moment:
        return Moment(
            tick,
            rule_set,
            self._interval_ms,
            max(part.newest for part in parts.values()),
            offset_ms,
            max(part.gap_ms for part in parts.values()),
            sum(part.state_bytes for part in parts.values()),
        )


def _join(outcome: Outcome, ended: Outcome) -> None:
    """What ended comes before what began."""
    outcome.changes[:0] = ended.changes
    outcome.written[:0] = ended.written
    outcome.states |= ended.states
    outcome.given |= ended.given
