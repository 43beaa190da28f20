"""Dependencies between rules through recorded series, and the order of evaluation of groups."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from streamgauge.promql.syntax.ast import Expr, Subquery, VectorSelector, walk
from streamgauge.rules.machine.compiled import CompiledGroup, CompiledRule
from streamgauge.rules.machine.evaluation import ALERT_NAME, ALERTS, FOR_STATE
from streamgauge.series.labels import NAME
from streamgauge.series.matchers import Matcher, metric_of


class RuleKey(NamedTuple):
    """A rule by the numbers of its group and its own."""

    group: int
    rule: int


class Component(NamedTuple):
    """Groups that are evaluated together, in this order.

    is_cyclic: whether some rule reads what it or a later one records, or what is recorded for times before the ticks
    at which it is, so that ticks come one after another.
    """

    groups: tuple[int, ...]
    is_cyclic: bool


@dataclass(frozen=True, slots=True)
class Dependencies:
    """components: each after those that it reads from. read: the names of recorded series that are read.

    readers: the rules whose expressions read any.
    """

    components: Sequence[Component]
    read: frozenset[str] = frozenset()
    readers: frozenset[RuleKey] = field(default_factory=frozenset)


def dependencies(groups: Sequence[CompiledGroup]) -> Dependencies:
    """Who reads what, by the selectors of expressions and the names that stand in templates which query."""
    writers, alert_names = _writers(groups)
    edges: dict[int, set[int]] = {at: set() for at in range(len(groups))}
    read: set[str] = set()
    readers: set[RuleKey] = set()
    backward: set[int] = set()
    for place, rule in _rules(groups):
        sources = list(_selected(rule, writers, alert_names))
        readers |= {place} if sources else set()
        own_offset = groups[place.group].query_offset_ms
        # expressions look back by the group's offset, queries of templates do not
        reads = [(*source, own_offset) for source in sources]
        reads += [(*source, 0) for source in _queried(rule, writers)]
        for name, writer, offset in reads:
            read.add(name)
            # what later ticks write under earlier times must not be seen yet
            is_ahead = groups[writer.group].query_offset_ms > offset
            if writer.group != place.group:
                edges[place.group].add(writer.group)
                if is_ahead:
                    edges[writer.group].add(place.group)
            elif writer.rule >= place.rule or is_ahead:
                backward.add(place.group)
    parts = [
        Component(tuple(part), len(part) > 1 or not backward.isdisjoint(part)) for part in components(edges)
    ]
    return Dependencies(parts, frozenset(read), frozenset(readers))


class OwnSeries:
    """The series that the rules of a group record, those of their alerts among them."""

    def __init__(self, group: CompiledGroup) -> None:
        self._writers, self._alert_names = _writers([group])

    def are_read(self, expression: Expr) -> bool:
        """Whether an expression may read any of them."""
        return any(True for _ in _read([expression], self._writers, self._alert_names))


def components(edges: Mapping[int, set[int]]) -> list[list[int]]:
    """The strongly connected parts of a graph, each after those to which its edges lead; Tarjan's algorithm."""
    number: dict[int, int] = {}
    low: dict[int, int] = {}
    path: list[int] = []
    found: list[list[int]] = []
    for root in edges:
        if root in number:
            continue
        number[root] = low[root] = len(number)
        path.append(root)
        waiting = [(root, iter(sorted(edges[root])))]
        while waiting:
            node, targets = waiting[-1]
            target = next(targets, None)
            if target is None:
                waiting.pop()
                if waiting:
                    low[waiting[-1][0]] = min(low[waiting[-1][0]], low[node])
                if low[node] == number[node]:
                    at = path.index(node)
                    found.append(sorted(path[at:]))
                    del path[at:]
            elif target not in number:
                number[target] = low[target] = len(number)
                path.append(target)
                waiting.append((target, iter(sorted(edges[target]))))
            elif target in path:
                low[node] = min(low[node], number[target])
    return found


def sees_ahead(expression: Expr) -> bool:
    """Whether a part looks at a time that is not a fixed way back from the tick, later than it perhaps."""
    for part in walk(expression):
        if isinstance(part, VectorSelector | Subquery):
            is_later = not isinstance(part.offset, int) or part.offset < 0
            if part.at is not None or is_later or (isinstance(part, VectorSelector) and part.smoothed):
                return True
    return False


def _rules(groups: Sequence[CompiledGroup]) -> Iterator[tuple[RuleKey, CompiledRule]]:
    for at, group in enumerate(groups):
        for number, rule in enumerate(group.rules):
            yield RuleKey(at, number), rule


def _writers(
    groups: Sequence[CompiledGroup],
) -> tuple[Mapping[str, Sequence[RuleKey]], Mapping[RuleKey, str]]:
    """The rules that write series of each name, and the alerts' names of those that raise any."""
    writers: dict[str, list[RuleKey]] = defaultdict(list)
    for place, rule in _rules(groups):
        for name in (ALERTS, FOR_STATE) if rule.is_alert else (rule.rule.name,):
            writers[name].append(place)
    return writers, {place: rule.rule.name for place, rule in _rules(groups) if rule.is_alert}


def _selected(
    rule: CompiledRule, writers: Mapping[str, Sequence[RuleKey]], alert_names: Mapping[RuleKey, str]
) -> Iterator[tuple[str, RuleKey]]:
    """What the expressions of a rule may read: names, with the rules that write them."""
    expressions = [one for one in (rule.expr, rule.resolve, rule.data) if one is not None]
    return _read(expressions, writers, alert_names)


def _read(
    expressions: Iterable[Expr], writers: Mapping[str, Sequence[RuleKey]], alert_names: Mapping[RuleKey, str]
) -> Iterator[tuple[str, RuleKey]]:
    for part in (part for one in expressions for part in walk(one)):
        if not isinstance(part, VectorSelector):
            continue
        conditions = part.conditions
        name = metric_of(conditions)
        for candidate in writers if name is None else (name,):
            if not _may_be(conditions, NAME, candidate):
                continue
            for writer in writers.get(candidate, ()):
                alert = alert_names.get(writer)
                if alert is None or _may_be(conditions, ALERT_NAME, alert):
                    yield candidate, writer


def _may_be(conditions: Sequence[Matcher], label: str, value: str) -> bool:
    return all(one.matches(value.encode()) for one in conditions if one.name == label)


def _queried(rule: CompiledRule, writers: Mapping[str, Sequence[RuleKey]]) -> Iterator[tuple[str, RuleKey]]:
    if not rule.is_alert:
        return
    texts = [*rule.rule.labels.values(), *rule.rule.annotations.values()]
    text = "\n".join(one for one in texts if "{{" in one and "query" in one)
    for name in writers if text else ():
        if name in text:
            yield from ((name, writer) for writer in writers[name])
