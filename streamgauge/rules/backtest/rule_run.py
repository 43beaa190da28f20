"""Runs one rule over the ticks of a stretch, with the state that it had before."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from schemas.rule_files import NoData
from streamgauge.promql.data.query import Source
from streamgauge.promql.data.vectors import Mask, Times, Values
from streamgauge.rules.backtest.overlay import Overlay
from streamgauge.rules.backtest.raised import Episodes
from streamgauge.rules.backtest.track import Part, Track, Tracker
from streamgauge.rules.machine.alerts import Failure, Labels, Observed, Result, RuleState, Transition, step
from streamgauge.rules.machine.compiled import CompiledRule
from streamgauge.rules.machine.evaluation import (
    ALERTS,
    FOR_STATE,
    SAME_LABELS,
    Evaluation,
    FromSource,
    Point,
    alert_series,
    over_limit,
    recorded_labels,
)
from streamgauge.rules.machine.within_limits import fault_of, left_out, result_within_limits
from streamgauge.series.samples import STALE

_NOTHING = Track()


@dataclass(slots=True)
class Written:
    """The series that a rule wrote last, to end those that it does not write any more."""

    overlay: Overlay
    owner: object
    given: dict[Labels, dict[str, str]] = field(default_factory=dict)

    def tick(self, points: Iterable[Point], time: int) -> None:
        """Write what a rule gives at one time in ms."""
        given: dict[Labels, dict[str, str]] = {}
        at = np.array([time], np.int64)
        for point in points:
            if not self.overlay.put(point.labels, at, np.array([point.value]), self.owner):
                given[tuple(sorted(point.labels.items()))] = point.labels
        for key in self.given.keys() - given.keys():
            self.overlay.put(self.given[key], at, np.array([STALE]), self.owner)
        self.given = given

    def run(self, series: dict[Labels, tuple[dict[str, str], Values, Mask]], times: Times) -> set[int]:
        """Write whole series, each with values and where there are any; the times that another rule has taken."""
        refused: set[int] = set()
        nothing = np.zeros(len(times)), np.zeros(len(times), bool)
        given: dict[Labels, dict[str, str]] = {}
        for key in {**self.given, **series}:
            labels, values, present = series[key] if key in series else (self.given[key], *nothing)
            before = np.concatenate([[key in self.given], present[:-1]])
            ends = before & ~present
            written = present | ends
            values = np.where(present, values, STALE)[written]
            refused |= self.overlay.put(labels, times[written], values, self.owner)
            if len(present) and present[-1]:
                given[key] = labels
        self.given = given
        return refused


@dataclass(slots=True)
class RecordingRun:
    """A recording rule. limit: of its group."""

    rule: CompiledRule
    limit: int
    overlay: Overlay
    written: Written
    episodes: Episodes

    def run(self, tracker: Tracker, source: Source) -> list[Transition]:
        """Evaluate at all ticks of the tracker; a recording rule has no transitions."""
        track = tracker.track(self.rule.expr, source)
        failures = dict(track.failures)
        for part in track.parts:
            failures |= self._record(part, tracker)
        for at, tick in enumerate(tracker.ticks):
            if at in failures:
                self.episodes.fail(tick, failures[at])
            else:
                self.episodes.succeed(tick)
        return []

    def _record(self, part: Part, tracker: Tracker) -> dict[int, str]:
        """Write what one part gives; why ticks failed, by number."""
        rows: dict[Labels, list[int]] = {}
        labels: dict[Labels, dict[str, str]] = {}
        for row, own in enumerate(part.rows):
            own = recorded_labels(self.rule, own)
            key = tuple(sorted(own.items()))
            rows.setdefault(key, []).append(row)
            labels[key] = own
        counts = part.present.sum(axis=0)
        is_double = np.zeros(part.count, bool)
        for own_rows in rows.values():
            if len(own_rows) > 1:
                is_double |= part.present[own_rows].sum(axis=0) > 1
        is_over = (counts > self.limit) & (self.limit > 0)
        failures = _left_out(part, rows)
        failures |= {part.first + at: SAME_LABELS for at in np.flatnonzero(is_double).tolist()}
        for at in np.flatnonzero(is_over & ~is_double).tolist():
            failures[part.first + at] = over_limit(self.limit, int(counts[at])).detail
        if not self.overlay.keeps(self.rule.rule.name):
            return failures
        well = ~(is_double | is_over)
        if not well.any():
            return failures
        ticks = tracker.ticks[part.first : part.first + part.count]
        times = np.arange(ticks.start, ticks.stop, ticks.step, np.int64)[well] - tracker.offset_ms
        series = {}
        for key, own_rows in rows.items():
            if fault_of(key):
                continue
            present = part.present[own_rows][:, well]
            values = np.where(present, part.values[own_rows][:, well], 0.0).sum(axis=0)
            if len(own_rows) == 1:
                values = part.values[own_rows[0]][well]
            series[key] = labels[key], values, present.any(axis=0)
        for time in self.written.run(series, times):
            at = (time + tracker.offset_ms - tracker.ticks.start) // tracker.ticks.step
            failures[at] = "duplicate sample for timestamp"
        return failures


def _left_out(part: Part, rows: Mapping[Labels, Sequence[int]]) -> dict[int, str]:
    """The errors of the ticks, by number, at which series are above the limits. rows: of each series' labels."""
    faults = {row: fault for key in rows if (fault := fault_of(key)) for row in rows[key]}
    if not faults:
        return {}
    bad = sorted(faults)
    counts, missing = part.present.sum(axis=0), part.present[bad]
    return {
        part.first + at: left_out(
            int(missing[:, at].sum()), int(counts[at]), faults[bad[int(missing[:, at].argmax())]]
        )
        for at in np.flatnonzero(missing.any(axis=0)).tolist()
    }


