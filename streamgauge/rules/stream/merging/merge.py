"""Merges the partials of all shards into the result of each rule of a group."""

from collections.abc import Callable, Iterable, Sequence
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt

from streamgauge.promql.data.query import Source
from streamgauge.rules.machine.alerts import Failure, Result
from streamgauge.rules.machine.compiled import CompiledRule
from streamgauge.rules.machine.evaluation import Evaluation, Point
from streamgauge.rules.stream.compile.expressions import StreamGroup, Terms
from streamgauge.rules.stream.compile.recorded import Recorded
from streamgauge.rules.stream.merging.answers import TickAnswers
from streamgauge.rules.stream.merging.family_answers import Blocks
from streamgauge.rules.stream.parts.partials import InvalidPartial, ShardPartial, decode

Outcome = Result | list[Point] | Failure
"""What the state machine of a rule's alerts needs to know, the series that it records, or why there is nothing."""
NOTHING = Result()
"""The outcome, this very object, of each alert whose expression gives no series and that needs to know no more."""
Written = Callable[[int, Outcome], Iterable[Point]]


class MixedPartials(Exception):
    """Partials that do not belong together: of other rules or another tick, or two of one shard."""


def _nothing(_: int, __: Outcome) -> Iterable[Point]:
    return ()


class GroupMerge:
    """Evaluates a group at one tick after the other from what its shards give.

    seconds, samples: what each rule has cost at the last tick, in all shards and here.
    """

    def __init__(
        self,
        group: StreamGroup,
        version: str,
        terms: Terms,
        store: Source | None = None,
    ) -> None:
        """Take a group as `shard.stream_groups` gives it.

        :param version: of the rule set. :param store: what goes back further than shards do is read from it.
        """
        self.group = group
        self.version = version
        self._terms = terms
        self._store = store
        own = [ask for ask in group.asks if ask.reads_own]
        history = max((reach.before + ask.offset_ms for ask in own for reach in ask.reaches), default=0)
        self._recorded = Recorded(history, bool(own))
        self._blocks = Blocks()
        self._rule_of = np.array([ask.rule for ask in group.asks], np.int64)
        self.seconds = [0.0] * len(group.compiled.rules)
        self.samples = [0] * len(group.compiled.rules)

    def results(self, tick: int, partials: Iterable[bytes], written: Written = _nothing) -> list[Outcome]:
        """What each rule gives at a tick (ms), in the order of the group.

        :param written: is told what each rule gives, by its number, and says which series that makes it write at the
            tick less the offset: recorded ones, those of alerts, stale markers. Later rules, and later ticks, see them.
        :raises InvalidPartial: for bytes that are no partial. :raises MixedPartials: for those that are not of one
            tick and one rule set.
        """
        answers = TickAnswers(
            self.group,
            self._terms,
            tick,
            self._decoded(tick, partials),
            self._recorded,
            self._store,
            self._blocks,
        )
        offset = self.group.compiled.query_offset_ms
        evaluation = Evaluation(answers, self._terms.context, tick, offset)
        began = perf_counter()
        asked = answers.asked()
        share = (perf_counter() - began) / max(1, len(self.seconds))
        found: list[Outcome] = []
        for at, (rule, ask) in enumerate(zip(self.group.compiled.rules, self.group.simple, strict=True)):
            if ask is not None and ask not in asked:
                outcome: Outcome = NOTHING
            else:
                began = perf_counter()
                outcome = self._outcome(evaluation, rule)
                self.seconds[at] += perf_counter() - began
            self.seconds[at] += share
            found.append(outcome)
            self._recorded.put(written(at, outcome), tick - offset)
        self._recorded.prune(tick)
        return found

    def _outcome(self, evaluation: Evaluation, rule: CompiledRule) -> Outcome:
        if rule.is_alert:
            return evaluation.observe(rule)
        return evaluation.record(rule, self.group.compiled.group.limit)

    def remember(self, points: Iterable[Point], tick: int) -> None:
        """Take what the group has written at an earlier tick, in the order of ticks, after the state was lost."""
        self._recorded.put(points, tick - self.group.compiled.query_offset_ms)

    def _decoded(self, tick: int, partials: Iterable[bytes]) -> list[ShardPartial]:
        self._blocks.turn()
        found = sorted((decode(data) for data in partials), key=lambda one: one.shard)
        for one in found:
            if one.version != self.version:
                raise MixedPartials(f"a partial of the rules {one.version!r} instead of {self.version!r}")
            if one.tick != tick:
                raise MixedPartials(f"a partial of the tick {one.tick} instead of {tick}")
            self._check(one)
        if len({one.shard for one in found}) < len(found):
            raise MixedPartials("two partials of one shard")
        self.seconds = self._by_rule([one.seconds for one in found])
        self.samples = list(map(int, self._by_rule([one.samples for one in found])))
        return found

    def _by_rule(self, shards: Sequence[npt.NDArray[Any]]) -> list[float]:
        asks = np.sum([np.zeros(len(self._rule_of)), *shards], axis=0)
        found: list[float] = np.bincount(self._rule_of, asks, len(self.group.compiled.rules)).tolist()
        return found

    def _check(self, partial: ShardPartial) -> None:
        asks = len(self.group.asks)
        if partial.seconds.shape != (asks,) or partial.samples.shape != (asks,):
            raise InvalidPartial(f"costs that are not of {asks} expressions")
        if max([*partial.answers, *partial.failures], default=0) >= max(1, asks):
            raise InvalidPartial(f"an answer beyond {asks} expressions")
        if max(partial.families, default=0) >= max(1, len(self.group.families)):
            raise InvalidPartial("rows of a family that is none")
        if max(partial.gathered, default=0) >= max(1, len(self.group.gathered)):
            raise InvalidPartial("samples of a selector that is not gathered")
