"""Evaluates rules at one tick: series to record, or the input of the state machine of alerts."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from schemas.cut_texts import cut_all
from schemas.limits import MAX_ANNOTATIONS_BYTES
from schemas.rule_files import NoData
from streamgauge.promql.data.faults import InvalidQuery, QueryFault
from streamgauge.promql.data.query import Query, Source
from streamgauge.promql.data.vectors import Vector
from streamgauge.promql.engine.evaluator import Value, evaluate
from streamgauge.promql.syntax.ast import Expr
from streamgauge.promql.syntax.durations import resolve
from streamgauge.promql.syntax.invalid_expression import InvalidExpression
from streamgauge.promql.syntax.parser import parse
from streamgauge.rules.machine.alerts import Alert, Failure, Labels, Observed, Result
from streamgauge.rules.machine.compiled import CompiledRule, EvaluationContext, Outside
from streamgauge.rules.templates.faults import FunctionFault, InvalidTemplate
from streamgauge.rules.templates.functions import Environment
from streamgauge.rules.templates.template import Template
from streamgauge.rules.templates.values import AlertData, Sample
from streamgauge.series.labels import NAME

SAME_LABELS = "vector contains metrics with the same labelset after applying rule labels"
ALERTS, FOR_STATE, ALERT_NAME, ALERT_STATE = "ALERTS", "ALERTS_FOR_STATE", "alertname", "alertstate"


class Point(NamedTuple):
    """A series, its name among the labels, and its value."""

    labels: dict[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class FromSource:
    """Evaluates expressions when they are asked for, from a source of samples."""

    source: Source
    context: EvaluationContext

    def points(self, expression: Expr, time: int) -> list[Point]:
        """What `Answers` asks for."""
        return points(expression, self.source, self.context, time)

    def queried(self, text: str, time: int) -> list[Point]:
        """What `Answers` asks for."""
        return self.points(resolve(parse(text), 0, 0, text), time)


class Answers(Protocol):
    """Who knows what expressions give. Both raise InvalidQuery or InvalidExpression."""

    def points(self, expression: Expr, time: int) -> list[Point]:
        """The series of an expression of a rule at a time in ms."""
        ...

    def queried(self, text: str, time: int) -> list[Point]:
        """The series of a query that a template asks at a time in ms."""
        ...


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Evaluates at one tick.

    :param tick: in ms. :param offset_ms: how much earlier than the tick expressions look.
    """

    answers: Answers
    context: EvaluationContext
    tick: int
    offset_ms: int = 0

    def record(self, compiled: CompiledRule, limit: int = 0) -> list[Point] | Failure:
        """The series that a recording rule gives, with their names, at the tick less the offset.

        :param limit: how many there may be, 0 for any number.
        """
        found = self._points(compiled.expr)
        if isinstance(found, Failure):
            return found
        labels = [recorded_labels(compiled, point.labels) for point in found]
        if len({tuple(sorted(one.items())) for one in labels}) < len(labels):
            return Failure(SAME_LABELS)
        if 0 < limit < len(labels):
            return over_limit(limit, len(labels))
        return [Point(one, point.value) for one, point in zip(labels, found, strict=True)]

    def observe(self, compiled: CompiledRule) -> Result | Failure:
        """What the state machine of an alert needs to know."""
        found = self._points(compiled.expr)
        resolving = self._points(compiled.resolve) if compiled.resolve else []
        known = self._points(compiled.data) if compiled.data else []
        if isinstance(found, Failure):
            return found
        if isinstance(resolving, Failure):
            return resolving
        if isinstance(known, Failure):
            return known
        is_asked = compiled.data and compiled.terms.no_data is NoData.ALERT and not found and not known
        return Result(
            [self.observed(compiled, point) for point in found],
            [series_of(point) for point in resolving],
            frozenset(series_of(point) for point in known) if compiled.data else None,
            self.observed(compiled, Point({}, math.nan)) if is_asked else None,
        )

    def _points(self, expression: Expr) -> list[Point] | Failure:
        try:
            return self.answers.points(expression, self.tick - self.offset_ms)
        except (InvalidQuery, InvalidExpression) as fault:
            return Failure(str(fault))

    def labels(self, compiled: Outside, point: Point) -> Labels:
        """The labels of the alert that a series raises."""
        labels = {**point.labels, **self._expanded(compiled.labels, point), ALERT_NAME: compiled.rule.name}
        labels.pop(NAME, None)
        return _sorted(_present(labels))

    def annotations(self, compiled: Outside, point: Point) -> Labels:
        """The annotations of the alert that a series raises; long ones are cut."""
        return _sorted(cut_all(self._expanded(compiled.annotations, point), MAX_ANNOTATIONS_BYTES))

    def observed(self, compiled: Outside, point: Point) -> Observed:
        """A series that fulfils the condition of an alert."""
        labels, annotations = self.labels(compiled, point), self.annotations(compiled, point)
        return Observed(labels, annotations, point.value, series_of(point))

    def _expanded(self, templates: Mapping[str, Template], point: Point) -> dict[str, str]:
        context = self.context
        url = context.external_url
        data = AlertData(point.labels, dict(context.external_labels), url, point.value)
        environment = Environment(self._query, self.tick, url)
        return {name: _expanded(template, data, environment) for name, template in templates.items()}

    def _query(self, text: str) -> list[Sample]:
        try:
            found = self.answers.queried(text, self.tick)
        except (InvalidQuery, InvalidExpression) as fault:
            raise FunctionFault(str(fault)) from None
        return [Sample(point.labels, point.value) for point in found]


