"""Runs unit tests: loads series, evaluates the rules tick by tick, compares the results."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from schemas.rule_files import Group
from streamgauge.promql.data.faults import InvalidQuery
from streamgauge.promql.syntax.durations import resolve
from streamgauge.promql.syntax.invalid_expression import InvalidExpression
from streamgauge.promql.syntax.literals import duration_text
from streamgauge.promql.syntax.parser import parse
from streamgauge.rules.machine.alerts import AlertState
from streamgauge.rules.machine.compiled import EvaluationContext, compile_group
from streamgauge.rules.machine.evaluation import points
from streamgauge.rules.machine.group_run import GroupRun
from streamgauge.rules.unit_tests.file import AlertCase, ExpressionCase, TestFile, UnitTest
from streamgauge.rules.unit_tests.memory import Memory


@dataclass(frozen=True, slots=True, order=True)
class Item:
    """An alert, or a series with its value."""

    labels: tuple[tuple[str, str], ...]
    annotations: tuple[tuple[str, str], ...] = ()
    value: float | None = None


@dataclass(frozen=True, slots=True)
class Mismatch:
    """An expectation that does not hold, or something that failed, `detail`, before there was anything to compare.

    subject: what was asked. time: in ms from the start.
    """

    test: str
    subject: str
    time: int
    expected: Sequence[Item] = ()
    found: Sequence[Item] = ()
    detail: str = ""

    @property
    def title(self) -> str:
        """Of what, and when."""
        return f"{self.test}: {self.subject} at {duration_text(self.time)}"


def run(file: TestFile, test: UnitTest, groups: Sequence[Group]) -> list[Mismatch]:
    """Everything that is not as a test expects, with the rules of these groups."""
    return _Run(file, test, groups).mismatches()


class _Run:
    def __init__(self, file: TestFile, test: UnitTest, groups: Sequence[Group]) -> None:
        self._test = test
        self._every = file.interval
        self._ulps = 1 if file.fuzzy else 0
        self._memory = Memory()
        for series in test.series:
            self._memory.load(series.labels, test.start, test.interval, series.values)
        self._context = EvaluationContext(
            test.external_labels, test.external_url, subquery_step_ms=file.interval
        )
        order = {name: at for at, name in enumerate(file.group_order)}
        self._runs = [
            GroupRun(compile_group(group), self._memory, self._context)
            for group in sorted(groups, key=lambda group: order.get(group.name, 0))
        ]

    def mismatches(self) -> list[Mismatch]:
        found: list[Mismatch] = []
        for time in range(0, self._test.length + 1, self._every):
            tick = self._test.start + time
            self._memory.until = tick
            failures = [failure for run in self._runs for failure in run.tick(tick)]
            if failures:
                return found + [
                    Mismatch(self._test.name, f'rule "{rule}"', time, detail=detail)
                    for rule, detail in failures
                ]
            for case in self._test.alerts:
                if time <= case.time < time + self._every:
                    found += self._alert(case)
        for query in self._test.expressions:
            found += self._expression(query)
        return found

    def _alert(self, case: AlertCase) -> list[Mismatch]:
        expected = [Item(_sorted(alert.labels), _sorted(alert.annotations)) for alert in case.alerts]
        found = [
            Item(alert.labels, alert.annotations)
            for run in self._runs
            for rule, alert in run.firing_or_pending()
            if rule.rule.name == case.name and alert.state is AlertState.FIRING
        ]
        return self._compared(f'alert "{case.name}"', case.time, expected, found)

    def _expression(self, case: ExpressionCase) -> list[Mismatch]:
        subject = f"`{case.expression.strip()}`"
        try:
            expression = resolve(parse(case.expression), 0, 0, case.expression)
            given = points(expression, self._memory, self._context, self._test.start + case.time)
        except (InvalidQuery, InvalidExpression) as fault:
            return [Mismatch(self._test.name, subject, case.time, detail=str(fault))]
        expected = [Item(_sorted(sample.labels), value=sample.value) for sample in case.samples]
        found = [Item(_sorted(point.labels), value=point.value) for point in given]
        return self._compared(subject, case.time, expected, found)

    def _compared(self, subject: str, time: int, expected: list[Item], found: list[Item]) -> list[Mismatch]:
        expected.sort(key=lambda item: (item.labels, item.annotations))
        found.sort(key=lambda item: (item.labels, item.annotations))
        if len(expected) == len(found) and all(map(self._is_alike, expected, found)):
            return []
        return [Mismatch(self._test.name, subject, time, expected, found)]

    def _is_alike(self, one: Item, other: Item) -> bool:
        if (one.labels, one.annotations) != (other.labels, other.annotations):
            return False
        if one.value is None or other.value is None or one.value == other.value:
            return one.value == other.value
        if not self._ulps:
            return False
        return other.value in (math.nextafter(one.value, -math.inf), math.nextafter(one.value, math.inf))


def _sorted(labels: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(labels.items()))
