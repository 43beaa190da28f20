"""What an expression gives at every tick of a stretch, from as few evaluations as possible."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from streamgauge.promql.data.faults import InvalidQuery, QueryFault
from streamgauge.promql.data.query import Limits, Query, Source
from streamgauge.promql.data.vectors import Mask, Values, Vector
from streamgauge.promql.engine.evaluator import evaluate
from streamgauge.promql.syntax.ast import Expr
from streamgauge.promql.syntax.invalid_expression import InvalidExpression
from streamgauge.rules.backtest.dependencies import sees_ahead
from streamgauge.rules.backtest.stretch import Stretch
from streamgauge.rules.machine.alerts import Labels
from streamgauge.rules.machine.compiled import EvaluationContext
from streamgauge.rules.machine.evaluation import Point, series_of

MAX_BYTES = 1 << 30
"""Of one evaluation; what takes more is evaluated in shorter parts."""


@dataclass(frozen=True, slots=True)
class Part:
    """The series of some ticks, from number `first` on.

    rows: their labels, the name among them. values, present: (series, ticks). known: what is derived from a row.
    """

    first: int
    rows: list[dict[str, str]]
    values: Values
    present: Mask
    series: dict[int, Labels] = field(default_factory=dict)
    alerts: dict[int, Labels] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many ticks."""
        return int(self.present.shape[1])

    def rows_at(self, tick: int) -> list[int]:
        """The numbers of the series that have a value at a tick."""
        found: list[int] = np.flatnonzero(self.present[:, tick - self.first]).tolist()
        return found

    def point(self, row: int, tick: int) -> Point:
        """A series and its value at a tick."""
        return Point(self.rows[row], float(self.values[row, tick - self.first]))

    def series_of(self, row: int) -> Labels:
        """The labels of a series without its name."""
        if row not in self.series:
            self.series[row] = series_of(Point(self.rows[row], 0.0))
        return self.series[row]


@dataclass(frozen=True, slots=True)
class Track:
    """parts: in the order of their ticks. failures: why there is none, by the number of the tick."""

    parts: list[Part] = field(default_factory=list)
    failures: dict[int, str] = field(default_factory=dict)

    def occupied(self, count: int) -> npt.NDArray[np.bool_]:
        """At which of so many ticks there is any series: (count,) bool."""
        found = np.zeros(count, bool)
        for part in self.parts:
            found[part.first : part.first + part.count] = part.present.any(axis=0)
        return found

    def by_tick(self, count: int) -> list[Part | None]:
        """The part to which each of so many ticks belongs; None where the evaluation failed."""
        found: list[Part | None] = [None] * count
        for part in self.parts:
            found[part.first : part.first + part.count] = [part] * part.count
        return found


@dataclass(slots=True)
class Tracker:
    """Evaluates expressions over ticks in ms.

    :param stored: what has to know up to when samples are seen. :param everything: recorded series too, for templates.
    :param offset_ms: how much earlier than a tick expressions look.
    """

    stored: Stretch
    everything: Source
    context: EvaluationContext
    ticks: range
    offset_ms: int
    evaluations: int = 0

    def track(self, expression: Expr, source: Source) -> Track:
        """What an expression gives; if evaluating all ticks at once fails, each half is tried on its own."""
        found = Track()
        waiting = [(0, len(self.ticks))]
        if sees_ahead(expression):
            waiting = [(at, at + 1) for at in reversed(range(len(self.ticks)))]
        while waiting:
            begin, end = waiting.pop()
            try:
                found.parts.append(self._part(expression, source, begin, end))
            except (InvalidQuery, InvalidExpression) as fault:
                if end - begin == 1:
                    found.failures[begin] = str(fault)
                    continue
                middle = (begin + end) // 2
                waiting += [(middle, end), (begin, middle)]
        return found

    def _part(self, expression: Expr, source: Source, begin: int, end: int) -> Part:
        first, last = self.ticks[begin], self.ticks[end - 1]
        self.stored.until = last
        self.evaluations += 1
        query = Query(
            first - self.offset_ms,
            last - self.offset_ms,
            self.ticks.step,
            self.context.lookback_ms,
            self.context.subquery_step_ms,
            as_instants=True,
        )
        limits = Limits(max_bytes=MAX_BYTES if end - begin > 1 else np.inf)
        value = evaluate(expression, query, source, limits).value
        if isinstance(value, Vector):
            return Part(begin, value.labels.rows(), value.values, value.present)
        if isinstance(value, np.ndarray):
            return Part(begin, [{}], value.reshape(1, -1), np.ones((1, end - begin), bool))
        raise InvalidQuery(QueryFault.BAD_PARAMETER, "rule result is not a vector or scalar")
