"""Runs a group of rules tick by tick over samples in memory, as tests and backtests do."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple, Protocol

from streamgauge.promql.data.query import Source
from streamgauge.rules.machine.alerts import Alert, Failure, RuleState, Transition, step
from streamgauge.rules.machine.compiled import CompiledGroup, CompiledRule, EvaluationContext
from streamgauge.rules.machine.evaluation import Evaluation, FromSource, Point, alert_series
from streamgauge.rules.machine.within_limits import points_within_limits, result_within_limits
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


class _Given(NamedTuple):
    """What a rule writes at a tick, or its error; fault: of series that were left out."""

    points: list[Point] | Failure
    fault: str = ""


class GroupRun:
    """A group, its alerts, and the series that its rules gave last."""

    def __init__(self, group: CompiledGroup, store: Store, context: EvaluationContext) -> None:
        self.group = group
        self._store = store
        self._context = context
        self._states = [RuleState() for _ in group.rules]
        self._given: list[dict[tuple[tuple[str, str], ...], dict[str, str]]] = [{} for _ in group.rules]
        self.transitions: list[Transition] = []

    def tick(self, tick: int) -> list[RuleFailure]:
        """Evaluate every rule at a time in ms, each after the one before it has written.

        Series whose labels are above the limits are left out, as an error of the rule that ends nothing else.
        """
        answers = FromSource(self._store, self._context)
        evaluation = Evaluation(answers, self._context, tick, self.group.query_offset_ms)
        failures = []
        for at, rule in enumerate(self.group.rules):
            given = self._alerts(at, rule, evaluation) if rule.is_alert else self._recorded(rule, evaluation)
            detail = given.fault
            if isinstance(given.points, Failure):
                detail = given.points.detail
            elif refusal := self._write(at, given.points, tick - self.group.query_offset_ms):
                detail = refusal
            if detail:
                failures.append(RuleFailure(rule.rule.name, detail))
        return failures

    def firing_or_pending(self) -> Iterator[tuple[CompiledRule, Alert]]:
        """The active alerts, each with its rule."""
        for rule, state in zip(self.group.rules, self._states, strict=True):
            for alert in state.active:
                yield rule, alert

    def _recorded(self, rule: CompiledRule, evaluation: Evaluation) -> _Given:
        found = evaluation.record(rule, self.group.group.limit)
        return _Given(found) if isinstance(found, Failure) else _Given(*points_within_limits(found))

    def _alerts(self, at: int, rule: CompiledRule, evaluation: Evaluation) -> _Given:
        result, fault = evaluation.observe(rule), ""
        if not isinstance(result, Failure):
            result, fault = result_within_limits(result)
        state, transitions = step(rule.terms, self._states[at], evaluation.tick, result)
        self._states[at] = state
        self.transitions += transitions
        if state.error:
            return _Given(Failure(state.error))
        return _Given([point for alert in state.active for point in alert_series(alert)], fault)

    def _write(self, at: int, points: list[Point], time: int) -> str:
        given = {}
        refused = ""
        for point in points:
            refusal = self._store.put(point.labels, time, point.value)
            if refusal is None:
                given[tuple(sorted(point.labels.items()))] = point.labels
            else:
                refused = refusal
        for key, labels in self._given[at].items():
            if key not in given:
                self._store.put(labels, time, STALE)
        self._given[at] = given
        return refused
