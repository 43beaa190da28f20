"""What the rules of a group ask of its samples, and where each question is answered."""

from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

import numpy as np

from streamgauge.promql.data.query import Query
from streamgauge.promql.data.vectors import Values
from streamgauge.promql.plan.planner import Plan, plan
from streamgauge.promql.syntax.ast import Expr
from streamgauge.promql.syntax.durations import resolve
from streamgauge.promql.syntax.functions_table import ValueType
from streamgauge.promql.syntax.invalid_expression import InvalidExpression
from streamgauge.promql.syntax.parser import parse
from streamgauge.rules.backtest.dependencies import OwnSeries
from streamgauge.rules.machine.compiled import CompiledGroup, CompiledRule, EvaluationContext
from streamgauge.rules.machine.evaluation import instant
from streamgauge.rules.machine.intervals import interval_of
from streamgauge.rules.stream.compile.quiet import is_quiet
from streamgauge.rules.stream.compile.reach import Conditions, FixedTime, Reach, reaches, united
from streamgauge.rules.stream.compile.shapes import Shape, shape_of
from streamgauge.rules.stream.compile.template_queries import literal_queries
from streamgauge.rules.stream.shard.gathering import MAX_GATHERED

MAX_HISTORY_MS = 3_600_000
"""The longest range and offset together for which samples are kept in memory."""


class EvaluationMode(Enum):
    """How an expression is evaluated.

    SPLIT: each shard evaluates its part, the parts are merged. GATHERED: over all samples that its selectors look
    at, together with what the group's rules have recorded. STORED: over what is stored, which goes back further.
    """

    SPLIT = auto()
    GATHERED = auto()
    STORED = auto()


@dataclass(frozen=True, slots=True, eq=False)
class StreamExpression:
    """An expression of a rule, or a query of its templates.

    rule: the number of the rule. offset_ms: how much earlier than the tick it is evaluated. plan: of a SPLIT one.
    reaches: what it looks at, unless it is STORED. reads_own: whether it may read what the group records. is_quiet:
    whether it gives nothing where no shard has anything for it. shape: of one that is SPLIT and quiet and can be
    evaluated with others. query: its text if a template asks it.
    """

    rule: int
    expression: Expr
    offset_ms: int
    mode: EvaluationMode
    plan: Plan | None
    reaches: Sequence[Reach]
    reads_own: bool
    is_quiet: bool
    shape: Shape | None = None
    query: str | None = None

    @property
    def selected(self) -> Sequence[Conditions]:
        """What each leaf of its shape selects."""
        return self.shape.selected if self.shape else ()


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """The asks of a group that are alike, by their numbers, and how they are evaluated together.

    key: of the family among those of other groups. plan: of the shape's expression. numbers: the literals of each,
    (asks, literals).
    """

    key: Hashable
    asks: Sequence[int]
    shape: Shape
    plan: Plan
    offset_ms: int
    numbers: Values


@dataclass(frozen=True, slots=True, eq=False)
class StreamGroup:
    """A group and what it asks, in the order of its rules.

    families: the asks that are evaluated together. gathered: the selectors whose samples are shipped, which reach back
    from the tick itself.
    """

    compiled: CompiledGroup
    asks: Sequence[StreamExpression]
    families: Sequence[Family]
    gathered: Sequence[Reach]
    by_expression: Mapping[int, int] = field(init=False)
    """The number of the ask of a rule's expression, by its `id`."""
    loud: Sequence[int] = field(init=False)
    """The asks that may give something where no shard has anything."""
    simple: Sequence[int | None] = field(init=False)
    """The ask of each rule that raises alerts, if it has no other that its alerts depend on."""
    by_query: Mapping[str, int] = field(init=False)
    """The number of the ask of a template's query, by its text."""

    family_of: Mapping[int, int] = field(init=False)
    """The number of the family of an ask that has one, by that of the ask."""

    def __post_init__(self) -> None:
        numbered = list(enumerate(self.asks))
        own = {id(ask.expression): at for at, ask in numbered if ask.query is None}
        object.__setattr__(self, "by_expression", own)
        loud = [at for at, ask in numbered if not ask.is_quiet]
        object.__setattr__(self, "loud", loud)
        object.__setattr__(self, "simple", [_only_ask(rule, own) for rule in self.compiled.rules])
        members = {at: number for number, family in enumerate(self.families) for at in family.asks}
        object.__setattr__(self, "family_of", members)
        asked = {ask.query: at for at, ask in numbered if ask.query is not None}
        object.__setattr__(self, "by_query", asked)

    @property
    def interval_ms(self) -> int:
        """How far its ticks are apart; they are multiples of it."""
        return interval_of(self.compiled.group)

    @property
    def reaches(self) -> list[Reach]:
        """What shards have to keep for it, from the tick on."""
        return united(moved(reach, ask.offset_ms) for ask in self.asks for reach in ask.reaches)


