"""The state machine of the alerts of one rule: a pure function of state, tick and result.

inactive -> pending -> firing -> resolved, as in Prometheus, and beyond it:

- `resolve`, an expression: an alert that fires goes on until this gives a series whose labels the alert's has.
- `no_data`: what becomes of an alert whose series has no data, which is other than not fulfilling a condition.
- An evaluation that fails changes no alert. The rule itself is then in error, until one succeeds.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from math import copysign

import xxhash

from schemas.cut_texts import cut
from schemas.limits import MAX_ERROR_BYTES
from schemas.rule_files import NoData

RESOLVED_RETENTION_MS = 15 * 60_000
"""How long a resolved alert is remembered, and sent again."""

Labels = tuple[tuple[str, str], ...]
"""Pairs of name and value, sorted by name."""


class AlertState(StrEnum):
    """Where an alert stands. ERROR is a state of the whole rule: its evaluation fails."""

    INACTIVE = "inactive"
    PENDING = "pending"
    FIRING = "firing"
    RESOLVED = "resolved"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Terms:
    """What a rule says about its alerts. hold_ms: its `for`. limit: of active alerts, 0 for none."""

    hold_ms: int = 0
    keep_firing_ms: int = 0
    no_data: NoData = NoData.OK
    has_resolve: bool = False
    limit: int = 0


@dataclass(frozen=True, slots=True)
class Observed:
    """A series that the rule's expression gives.

    labels: of the alert that it raises. series: its own, without the metric's name.
    """

    labels: Labels
    annotations: Labels
    value: float
    series: Labels


@dataclass(frozen=True, slots=True)
class Result:
    """What an evaluation gives.

    alerting: the series that fulfil the condition. resolving: the labels of those that `resolve` gives.
    known: the labels of all series that have data, whether they fulfil the condition or not; None if nobody
    looked, and a series that is not alerting counts as one that does not fulfil it.
    missing: the alert to raise if there is no data at all.
    """

    alerting: Sequence[Observed] = ()
    resolving: Sequence[Labels] = ()
    known: Collection[Labels] | None = None
    missing: Observed | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """An evaluation that failed, and why."""

    detail: str


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert. Times in ms, 0 for never. keep_since: since when `keep_firing_for` holds it."""

    labels: Labels
    annotations: Labels
    value: float
    series: Labels
    state: AlertState
    active_at: int
    fired_at: int = 0
    resolved_at: int = 0
    keep_since: int | None = None

    @property
    def is_active(self) -> bool:
        """Whether it is pending or firing."""
        return self.state in (AlertState.PENDING, AlertState.FIRING)


@dataclass(frozen=True, slots=True)
class RuleState:
    """The alerts of a rule, by labels, and why its last evaluation failed, if it did."""

    alerts: Mapping[Labels, Alert] = field(default_factory=dict)
    error: str = ""

    @property
    def active(self) -> list[Alert]:
        """The alerts that are pending or firing."""
        return [alert for alert in self.alerts.values() if alert.is_active]


@dataclass(frozen=True, slots=True)
class Transition:
    """A change at a tick (ms). alert: as it is afterwards; None if the rule itself changed, to or from ERROR."""

    tick: int
    before: AlertState
    after: AlertState
    alert: Alert | None = None
    detail: str = ""

    @property
    def id(self) -> str:
        """The same for the same change, however often it is computed."""
        labels = self.alert.labels if self.alert else ()
        return f"{fingerprint(labels):016x}-{self.tick}-{self.after.value}"


def fingerprint(labels: Labels) -> int:
    """64 bits that stand for a label set."""
    return xxhash.xxh3_64_intdigest(b"\xff".join(part.encode() for pair in labels for part in pair))


