"""Runs a group of rules tick by tick over samples in memory, as tests and backtests do."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple, Protocol

from streamgauge.promql.query import Source
from streamgauge.rules.alerts import Alert, Failure, RuleState, Transition, step
from streamgauge.rules.compiled import CompiledGroup, CompiledRule, Surroundings
from streamgauge.rules.evaluation import Evaluation, FromSource, Point, alert_series
from streamgauge.series.samples import STALE


class Store(Source, Protocol):
    """Where a group reads samples and writes what it records."""

    def put(self, labels: Mapping[str, str], time: int, value: float) -> str | None:
        """Add a sample at a time in ms; why it is not taken, if it is not."""
        ...


class RuleFailure(NamedTuple):
    """A rule that could not be evaluated, and why."""

    rule: str
    detail: str


class GroupRun:
    """A group, its alerts, and the series that its rules gave last."""

    def __init__(self, group: CompiledGroup, store: Store, surroundings: Surroundings) -> None:
        self.group = group
        self._store = store
        self._surroundings = surroundings
        self._states = [RuleState() for _ in group.rules]
        self._given: list[dict[tuple[tuple[str, str], ...], dict[str, str]]] = [{} for _ in group.rules]
        self.transitions: list[Transition] = []

    def tick(self, tick: int) -> list[RuleFailure]:
        """Evaluate every rule at a time in ms, each after the one before it has written."""
        answers = FromSource(self._store, self._surroundings)
        evaluation = Evaluation(answers, self._surroundings, tick, self.group.query_offset_ms)
        failures = []
        for at, rule in enumerate(self.group.rules):
            found = self._alerts(at, rule, evaluation) if rule.is_alert else self._recorded(rule, evaluation)
            if not isinstance(found, Failure):
                refusal = self._write(at, found, tick - self.group.query_offset_ms)
                found = refusal or found
            if isinstance(found, Failure):
                failures.append(RuleFailure(rule.rule.name, found.detail))
        return failures

    def firing_or_pending(self) -> Iterator[tuple[CompiledRule, Alert]]:
        """The active alerts, each with its rule."""
        for rule, state in zip(self.group.rules, self._states, strict=True):
            for alert in state.active:
                yield rule, alert

    def _recorded(self, rule: CompiledRule, evaluation: Evaluation) -> list[Point] | Failure:
        return evaluation.record(rule, self.group.group.limit)

    def _alerts(self, at: int, rule: CompiledRule, evaluation: Evaluation) -> list[Point] | Failure:
        result = evaluation.observe(rule)
        state, transitions = step(rule.terms, self._states[at], evaluation.tick, result)
        self._states[at] = state
        self.transitions += transitions
        if state.error:
            return Failure(state.error)
        return [point for alert in state.active for point in alert_series(alert)]

    def _write(self, at: int, points: list[Point], time: int) -> Failure | None:
        given = {}
        refused = None
        for point in points:
            refusal = self._store.put(point.labels, time, point.value)
            if refusal is None:
                given[tuple(sorted(point.labels.items()))] = point.labels
            else:
                refused = Failure(refusal)
        for key, labels in self._given[at].items():
            if key not in given:
                self._store.put(labels, time, STALE)
        self._given[at] = given
        return refused
