"""What one shard does at a tick: its part of every group that is due."""

from collections.abc import Mapping, Sequence
from time import perf_counter

import numpy as np

from schemas.rule_files import Group
from streamgauge.promql.data.faults import InvalidQuery
from streamgauge.promql.data.query import Limits
from streamgauge.promql.plan.lanes import LaneAnswer, NotByLanes, run_lane
from streamgauge.promql.syntax.invalid_expression import InvalidExpression
from streamgauge.rules.applied.rule_sets import RuleSet
from streamgauge.rules.machine.compiled import compile_group
from streamgauge.rules.stream.compile.expressions import (
    EvaluationMode,
    StreamExpression,
    StreamGroup,
    Terms,
    query_of,
    stream_group,
)
from streamgauge.rules.stream.compile.reach import Reach, united
from streamgauge.rules.stream.parts.label_blocks import Rows
from streamgauge.rules.stream.parts.partials import Gathered, ShardPartial, encode
from streamgauge.rules.stream.samples.leaves import LeafValues
from streamgauge.rules.stream.samples.window import Window
from streamgauge.rules.stream.shard.gathering import shipped, too_many
from streamgauge.rules.stream.shard.shard_families import LeafAt, ShardFamily, shard_families
from streamgauge.rules.templates.faults import InvalidTemplate

METADATA_LABELS = "series have the labels __type__ or __unit__: set alerts.metadata_labels"


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
    ) -> None:
        """Compile all groups.

        :param shard: the number of this one. :param query_offset_ms: of groups that name none.
        """
        self.rules = rules
        groups, self.faults = stream_groups(rules.groups, terms, query_offset_ms)
        # what is evaluated most often is what somebody waits for, and is told first
        self.groups = dict(sorted(groups.items(), key=lambda each: each[1].interval_ms))
        self._terms = terms
        self._shard = shard
        self._families = shard_families(self.groups, terms)
        self._single = {
            key: [
                at
                for at, ask in enumerate(group.asks)
                if ask.mode is EvaluationMode.SPLIT and at not in group.family_of
            ]
            for key, group in self.groups.items()
        }

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
        due = {key: _Due(group) for key, group in self.groups.items() if tick % group.interval_ms == 0}
        read: dict[LeafAt, LeafValues] = {}
        for family in self._families:
            if family.members[0].group in due:
                self._evaluate_family(family, window, tick, read, due)
        for key, group in due.items():
            for at in self._single[key]:
                self._evaluate_alone(group, at, window, tick)
        return {key: encode(self._partial(group, window, tick)) for key, group in due.items()}

    def _partial(self, due: "_Due", window: Window, tick: int) -> ShardPartial:
        gathered = self._gathered(due.group, window, tick)
        # most groups gather nothing, and there may be ten thousand rules a tick
        for at, ask in enumerate(due.group.asks if gathered else ()):
            if ask.mode is EvaluationMode.GATHERED:
                wanted = {reach.conditions for reach in ask.reaches}
                due.samples[at] = sum(
                    len(found.samples.values)
                    for number, found in gathered.items()
                    if due.group.gathered[number].conditions in wanted
                )
        return ShardPartial(
            self.rules.version,
            tick,
            self._shard,
            due.answers,
            due.families,
            due.failures,
            gathered,
            due.seconds,
            due.samples,
        )

    def _evaluate_family(
        self,
        family: ShardFamily,
        window: Window,
        tick: int,
        read: dict[LeafAt, LeafValues],
        due: "Mapping[str, _Due]",
    ) -> None:
        began = perf_counter()
        try:
            alone = family.alone(window)
            found = family.evaluate(window, tick, read)
        except InvalidQuery:
            # each member then has its own error, or none
            alone, found = family.members, {}
        share = (perf_counter() - began) / len(family.members)
        for part in family.parts:
            partial = due[part.group]
            partial.seconds[part.asks] = share
            partial.samples[part.asks] = family.samples[part.members]
            if part.group in found:
                partial.families[part.family] = found[part.group]
        for member in alone:
            self._evaluate_alone(due[member.group], member.ask, window, tick)

    def _evaluate_alone(self, due: "_Due", at: int, window: Window, tick: int) -> None:
        began = perf_counter()
        ask = due.group.asks[at]
        try:
            answer = self._answer(due.group, ask, window, tick)
            due.samples[at] = answer.samples
            if not (ask.is_quiet and is_empty(answer)):
                due.answers[at] = answer
        except InvalidQuery as fault:
            due.failures[at] = str(fault)
        except NotByLanes:
            due.failures[at] = METADATA_LABELS
        except _TooMany as fault:
            due.failures[at] = str(fault)
        due.seconds[at] += perf_counter() - began

    def _answer(self, group: StreamGroup, ask: StreamExpression, window: Window, tick: int) -> LaneAnswer:
        if ask.plan is None:
            raise TypeError("an expression that is not split")
        answer = run_lane(ask.plan, query_of(self._terms, tick - ask.offset_ms), window, Limits())
        if (count := shipped(answer)) > self._terms.max_gathered:
            name = group.compiled.rules[ask.rule].rule.name
            raise _TooMany(too_many(name, count, self._terms.max_gathered))
        return answer

    def _gathered(self, group: StreamGroup, window: Window, tick: int) -> dict[int, Gathered]:
        found = {}
        for at, reach in enumerate(group.gathered):
            labels, samples = window.fetch(reach.conditions, tick - reach.before, tick + reach.after)
            if labels:
                found[at] = Gathered(labels, samples)
        return found


class _Due:
    """A group at a tick, and what there is of its partial so far."""

    def __init__(self, group: StreamGroup) -> None:
        self.group = group
        self.answers: dict[int, LaneAnswer] = {}
        self.families: dict[int, Sequence[Rows]] = {}
        self.failures: dict[int, str] = {}
        self.seconds = np.zeros(len(group.asks), np.float32)
        self.samples = np.zeros(len(group.asks), np.uint32)


class _TooMany(Exception):
    pass


def is_empty(answer: LaneAnswer) -> bool:
    """Whether no part has any series or group."""
    return not any(part.labels.count for part in answer.partials)
