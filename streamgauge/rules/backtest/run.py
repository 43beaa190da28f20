"""Entry point: evaluates groups of rules over a span of time and returns the alerts."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from streamgauge.promql.data.query import Source
from streamgauge.rules.backtest.dependencies import Component, RuleKey, dependencies
from streamgauge.rules.backtest.overlay import Overlay
from streamgauge.rules.backtest.raised import Episodes, Report, RuleSummary, wants_lowest
from streamgauge.rules.backtest.rule_run import AlertRun, RecordingRun, Written
from streamgauge.rules.backtest.stretch import Stretch
from streamgauge.rules.backtest.track import Tracker
from streamgauge.rules.machine.alerts import Transition
from streamgauge.rules.machine.compiled import CompiledGroup, CompiledRule, EvaluationContext
from streamgauge.rules.machine.intervals import interval_of

TICKS = 500
"""Of a stretch, as far as its length allows: the samples of a selector are held for all of it."""
MIN_STRETCH_MS, MAX_STRETCH_MS = 600_000, 2 * 3_600_000


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when rules are tried, both included, in ms. step: between ticks, the groups' own if 0."""

    start: int
    end: int
    step: int = 0

    def ticks(self, interval: int) -> range:
        """The multiples of an interval in it."""
        every = self.step or interval
        return range(-(-self.start // every) * every, self.end + 1, every)


class Backtest:
    """Rules that are tried on stored samples.

    A group reads at a tick what the groups on which it depends have recorded at that tick.
    """

    def __init__(
        self, groups: Sequence[CompiledGroup], source: Source, context: EvaluationContext, span: Span
    ) -> None:
        self._groups = groups
        self._context = context
        self._span = span
        self._stored = Stretch(source)
        self._dependencies = dependencies(groups)
        rules = [rule for group in groups for rule in group.rules]
        self._overlay = Overlay(
            self._stored,
            span.start,
            self._dependencies.read,
            {rule.rule.name for rule in rules if not rule.is_alert},
            {rule.rule.name for rule in rules if rule.is_alert},
        )
        self._cyclic = {
            at
            for component in self._dependencies.components
            if component.is_cyclic
            for at in component.groups
        }
        self._runs = {
            RuleKey(at, number): self._rule_run(RuleKey(at, number), group, rule)
            for at, group in enumerate(groups)
            for number, rule in enumerate(group.rules)
        }
        self._queries = 0
        self.transitions: dict[RuleKey, list[Transition]] = {place: [] for place in self._runs}

    def run(self, progress: Callable[[float], None] = lambda _: None) -> Report:
        """Everything that comes of it.

        :param progress: called with the part that is done, up to 1.
        """
        for start, end in self._stretches():
            self._stored.begin(start, end)
            for component in self._dependencies.components:
                for at, ticks in self._turns(component, start, end):
                    self._run_group(at, ticks)
            progress((end - self._span.start) / max(1, self._span.end - self._span.start))
        return self._report()

    def _stretches(self) -> Iterator[tuple[int, int]]:
        """Parts of the span, both ends included."""
        shortest = min((ticks.step for ticks in map(self._ticks, range(len(self._groups)))), default=1)
        length = min(MAX_STRETCH_MS, max(MIN_STRETCH_MS, TICKS * shortest))
        for start in range(self._span.start, self._span.end + 1, length):
            yield start, min(start + length - 1, self._span.end)

    def _ticks(self, group: int) -> range:
        return self._span.ticks(interval_of(self._groups[group].group))

    def _turns(self, component: Component, start: int, end: int) -> Iterator[tuple[int, range]]:
        """The groups of a component with the ticks at which they are evaluated in one go."""
        within = []
        for at in component.groups:
            ticks = self._ticks(at)
            first = ticks.start + max(0, -(-(start - ticks.start) // ticks.step)) * ticks.step
            within.append((at, range(first, end + 1, ticks.step)))
        if not component.is_cyclic:
            yield from ((at, ticks) for at, ticks in within if ticks)
            return
        single = chain.from_iterable(((tick, at, ticks.step) for tick in ticks) for at, ticks in within)
        for tick, at, step in sorted(single):
            yield at, range(tick, tick + 1, step)

    def _run_group(self, at: int, ticks: range) -> None:
        group = self._groups[at]
        everything: Source = self._overlay if self._dependencies.read else self._stored
        tracker = Tracker(self._stored, everything, self._context, ticks, group.query_offset_ms)
        for number in range(len(group.rules)):
            place = RuleKey(at, number)
            source: Source = self._overlay if place in self._dependencies.readers else self._stored
            self.transitions[place] += self._runs[place].run(tracker, source)
        self._queries += tracker.evaluations

    def _rule_run(self, place: RuleKey, group: CompiledGroup, rule: CompiledRule) -> AlertRun | RecordingRun:
        episodes = Episodes(group.group.name, rule.rule.name, wants_lowest(rule.expr))
        written = Written(self._overlay, place)
        if rule.is_alert:
            return AlertRun(rule, self._overlay, written, episodes, place.group in self._cyclic)
        return RecordingRun(rule, group.group.limit, self._overlay, written, episodes)

    def _report(self) -> Report:
        episodes = [run.episodes for run in self._runs.values()]
        raised = [one for own in episodes for one in own.all()]
        raised.sort(
            key=lambda one: (
                one.pending if one.fired is None else one.fired,
                one.pending,
                one.rule,
                one.labels,
            )
        )
        broken = sorted((one for own in episodes for one in own.broken), key=lambda one: one.began)
        return Report(
            self._span.start,
            self._span.end,
            raised,
            broken,
            [self._summary(place, run) for place, run in self._runs.items()],
            self._queries,
        )

    def _summary(self, place: RuleKey, run: AlertRun | RecordingRun) -> RuleSummary:
        raised = run.episodes.all()
        fired = sum(one.has_fired for one in raised)
        return RuleSummary(
            run.episodes.group,
            run.episodes.rule,
            run.rule.is_alert,
            len(self._ticks(place.group)),
            run.episodes.failed,
            fired,
            len(raised) - fired,
        )
