"""What the rules of a group ask of its samples, and where each question is answered."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

from streamgauge.promql.ast import Expr, ValueType
from streamgauge.promql.durations import resolve
from streamgauge.promql.invalid_expression import InvalidExpression
from streamgauge.promql.parser import parse
from streamgauge.promql.planner import Plan, plan
from streamgauge.promql.query import Query
from streamgauge.rules.backtest.dependencies import reads_own
from streamgauge.rules.compiled import CompiledGroup, CompiledRule, Surroundings
from streamgauge.rules.stream.quiet import is_quiet
from streamgauge.rules.stream.reach import FixedTime, Reach, reaches, united
from streamgauge.rules.stream.template_queries import literal_queries

INTERVAL_MS = 60_000
"""Of groups that name none."""
MAX_HISTORY_MS = 3_600_000
"""The longest range and offset together for which samples are kept in memory."""


class Way(Enum):
    """How an expression is evaluated.

    SPLIT: each shard evaluates its part, the parts are merged. GATHERED: over all samples that its selectors look
    at, together with what the group's rules have recorded. STORED: over what is stored, which goes back further.
    """

    SPLIT = auto()
    GATHERED = auto()
    STORED = auto()


@dataclass(frozen=True, slots=True, eq=False)
class Ask:
    """An expression of a rule, or a query of its templates.

    rule: the number of the rule. offset_ms: how much earlier than the tick it is evaluated. query: its text if a
    template asks it. plan: of a SPLIT one. reaches: what it looks at, unless it is STORED. reads_own: whether it may
    read what the group records. is_quiet: whether it gives nothing where no shard has anything for it.
    """

    rule: int
    expression: Expr
    offset_ms: int
    way: Way
    plan: Plan | None
    reaches: Sequence[Reach]
    reads_own: bool
    is_quiet: bool
    query: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class StreamGroup:
    """A group and what it asks, in the order of its rules. gathered: the selectors whose samples are shipped.

    Those reach back from the tick itself.
    """

    compiled: CompiledGroup
    asks: Sequence[Ask]
    gathered: Sequence[Reach]
    by_expression: Mapping[int, int] = field(init=False)
    """The number of the ask of a rule's expression, by its `id`."""
    by_query: Mapping[str, int] = field(init=False)
    """The number of the ask of a template's query, by its text."""

    def __post_init__(self) -> None:
        numbered = list(enumerate(self.asks))
        own = {id(ask.expression): at for at, ask in numbered if ask.query is None}
        object.__setattr__(self, "by_expression", own)
        asked = {ask.query: at for at, ask in numbered if ask.query is not None}
        object.__setattr__(self, "by_query", asked)

    @property
    def interval_ms(self) -> int:
        """How far its ticks are apart; they are multiples of it."""
        return self.compiled.group.interval_ms or INTERVAL_MS

    @property
    def reaches(self) -> list[Reach]:
        """What shards have to keep for it, from the tick on."""
        return united(moved(reach, ask.offset_ms) for ask in self.asks for reach in ask.reaches)


@dataclass(frozen=True, slots=True)
class Terms:
    """How expressions are asked. metadata_labels: whether series may have the labels __type__ and __unit__.

    max_history_ms: what goes back further is read from the store.
    """

    surroundings: Surroundings
    metadata_labels: bool = False
    max_history_ms: int = MAX_HISTORY_MS


def stream_group(compiled: CompiledGroup, terms: Terms) -> StreamGroup:
    """What the rules of a group ask."""
    asks = [ask for at, rule in enumerate(compiled.rules) for ask in _asks_of(at, rule, compiled, terms)]
    gathered = (ask for ask in asks if ask.way is Way.GATHERED)
    return StreamGroup(
        compiled, asks, united(moved(reach, ask.offset_ms) for ask in gathered for reach in ask.reaches)
    )


def query_of(terms: Terms, time: int) -> Query:
    """The instant query of a rule at a time in ms."""
    surroundings = terms.surroundings
    return Query(time, time, 1, surroundings.lookback_ms, surroundings.subquery_step_ms)


def moved(reach: Reach, offset_ms: int) -> Reach:
    """What is looked at from a moment that is later by an offset."""
    return Reach(reach.conditions, reach.before + offset_ms, reach.after - offset_ms)


def _asks_of(at: int, rule: CompiledRule, group: CompiledGroup, terms: Terms) -> Iterator[Ask]:
    # what tells which series have data may be the expression itself
    for expression in {id(one): one for one in (rule.expr, rule.resolve, rule.data)}.values():
        if expression is not None:
            yield _ask(at, expression, group, terms, group.query_offset_ms)
    for text, expression in _queries(rule).items():
        yield _ask(at, expression, group, terms, 0, text)


def _ask(
    at: int, expression: Expr, group: CompiledGroup, terms: Terms, offset_ms: int, query: str | None = None
) -> Ask:
    own = reads_own(expression, group)
    lookback = terms.surroundings.lookback_ms
    try:
        found = united(reaches(expression, lookback))
    except FixedTime:
        return Ask(at, expression, offset_ms, Way.STORED, None, (), own, False, query)
    if any(reach.before > terms.max_history_ms + lookback for reach in found):
        return Ask(at, expression, offset_ms, Way.STORED, None, (), own, False, query)
    if own:
        return Ask(at, expression, offset_ms, Way.GATHERED, None, found, own, False, query)
    planned = plan(expression, terms.metadata_labels)
    gives_nothing = expression.type is ValueType.VECTOR and is_quiet(expression)
    return Ask(at, expression, offset_ms, Way.SPLIT, planned, found, own, gives_nothing, query)


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
