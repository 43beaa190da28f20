"""What a backtest finds: the alerts that would have been raised, and the times when a rule failed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from streamgauge.promql.syntax.ast import Binary, BinaryOp, Expr, bare
from streamgauge.rules.machine.alerts import Alert, AlertState, Labels, Transition


@dataclass(frozen=True, slots=True)
class Raised:
    """An alert from its first tick to its last, all times in ms.

    fired: None if it never did. ended: the tick at which it was over, None if it was not at the end. peak: the highest
    value that it had, the lowest under a rule that asks for less than something.
    """

    group: str
    rule: str
    labels: Labels
    annotations: Labels
    pending: int
    fired: int | None
    ended: int | None
    peak: float

    @property
    def has_fired(self) -> bool:
        """Whether it was more than pending."""
        return self.fired is not None


@dataclass(frozen=True, slots=True)
class Broken:
    """A rule in error, from a tick (ms) to that at which it was well again, None if it was not at the end."""

    group: str
    rule: str
    began: int
    ended: int | None
    ticks: int
    detail: str


@dataclass(frozen=True, slots=True)
class RuleSummary:
    """What became of one rule. evaluations: of ticks. pending: alerts that were pending and never fired."""

    group: str
    rule: str
    is_alert: bool
    evaluations: int
    failed: int
    fired: int
    pending: int


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that came of a backtest from `start` to `end` (ms).

    raised: in order of time. queries: how many evaluations of expressions it took.
    """

    start: int
    end: int
    raised: Sequence[Raised]
    broken: Sequence[Broken]
    rules: Sequence[RuleSummary]
    queries: int

    @property
    def fired(self) -> list[Raised]:
        """The alerts that would have been sent."""
        return [one for one in self.raised if one.has_fired]

    @property
    def evaluations(self) -> int:
        """How many evaluations of rules a running system would have made."""
        return sum(rule.evaluations for rule in self.rules)


@dataclass(slots=True)
class Episodes:
    """Puts the alerts and errors of one rule together, tick by tick."""

    group: str
    rule: str
    wants_lowest: bool
    done: list[Raised] = field(default_factory=list)
    broken: list[Broken] = field(default_factory=list)
    failed: int = 0
    _open: dict[Labels, Raised] = field(default_factory=dict)
    is_broken: bool = False

    def fail(self, tick: int, detail: str) -> None:
        """The rule could not be evaluated at a tick."""
        self.failed += 1
        if self.is_broken:
            self.broken[-1] = replace(self.broken[-1], ticks=self.broken[-1].ticks + 1)
        else:
            self.broken.append(Broken(self.group, self.rule, tick, None, 1, detail))
        self.is_broken = True

    def succeed(self, tick: int) -> None:
        """The rule could be evaluated at a tick."""
        if self.is_broken:
            self.broken[-1] = replace(self.broken[-1], ended=tick)
            self.is_broken = False

    def take(self, transition: Transition) -> None:
        """An alert has changed."""
        alert = transition.alert
        if alert is None:
            return
        one = self._open.get(alert.labels)
        if transition.after in (AlertState.PENDING, AlertState.FIRING):
            one = one or self._begun(alert)
            if transition.after is AlertState.FIRING:
                one = replace(one, fired=transition.tick)
            self._open[alert.labels] = replace(one, annotations=alert.annotations)
        elif one is not None:
            del self._open[alert.labels]
            self.done.append(replace(one, ended=transition.tick, annotations=alert.annotations))

    def see(self, values: Mapping[Labels, float]) -> None:
        """The values of alerts at a tick."""
        for labels, value in values.items():
            one = self._open.get(labels)
            if one is None:
                continue
            is_further = value < one.peak if self.wants_lowest else value > one.peak
            if is_further or one.peak != one.peak:
                self._open[labels] = replace(one, peak=value)

    def all(self) -> list[Raised]:
        """The alerts, those that were not over at the end among them."""
        return [*self.done, *self._open.values()]

    def _begun(self, alert: Alert) -> Raised:
        at = alert.active_at
        return Raised(self.group, self.rule, alert.labels, alert.annotations, at, None, None, alert.value)


def wants_lowest(expression: Expr) -> bool:
    """Whether a condition is that something is less than something."""
    expression = bare(expression)
    while isinstance(expression, Binary) and expression.op in (BinaryOp.AND, BinaryOp.UNLESS, BinaryOp.OR):
        expression = bare(expression.lhs)
    return isinstance(expression, Binary) and expression.op in (BinaryOp.LESS, BinaryOp.LESS_EQUAL)