def points(expression: Expr, source: Source, context: EvaluationContext, time: int) -> list[Point]:
    """The series of an instant query at a time in ms; a scalar is a series without labels.

    :raises InvalidQuery: for what it asks, and for a string or a range vector.
    """
    return points_of(evaluate(expression, instant(context, time), source).value)


def instant(context: EvaluationContext, time: int) -> Query:
    """How rules ask at a time in ms."""
    return Query(time, time, 1, context.lookback_ms, context.subquery_step_ms)


def points_of(value: Value) -> list[Point]:
    """The series of what an instant query gives.

    :raises InvalidQuery: for a string and a range vector.
    """
    if isinstance(value, Vector):
        return [Point(*both) for both in zip(value.labels.rows(), value.values[:, 0].tolist(), strict=True)]
    if isinstance(value, np.ndarray):
        return [Point({}, float(value[0]))]
    raise InvalidQuery(QueryFault.BAD_PARAMETER, "rule result is not a vector or scalar")


def recorded_labels(compiled: CompiledRule, labels: Mapping[str, str]) -> dict[str, str]:
    """The labels, the name among them, under which a recording rule writes a series of its expression."""
    own = {name: template.plain or "" for name, template in compiled.labels.items()}
    return _present({**labels, NAME: compiled.rule.name, **own})


def over_limit(limit: int, count: int) -> Failure:
    """What becomes of a recording rule that gives more series than its group allows."""
    return Failure(f"exceeded limit of {limit} with {count} series")


def alert_series(alert: Alert) -> list[Point]:
    """The series ALERTS and ALERTS_FOR_STATE of a pending or firing alert."""
    labels = dict(alert.labels)
    return [
        Point({**labels, NAME: ALERTS, ALERT_STATE: alert.state.value}, 1.0),
        Point({**labels, NAME: FOR_STATE}, float(alert.active_at // 1000)),
    ]


def _expanded(template: Template, data: AlertData, environment: Environment) -> str:
    try:
        return template.expand(data, environment)
    except InvalidTemplate as fault:
        # better an alert with a broken text than none
        return f"<error expanding template: {fault}>"


def series_of(point: Point) -> Labels:
    """The labels of a series without the metric's name."""
    return _sorted({name: value for name, value in point.labels.items() if name != NAME})


def _sorted(labels: Mapping[str, str]) -> Labels:
    return tuple(sorted(labels.items()))


def _present(labels: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in labels.items() if value}