@dataclass(slots=True)
class AlertRun:
    """A rule that raises alerts, and their state.

    is_eager: whether texts are made at once, because what they query may be recorded later at the same tick.
    """

    rule: CompiledRule
    overlay: Overlay
    written: Written
    episodes: Episodes
    is_eager: bool
    state: RuleState = field(default_factory=RuleState)
    _last: dict[Labels, tuple[int, Point, Labels | None]] = field(default_factory=dict)
    """When the condition of an alert was fulfilled last, by what, and the texts, made when they are needed."""

    def run(self, tracker: Tracker, source: Source) -> list[Transition]:
        """Evaluate at all ticks of the tracker; what has changed."""
        rule, count = self.rule, len(tracker.ticks)
        found = tracker.track(rule.expr, source)
        resolving = tracker.track(rule.resolve, source) if rule.resolve else _NOTHING
        known = tracker.track(rule.data, source) if rule.data else _NOTHING
        failures = {**known.failures, **resolving.failures, **found.failures}
        alerting, with_data = found.occupied(count), known.occupied(count)
        parts = [one.by_tick(count) for one in (found, resolving, known)]
        asks = rule.data is not None and rule.terms.no_data is NoData.ALERT
        keeps_series = self.overlay.keeps(ALERTS) or self.overlay.keeps(FOR_STATE)
        transitions: list[Transition] = []
        for at, tick in enumerate(tracker.ticks):
            is_missing = asks and not alerting[at] and not with_data[at]
            is_unwell = bool(self.state.error) or self.episodes.is_broken or at in failures
            if not (self.state.alerts or alerting[at] or is_missing or is_unwell):
                continue
            tracker.stored.until = tick
            answers = FromSource(tracker.everything, tracker.context)
            evaluation = Evaluation(answers, tracker.context, tick, tracker.offset_ms)
            if at in failures:
                points: dict[Labels, Point] = {}
                result: Result | Failure = Failure(failures[at])
            else:
                result, points = self._result(at, evaluation, parts, is_missing)
            transitions += self._step(tick, result, points, evaluation, tracker)
            if keeps_series and not self.state.error:
                series = (point for alert in self.state.active for point in alert_series(alert))
                self.written.tick(series, tick - tracker.offset_ms)
        return transitions

    def _result(
        self, at: int, evaluation: Evaluation, parts: list[list[Part | None]], is_missing: bool
    ) -> tuple[Result, dict[Labels, Point]]:
        """What the state machine needs to know, and the series of each alert."""
        found, resolving, known = (part[at] for part in parts)
        alerting = []
        points: dict[Labels, Point] = {}
        if found is not None:
            for row in found.rows_at(at):
                point = found.point(row, at)
                labels = self._labels(found, row, point, evaluation)
                alerting.append(Observed(labels, (), point.value, found.series_of(row)))
                points[labels] = point
        missing = None
        if is_missing:
            point = Point({}, np.nan)
            missing = Observed(evaluation.labels(self.rule, point), (), point.value, ())
            points[missing.labels] = point
        result = Result(
            alerting,
            [resolving.series_of(row) for row in resolving.rows_at(at)] if resolving else [],
            frozenset(known.series_of(row) for row in known.rows_at(at)) if known else None,
            missing,
        )
        return result, points

    def _labels(self, part: Part, row: int, point: Point, evaluation: Evaluation) -> Labels:
        if any(template.plain is None for template in self.rule.labels.values()):
            return evaluation.labels(self.rule, point)
        if row not in part.alerts:
            part.alerts[row] = evaluation.labels(self.rule, point)
        return part.alerts[row]

    def _step(
        self,
        tick: int,
        result: Result | Failure,
        points: dict[Labels, Point],
        evaluation: Evaluation,
        tracker: Tracker,
    ) -> list[Transition]:
        fault = ""
        if not isinstance(result, Failure):
            result, fault = result_within_limits(result)
        self.state, transitions = step(self.rule.terms, self.state, tick, result)
        if error := self.state.error or fault:
            self.episodes.fail(tick, error)
        else:
            self.episodes.succeed(tick)
        if not self.state.error:
            for labels, point in points.items():
                texts = evaluation.annotations(self.rule, point) if self.is_eager else None
                self._last[labels] = tick, point, texts
        transitions = [self._with_texts(one, evaluation, tracker) for one in transitions]
        for one in transitions:
            self.episodes.take(one)
        if not self.state.error:
            self.episodes.see({labels: point.value for labels, point in points.items()})
        return transitions

    def _with_texts(self, transition: Transition, evaluation: Evaluation, tracker: Tracker) -> Transition:
        alert = transition.alert
        if alert is None:
            return transition
        when, point, texts = self._last[alert.labels]
        if texts is None:
            tracker.stored.until = when
            texts = replace(evaluation, tick=when).annotations(self.rule, point)
            self._last[alert.labels] = when, point, texts
        return replace(transition, alert=replace(alert, annotations=texts))