def step(
    terms: Terms, state: RuleState, tick: int, result: Result | Failure
) -> tuple[RuleState, list[Transition]]:
    """The state after a tick (ms), and what changed, by labels. The same arguments always give the same."""
    if isinstance(result, Failure):
        return _failed(state, tick, result.detail)
    observed = list(result.alerting)
    has_none = result.known is not None and not result.known and not observed
    if terms.no_data is NoData.ALERT and result.missing and has_none:
        observed.append(result.missing)
    found = {one.labels: one for one in observed}
    if len(found) < len(observed):
        return _failed(
            state, tick, "vector contains metrics with the same labelset after applying alert labels"
        )
    alerts: dict[Labels, Alert] = {}
    for labels in sorted({*state.alerts, *found}):
        before = state.alerts.get(labels)
        alert = _true(before, found[labels], tick) if labels in found else before
        if alert is None:
            continue
        after = _held(terms, alert, tick) if labels in found else _not_true(terms, alert, tick, result)
        if after is not None:
            alerts[labels] = after
    active = sum(alert.is_active for alert in alerts.values())
    if 0 < terms.limit < active:
        return _failed(state, tick, f"exceeded limit of {terms.limit} with {active} alerts")
    transitions = []
    if state.error:
        transitions.append(Transition(tick, AlertState.ERROR, AlertState.INACTIVE))
    changed = [
        labels
        for labels in {**state.alerts, **alerts}
        if _state(state.alerts.get(labels)) is not _state(alerts.get(labels))
    ]
    for labels in sorted(changed):
        before, after = state.alerts.get(labels), alerts.get(labels)
        old, new = _state(before), _state(after)
        if alert := after or before:
            transitions.append(Transition(tick, old, new, replace(alert, state=new)))
    forgotten = AlertState.RESOLVED, AlertState.INACTIVE
    return RuleState(alerts), [one for one in transitions if (one.before, one.after) != forgotten]


def _failed(state: RuleState, tick: int, detail: str) -> tuple[RuleState, list[Transition]]:
    detail = cut(detail, MAX_ERROR_BYTES)
    transitions = (
        [] if state.error else [Transition(tick, AlertState.INACTIVE, AlertState.ERROR, None, detail)]
    )
    return RuleState(state.alerts, detail), transitions


def _state(alert: Alert | None) -> AlertState:
    return alert.state if alert else AlertState.INACTIVE


def _true(alert: Alert | None, observed: Observed, tick: int) -> Alert:
    """The alert whose condition is fulfilled."""
    if alert is None or not alert.is_active:
        pending = AlertState.PENDING
        return Alert(observed.labels, observed.annotations, observed.value, observed.series, pending, tick)
    if alert.keep_since is None and _is_as(alert, observed):
        # a rule may have very many alerts, and nearly all are at most ticks as they were
        return alert
    return replace(
        alert,
        annotations=observed.annotations,
        value=observed.value,
        series=observed.series,
        keep_since=None,
    )


def _is_as(alert: Alert, observed: Observed) -> bool:
    same = alert.value == observed.value and copysign(1, alert.value) == copysign(1, observed.value)
    return same and (alert.annotations, alert.series) == (observed.annotations, observed.series)


def _held(terms: Terms, alert: Alert, tick: int) -> Alert:
    """An active alert, firing once it was active for long enough."""
    lasted = tick - alert.active_at >= terms.hold_ms
    if alert.state is AlertState.PENDING and lasted:
        return replace(alert, state=AlertState.FIRING, fired_at=tick)
    if alert.state is AlertState.FIRING and not lasted:
        # the rule's `for` became longer
        return replace(alert, state=AlertState.PENDING, fired_at=0, keep_since=None)
    return alert


def _not_true(terms: Terms, alert: Alert, tick: int, result: Result) -> Alert | None:
    """The alert whose condition is not fulfilled, or whose series is gone; None once it can be forgotten."""
    if alert.state is AlertState.RESOLVED:
        return None if tick - alert.resolved_at > RESOLVED_RETENTION_MS else alert
    has_data = _has_data(alert, result.known)
    if not has_data and terms.no_data is not NoData.OK:
        return alert if terms.no_data is NoData.KEEP else _held(terms, replace(alert, keep_since=None), tick)
    if alert.state is AlertState.PENDING:
        return None
    if terms.keep_firing_ms:
        since = tick if alert.keep_since is None else alert.keep_since
        alert = replace(alert, keep_since=since)
        if tick - since < terms.keep_firing_ms:
            return _held(terms, alert, tick)
    if terms.has_resolve and has_data and not _is_resolved(alert, result.resolving):
        return _held(terms, alert, tick)
    return replace(alert, state=AlertState.RESOLVED, resolved_at=tick, keep_since=None)


def _has_data(alert: Alert, known: Collection[Labels] | None) -> bool:
    if known is None or alert.series in known:
        return True
    # the alert that says that there is no data at all
    return not alert.series and bool(known)


def _is_resolved(alert: Alert, resolving: Sequence[Labels]) -> bool:
    own = set(alert.series)
    return any(own.issuperset(labels) for labels in resolving)
