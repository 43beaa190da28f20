"""What one shard does at a tick: its part of every group that is due."""

from collections.abc import Mapping
from time import perf_counter

import numpy as np

from schemas.rule_files import Group
from streamgauge.promql.faults import InvalidQuery
from streamgauge.promql.invalid_expression import InvalidExpression
from streamgauge.promql.lanes import LaneAnswer, NotByLanes, run_lane
from streamgauge.promql.query import Limits
from streamgauge.rules.applied.rule_sets import RuleSet
from streamgauge.rules.compiled import compile_group
from streamgauge.rules.stream.asks import Ask, StreamGroup, Terms, Way, query_of, stream_group
from streamgauge.rules.stream.gathering import MAX_GATHERED, shipped, too_many
from streamgauge.rules.stream.partials import Gathered, ShardPartial, encode
from streamgauge.rules.stream.reach import Reach, united
from streamgauge.rules.stream.window import Window
from streamgauge.rules.templates.faults import InvalidTemplate

METADATA_LABELS = (
    "series have the labels __type__ or __unit__, which rules have to be told: alerts.metadata_labels"
)


def stream_groups(
    groups: Mapping[str, Group], terms: Terms, query_offset_ms: int = 0
) -> tuple[dict[str, StreamGroup], dict[str, str]]:
    """The groups by their keys, and why others cannot be read.

    :param query_offset_ms: of groups that name none.
    """
    found, faults = {}, {}
    for key, group in groups.items():
        try:
            found[key] = stream_group(compile_group(group, query_offset_ms), terms)
        except (InvalidExpression, InvalidTemplate) as fault:
            faults[key] = str(fault)
    return found, faults


class ShardRules:
    """A rule set as one shard evaluates it.

    groups: by their keys. faults: of groups that cannot be read, which are left out, by their keys.
    """

    def __init__(
        self,
        rules: RuleSet,
        terms: Terms,
        shard: int,
        query_offset_ms: int = 0,
        max_gathered: int = MAX_GATHERED,
    ) -> None:
        """Compile all groups.

        :param shard: the number of this one. :param query_offset_ms: of groups that name none.
        :param max_gathered: how many samples of a rule may leave the shard.
        """
        self.rules = rules
        self.groups, self.faults = stream_groups(rules.groups, terms, query_offset_ms)
        self._terms = terms
        self._shard = shard
        self._max_gathered = max_gathered

    @property
    def reaches(self) -> list[Reach]:
        """The selectors that a window has to look at, and how far back."""
        return united(reach for group in self.groups.values() for reach in group.reaches)

    def due(self, after: int, upto: int) -> list[int]:
        """The ticks (ms) after one time up to another, not before the set counts, at which any group is evaluated.

        Those are the multiples of each group's interval.
        """
        first = max(after + 1, self.rules.effective_from)
        ticks: set[int] = set()
        for every in {group.interval_ms for group in self.groups.values()}:
            ticks.update(range(-(-first // every) * every, upto + 1, every))
        return sorted(ticks)

    def evaluate(self, window: Window, tick: int) -> dict[str, bytes]:
        """The partial of each group that is due at a tick (ms), by its key."""
        return {
            key: encode(self._evaluated(group, window, tick))
            for key, group in self.groups.items()
            if tick % group.interval_ms == 0
        }

    def _evaluated(self, group: StreamGroup, window: Window, tick: int) -> ShardPartial:
        answers: dict[int, LaneAnswer] = {}
        failures: dict[int, str] = {}
        seconds, samples = np.zeros(len(group.asks), np.float32), np.zeros(len(group.asks), np.uint32)
        for at, ask in enumerate(group.asks):
            if ask.way is not Way.SPLIT:
                continue
            began = perf_counter()
            try:
                answer = self._answer(group, ask, window, tick)
                samples[at] = answer.samples
                if not (ask.is_quiet and is_empty(answer)):
                    answers[at] = answer
            except InvalidQuery as fault:
                failures[at] = str(fault)
            except NotByLanes:
                failures[at] = METADATA_LABELS
            except _TooMany as fault:
                failures[at] = str(fault)
            seconds[at] = perf_counter() - began
        gathered = self._gathered(group, window, tick)
        version = self.rules.version
        return ShardPartial(version, tick, self._shard, answers, failures, gathered, seconds, samples)

    def _answer(self, group: StreamGroup, ask: Ask, window: Window, tick: int) -> LaneAnswer:
        if ask.plan is None:
            raise TypeError("an expression that is not split")
        answer = run_lane(ask.plan, query_of(self._terms, tick - ask.offset_ms), window, Limits())
        if (count := shipped(answer)) > self._max_gathered:
            name = group.compiled.rules[ask.rule].rule.name
            raise _TooMany(too_many(name, count, self._max_gathered))
        return answer

    def _gathered(self, group: StreamGroup, window: Window, tick: int) -> dict[int, Gathered]:
        found = {}
        for at, reach in enumerate(group.gathered):
            labels, samples = window.fetch(reach.conditions, tick - reach.before, tick + reach.after)
            if labels:
                found[at] = Gathered(labels, samples)
        return found


class _TooMany(Exception):
    pass


def is_empty(answer: LaneAnswer) -> bool:
    """Whether no part has any series or group."""
    return not any(part.labels.count for part in answer.partials)
