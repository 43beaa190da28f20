"""What the expressions of a group give at one tick, from what all shards have shipped."""

from collections.abc import Sequence

from streamgauge.promql.data.faults import InvalidQuery, QueryFault
from streamgauge.promql.data.query import Source
from streamgauge.promql.plan.lanes import LaneAnswer, finish
from streamgauge.promql.syntax.ast import Expr
from streamgauge.promql.syntax.durations import resolve
from streamgauge.promql.syntax.parser import parse
from streamgauge.rules.machine.evaluation import Point, points, points_of
from streamgauge.rules.stream.compile.expressions import (
    EvaluationMode,
    StreamExpression,
    StreamGroup,
    Terms,
    query_of,
)
from streamgauge.rules.stream.compile.recorded import Overlaid, Recorded, Rows, Shipped, united
from streamgauge.rules.stream.merging.family_answers import Blocks, FamilyAnswers
from streamgauge.rules.stream.parts.partials import ShardPartial
from streamgauge.rules.stream.shard.gathering import shipped, too_many

NO_STORE = "it looks back further than the samples in memory, and the store cannot be read here"
NO_QUERY = "only literal queries are supported here, not those that the template assembles"


class TickAnswers:
    """`evaluation.Answers` of one group at one tick.

    :param partials: of all shards, in the order of their numbers. :param recorded: what the group has written so far.
    :param store: what goes back further than shards do is read from it. :param blocks: labels that were read before.
    """

    def __init__(
        self,
        group: StreamGroup,
        terms: Terms,
        tick: int,
        partials: Sequence[ShardPartial],
        recorded: Recorded,
        store: Source | None,
        blocks: Blocks,
    ) -> None:
        self._group = group
        self._terms = terms
        self._tick = tick
        self._partials = partials
        self._recorded = recorded
        self._store = store
        self._blocks = blocks
        self._rows: dict[int, Rows] = {}
        self._together: dict[int, FamilyAnswers] = {}

    def asked(self) -> set[int]:
        """The asks that may give anything or fail; all others are quiet and give nothing."""
        found = set(self._group.loud)
        for partial in self._partials:
            found.update(partial.answers, partial.failures)
        for number in {number for partial in self._partials for number in partial.families}:
            points = self._together_at(number).points
            found.update(self._group.families[number].asks if points is None else points)
        return found

    def points(self, expression: Expr, time: int) -> list[Point]:
        """The series of an expression of a rule at a time in ms.

        :raises InvalidQuery: for what it asks, in a shard or here.
        """
        return self._answered(self._group.by_expression[id(expression)], time)

    def queried(self, text: str, time: int) -> list[Point]:
        """The series of a query that a template asks.

        :raises InvalidQuery, InvalidExpression: for what it asks.
        """
        at = self._group.by_query.get(text)
        if at is not None:
            return self._answered(at, time)
        expression = resolve(parse(text), 0, 0, text)
        return points(expression, self._stored(NO_QUERY), self._terms.context, time)

    def _answered(self, at: int, time: int) -> list[Point]:
        ask = self._group.asks[at]
        match ask.mode:
            case EvaluationMode.SPLIT:
                return self._merged(at, ask, time)
            case EvaluationMode.GATHERED:
                return points(ask.expression, self._gathered(ask), self._terms.context, time)
            case EvaluationMode.STORED:
                return points(ask.expression, self._stored(NO_STORE), self._terms.context, time)

    def _merged(self, at: int, ask: StreamExpression, time: int) -> list[Point]:
        for partial in self._partials:
            if at in partial.failures:
                raise InvalidQuery(QueryFault.NOT_SUPPORTED, partial.failures[at])
        alone = [partial.answers[at] for partial in self._partials if at in partial.answers]
        family = self._group.family_of.get(at)
        if family is None:
            return self._finished(ask, alone, time)
        together = self._together_at(family)
        if together.points is not None and not alone:
            return together.points.get(at, [])
        return self._finished(ask, [*alone, *together.of(self._group.families[family].asks.index(at))], time)

    def _finished(self, ask: StreamExpression, answers: Sequence[LaneAnswer], time: int) -> list[Point]:
        if ask.plan is None or (ask.is_quiet and not answers):
            return []
        self._check_size(ask, sum(map(shipped, answers)))
        return points_of(finish(ask.plan, query_of(self._terms, time), answers).value)

    def _together_at(self, number: int) -> FamilyAnswers:
        found = self._together.get(number)
        if found is None:
            family = self._group.families[number]
            shards = [partial.families[number] for partial in self._partials if number in partial.families]
            found = FamilyAnswers(family, self._blocks.answers(shards, family))
            found.evaluate(query_of(self._terms, self._tick - family.offset_ms), self._terms.max_gathered)
            self._together[number] = found
        return found

    def _gathered(self, ask: StreamExpression) -> Source:
        wanted = {reach.conditions for reach in ask.reaches}
        places = {at: one for at, one in enumerate(self._group.gathered) if one.conditions in wanted}
        for at in places:
            if at not in self._rows:
                shards = [partial.gathered[at] for partial in self._partials if at in partial.gathered]
                self._rows[at] = united([(one.labels, one.samples) for one in shards])
        self._check_size(ask, sum(len(self._rows[at][1].values) for at in places))
        there = Shipped({one.conditions: self._rows[at] for at, one in places.items()})
        return Overlaid(there, self._recorded)

    def _stored(self, without: str) -> Source:
        if self._store is None:
            raise InvalidQuery(QueryFault.NOT_SUPPORTED, without)
        return Overlaid(self._store, self._recorded) if self._recorded.is_used else self._store

    def _check_size(self, ask: StreamExpression, count: int) -> None:
        if count > self._terms.max_gathered:
            name = self._group.compiled.rules[ask.rule].rule.name
            raise InvalidQuery(QueryFault.TOO_MANY_SAMPLES, too_many(name, count, self._terms.max_gathered))
