"""The state of a group between ticks: the alerts of its rules, and the series they last recorded. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import xxhash

from schemas.rule_files import Group, Rule
from streamgauge.rules.machine.alerts import (
    Alert,
    AlertState,
    Failure,
    Labels,
    Result,
    RuleState,
    Transition,
    step,
)
from streamgauge.rules.machine.compiled import Outside
from streamgauge.rules.machine.evaluation import Point, alert_series
from streamgauge.rules.machine.within_limits import within_limits
from streamgauge.series.samples import STALE

Found = Result | list[Point] | Failure
"""What a rule gave at a tick: what the state machine of its alerts needs to know, series to record, or an error."""


class Origin(NamedTuple):
    """A rule as what came of it names it, even after it is gone. queries: in PromQL, those to which its links lead."""

    name: str
    queries: tuple[str, ...]


class Change(NamedTuple):
    """A transition, and the rule of which it is: its identity and origin."""

    identity: str
    origin: Origin
    transition: Transition

    @property
    def id(self) -> str:
        """The same whenever it is computed; another one for every rule, even one with equal labels."""
        return f"{self.transition.id}-{xxhash.xxh32_hexdigest(self.identity.encode())}"


@dataclass(slots=True)
class Outcome:
    """What came of a tick. states, given: identities of rules whose state is another now.

    written: the samples that rules give, stale markers of series that they give no more among them.
    errors, series: of each rule, why it failed, and how many series it gave.
    """

    changes: list[Change] = field(default_factory=list)
    written: list[Point] = field(default_factory=list)
    states: set[str] = field(default_factory=set)
    given: set[str] = field(default_factory=set)
    errors: list[str] = field(default_factory=list)
    series: list[int] = field(default_factory=list)
    left_out: int = 0
    """Series of rules whose labels are above the limits."""


def identities(group: Group, key: str) -> list[str]:
    """What stands for each rule of a group: a rule keeps its alerts as long as its own stays the same.

    It is made of the group's key, the rule's name, expression and labels, and its number among those with the same.
    """
    seen: dict[str, int] = {}
    found = []
    for rule in group.rules:
        labels = sorted({**group.labels, **rule.labels}.items())
        parts = [key, rule.kind.value, rule.name, rule.expr, *(text for pair in labels for text in pair)]
        text = "\xff".join(parts)
        seen[text] = seen.get(text, 0) + 1
        found.append(xxhash.xxh3_128_hexdigest(f"{text}\xff{seen[text]}".encode()))
    return found


@dataclass(slots=True)
class GroupState:
    """The alerts of each rule, by its identity, the series that recording rules gave last, and whose they are."""

    states: dict[str, RuleState] = field(default_factory=dict)
    given: dict[str, frozenset[Labels]] = field(default_factory=dict)
    origins: dict[str, Origin] = field(default_factory=dict)

    def adopt(self, rules: Mapping[str, Origin], tick: int) -> Outcome:
        """Go on with these rules from a tick (ms) on.

        Alerts of those that are gone end right before it, as do their series: a rule that takes the place of one may
        raise the same alert at the tick.
        """
        outcome = Outcome()
        for identity in self.origins.keys() - rules.keys():
            self._end(identity, tick - 1, outcome)
        self.origins = dict(rules)
        return outcome

    def take(self, identity: str, rule: Outside, tick: int, found: Found, outcome: Outcome) -> list[Point]:
        """Take what the next rule of the group gave at a tick (ms) into the outcome; the series that it writes.

        Series whose labels are above the limits are left out, and are an error of the rule that ends nothing else.
        """
        found, left_out, fault = within_limits(found)
        outcome.left_out += left_out
        if isinstance(found, list):
            points = self._recorded(identity, found, outcome)
        elif rule.is_alert:
            points = self._alerts(identity, rule, tick, found, outcome)
        else:
            points = []
        failed = self.states[identity].error if identity in self.states else ""
        outcome.errors.append(found.detail if isinstance(found, Failure) else failed or fault)
        outcome.series.append(_count(found))
        outcome.written += points
        return points

    def _alerts(
        self, identity: str, rule: Outside, tick: int, result: Result | Failure, outcome: Outcome
    ) -> list[Point]:
        before = self.states.get(identity, RuleState())
        after, transitions = step(rule.terms, before, tick, result)
        if before != after:
            outcome.states.add(identity)
            self.states[identity] = after
            if not after.alerts and not after.error:
                del self.states[identity]
        origin = self.origins[identity]
        outcome.changes += [Change(identity, origin, transition) for transition in transitions]
        return [] if after.error else _alert_series(before, after)

    def _recorded(self, identity: str, points: list[Point], outcome: Outcome) -> list[Point]:
        given = frozenset(_sorted(point.labels) for point in points)
        before = self.given.get(identity, frozenset())
        if given != before:
            self.given[identity] = given
            outcome.given.add(identity)
        return [*points, *_stale(before - given)]

    def _end(self, identity: str, tick: int, outcome: Outcome) -> None:
        state = self.states.pop(identity, None)
        if state is not None:
            outcome.states.add(identity)
            origin = self.origins[identity]
            outcome.changes += [Change(identity, origin, one) for one in _ended(state, tick)]
            outcome.written += _alert_series(state, RuleState())
        given = self.given.pop(identity, None)
        if given is not None:
            outcome.given.add(identity)
            outcome.written += _stale(given)


def origin_of(rule: Rule) -> Origin:
    """How what comes of a rule names it."""
    return Origin(rule.name, (rule.expr,))


def _count(found: Found) -> int:
    if isinstance(found, Failure):
        return 0
    return len(found.alerting) if isinstance(found, Result) else len(found)


def _ended(state: RuleState, tick: int) -> Iterator[Transition]:
    """What becomes of the alerts of a rule that is gone."""
    if state.error:
        yield Transition(tick, AlertState.ERROR, AlertState.INACTIVE)
    for labels in sorted(state.alerts):
        alert = state.alerts[labels]
        if alert.is_active:
            is_firing = alert.state is AlertState.FIRING
            after = AlertState.RESOLVED if is_firing else AlertState.INACTIVE
            ended = replace(alert, state=after, resolved_at=tick if is_firing else 0, keep_since=None)
            yield Transition(tick, alert.state, after, ended)


def _alert_series(before: RuleState, after: RuleState) -> list[Point]:
    """ALERTS and ALERTS_FOR_STATE of what is active, and stale markers of those that were there before."""
    now = [point for alert in after.active for point in alert_series(alert)]
    ended = [alert for alert in before.active if _state(after, alert) is not alert.state]
    if not ended:
        return now
    then = {_sorted(point.labels) for alert in ended for point in alert_series(alert)}
    return [*now, *_stale(then - {_sorted(point.labels) for point in now})]


def _state(state: RuleState, alert: Alert) -> AlertState | None:
    found = state.alerts.get(alert.labels)
    return found.state if found else None


def _stale(ended: Iterable[Labels]) -> list[Point]:
    return [Point(dict(labels), STALE) for labels in sorted(ended)]


def _sorted(labels: Mapping[str, str]) -> Labels:
    return tuple(sorted(labels.items()))
