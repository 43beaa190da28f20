"""The second operator of the alert job: the shards' parts of a tick become alerts, recorded series and their state."""

import logging
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from pyflink.common import Row, Types
from pyflink.datastream import KeyedProcessFunction, RuntimeContext
from pyflink.datastream.state import MapStateDescriptor

from operators.rules.evaluate_rules import PART
from operators.rules.group_output import BYTES, StoredGroup, messages
from operators.worker import restore_print
from streamgauge.config import Config
from streamgauge.garbage import freeze_heap
from streamgauge.rules.job.group_ticks import WAIT_MS, GroupTicks, Part, Parts

if TYPE_CHECKING:
    from streamgauge.rules.applied.rule_sets import RuleSet
    from streamgauge.rules.job.alert_group import AlertGroup
    from streamgauge.rules.job.group_messages import Ticked
    from streamgauge.rules.stream.compile.expressions import StreamGroup


log = logging.getLogger(__name__)


class UnreadableGroup(ValueError):
    """A group in alerts.rules that this version of the program cannot read; the text says why."""


class MergeRules(KeyedProcessFunction):
    """Keyed by a group's key in alerts.rules; in `streamgauge.rules.job`, `alert_group` has what it does, `group_ticks`
    which ticks count.

    Yields what `operators.rules.group_output` sends. State is written for what has changed only.
    """

    def __init__(self, config: Config) -> None:
        self._config = config

    def open(self, context: RuntimeContext) -> None:
        restore_print()
        from operators.rules.applied_rules import AppliedRules, terms
        from operators.rules.stored_samples import StoredSamples

        self._rules = AppliedRules(self._config)
        self._terms = terms(self._config)
        self._store = StoredSamples(self._config)
        self._groups: dict[str, tuple[GroupTicks, AlertGroup]] = {}
        self._waiting = context.get_map_state(
            MapStateDescriptor("parts-v1", Types.TUPLE([Types.LONG(), Types.INT()]), PART)
        )
        self._stored = StoredGroup(context)
        self._written = context.get_map_state(MapStateDescriptor("written-v1", Types.LONG(), BYTES))
        counters = context.get_metrics_group()
        self._ticks = counters.counter("ticks")
        self._rule_errors = counters.counter("rule_errors")
        self._dropped = counters.counter("dropped_ticks")
        self._transitions = counters.counter("transitions")
        self._left_out = counters.counter("series_left_out")
        self._oversized = counters.counter("oversized_messages")
        counters.gauge("rules", lambda: sum(len(group.state.origins) for _, group in self._groups.values()))
        freeze_heap()

    def close(self) -> None:
        self._rules.close()
        self._store.close()

    def process_element(self, row: Row, context: KeyedProcessFunction.Context) -> Iterator[object]:
        self._rules.refresh()
        key, tick, shard, *rest = row
        part = Part(*rest)
        ticks, group = self._group(key)
        taken = ticks.take(tick, shard, part)
        for dropped in taken.dropped:
            self._forget(dropped, range(self._config.alert_shards))
            self._dropped.inc()
        if taken.complete is not None:
            self._forget(tick, taken.complete.keys() - {shard})
            yield from self._merged(tick, taken.complete, key, group)
        elif tick > ticks.last:
            self._waiting.put((tick, shard), row)
            if part.is_gone:
                # nothing more will come of a group that is gone, whatever other shards say
                context.timer_service().register_event_time_timer(tick + WAIT_MS)

    def on_timer(self, timestamp: int, context: KeyedProcessFunction.OnTimerContext) -> Iterator[object]:
        key = context.get_current_key()
        ticks, group = self._group(key)
        for tick, parts in ticks.overdue(timestamp).items():
            self._forget(tick, parts)
            self._dropped.inc()
            if any(part.is_gone for part in parts.values()):
                yield from self._merged(tick, parts, key, group)

    def _merged(self, tick: int, parts: Parts, key: str, group: "AlertGroup") -> Iterator[object]:
        self._ticks.inc()
        gone = [part for part in parts.values() if part.is_gone]
        if gone:
            ticked = group.end(tick, parts, gone[0].rule_set)
            del self._groups[key]
            self._stored.clear()
            self._written.clear()
        else:
            version = next(iter(parts.values())).rule_set
            try:
                ticked = group.tick(tick, parts, self._rules.of_version(version))
            except UnreadableGroup as fault:
                # it was evaluated by another version of this program, and a part has waited in the state
                log.error("tick dropped: group=%s tick=%d cause=%s", key, tick, fault)
                self._dropped.inc()
                return
            self._stored.write(tick, group.state, ticked)
            self._store_written(tick, group, ticked)
        self._rule_errors.inc(sum(bool(error) for error in ticked.outcome.errors))
        self._transitions.inc(len(ticked.triggered))
        self._left_out.inc(ticked.outcome.left_out)
        self._oversized.inc(ticked.oversized)
        self._dropped.inc(int(ticked.is_dropped))
        yield from messages(ticked, tick + self._config.alerts.lag_ms)

    def _store_written(self, tick: int, group: "AlertGroup", ticked: "Ticked") -> None:
        from streamgauge.rules.machine.group_codec import encode_written

        if group.reads_own:
            self._written.put(tick, encode_written(ticked.outcome.written))
            for past in ticked.forgotten:
                self._written.remove(past)

    def _forget(self, tick: int, shards: Iterable[int]) -> None:
        for shard in shards:
            self._waiting.remove((tick, shard))

    def _group(self, key: str) -> "tuple[GroupTicks, AlertGroup]":
        """The group; taken up from the state when this worker first meets it."""
        found = self._groups.get(key)
        if found is None:
            found = self._groups[key] = self._taken_up(key)
        return found

    def _taken_up(self, key: str) -> "tuple[GroupTicks, AlertGroup]":
        from streamgauge.rules.job.alert_group import AlertGroup
        from streamgauge.rules.machine.group_codec import decode_written

        ticks = GroupTicks(self._config.alert_shards, self._stored.last)
        for (tick, shard), row in list(self._waiting.items()):
            ticks.take(tick, shard, Part(*list(row)[3:]))
        group = AlertGroup(
            key,
            self._stored.read(),
            self._config.alerts,
            self._config.layout.lanes,
            self._terms,
            self._store,
            self._compiled,
        )
        written = sorted((tick, decode_written(data)) for tick, data in self._written.items())
        group.written.extend(written)
        return ticks, group

    def _compiled(self, rules: "RuleSet", key: str) -> "StreamGroup":
        from streamgauge.rules.stream.shard.shard_rules import stream_groups

        groups, faults = stream_groups({key: rules.groups[key]}, self._terms)
        if key in faults:
            raise UnreadableGroup(faults[key])
        return groups[key]