@dataclass(frozen=True, slots=True)
class Terms:
    """How expressions are asked. metadata_labels: whether series may have the labels __type__ and __unit__.

    max_history_ms: what goes back further is read from the store. max_gathered: samples, or values of series, that a
    rule may need at one place.
    """

    context: EvaluationContext
    metadata_labels: bool = False
    max_history_ms: int = MAX_HISTORY_MS
    max_gathered: int = MAX_GATHERED


def _only_ask(rule: CompiledRule, asks: Mapping[int, int]) -> int | None:
    is_only = rule.is_alert and rule.resolve is None and rule.data is None
    return asks[id(rule.expr)] if is_only else None


def stream_group(compiled: CompiledGroup, terms: Terms) -> StreamGroup:
    """What the rules of a group ask."""
    compiler = _ExpressionCompiler(compiled, terms)
    asks = [ask for at, rule in enumerate(compiled.rules) for ask in compiler.of(at, rule)]
    gathered = (ask for ask in asks if ask.mode is EvaluationMode.GATHERED)
    return StreamGroup(
        compiled,
        asks,
        _families(asks, terms),
        united(moved(reach, ask.offset_ms) for ask in gathered for reach in ask.reaches),
    )


def _families(asks: Sequence[StreamExpression], terms: Terms) -> list[Family]:
    alike: dict[Hashable, list[int]] = defaultdict(list)
    for at, ask in enumerate(asks):
        if ask.shape is not None:
            alike[ask.offset_ms, ask.shape.key].append(at)
    found = []
    for key, members in alike.items():
        shapes = [shape for at in members if (shape := asks[at].shape) is not None]
        numbers = np.array([shape.numbers for shape in shapes], np.float64).reshape(len(members), -1)
        planned = plan(shapes[0].expression, terms.metadata_labels)
        found.append(Family(key, members, shapes[0], planned, asks[members[0]].offset_ms, numbers))
    return found


def query_of(terms: Terms, time: int) -> Query:
    """The instant query of a rule at a time in ms."""
    return instant(terms.context, time)


def moved(reach: Reach, offset_ms: int) -> Reach:
    """What is looked at from a moment that is later by an offset."""
    return Reach(reach.conditions, reach.before + offset_ms, reach.after - offset_ms)


class _ExpressionCompiler:
    """Makes the asks of a group's rules, in their order."""

    def __init__(self, group: CompiledGroup, terms: Terms) -> None:
        self._offset = group.query_offset_ms
        self._own = OwnSeries(group)
        self._terms = terms
        self._queried: set[str] = set()

    def of(self, at: int, rule: CompiledRule) -> Iterator[StreamExpression]:
        """What a rule asks, but for queries that an earlier one asks too."""
        # what tells which series have data may be the expression itself
        for expression in {id(one): one for one in (rule.expr, rule.resolve, rule.data)}.values():
            if expression is not None:
                yield self._ask(at, expression, self._offset)
        for text, expression in _queries(rule).items():
            if text not in self._queried:
                self._queried.add(text)
                yield self._ask(at, expression, 0, text)

    def _ask(self, at: int, expression: Expr, offset_ms: int, query: str | None = None) -> StreamExpression:
        own, terms = self._own.are_read(expression), self._terms
        lookback = terms.context.lookback_ms
        try:
            found = united(reaches(expression, lookback))
        except FixedTime:
            return StreamExpression(
                at, expression, offset_ms, EvaluationMode.STORED, None, (), own, False, query=query
            )
        if any(reach.before > terms.max_history_ms + lookback for reach in found):
            return StreamExpression(
                at, expression, offset_ms, EvaluationMode.STORED, None, (), own, False, query=query
            )
        if own:
            return StreamExpression(
                at, expression, offset_ms, EvaluationMode.GATHERED, None, found, own, False, query=query
            )
        planned = plan(expression, terms.metadata_labels)
        gives_nothing = expression.type is ValueType.VECTOR and is_quiet(expression)
        shape = shape_of(expression) if gives_nothing else None
        return StreamExpression(
            at, expression, offset_ms, EvaluationMode.SPLIT, planned, found, own, gives_nothing, shape, query
        )


def _queries(rule: CompiledRule) -> Mapping[str, Expr]:
    """The queries that can be parsed; others are errors when they are asked."""
    templates = [*rule.labels.values(), *rule.annotations.values()] if rule.is_alert else []
    found = {}
    for text in dict.fromkeys(text for one in templates for text in literal_queries(one)):
        try:
            found[text] = resolve(parse(text), 0, 0, text)
        except InvalidExpression:
            continue
    return found
