"""The first operator of the alert job: evaluates each shard's part of every group of rules, tick by tick."""

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pyflink.common import Row, Types
from pyflink.datastream import KeyedProcessFunction, RuntimeContext
from pyflink.datastream.state import MapStateDescriptor, ValueStateDescriptor

from operators.rules.tick_timers import TickTimers
from operators.worker import Growth, restore_print
from streamgauge.config import Config
from streamgauge.garbage import freeze_heap

log = logging.getLogger(__name__)

if TYPE_CHECKING:
    from streamgauge.rules.job.shard import Shard

PART = Types.ROW_NAMED(
    ["group", "tick", "shard", "rule_set", "is_gone", "payload", "newest", "gap_ms", "state_bytes"],
    [
        Types.STRING(),
        Types.LONG(),
        Types.INT(),
        Types.STRING(),
        Types.BOOLEAN(),
        Types.PRIMITIVE_ARRAY(Types.BYTE()),
        Types.LONG(),
        Types.LONG(),
        Types.LONG(),
    ],
)
"""The part of a shard in a group's tick; see `streamgauge.rules.job.group_ticks.Part`."""
_PLACE = Types.TUPLE([Types.LONG(), Types.INT(), Types.LONG(), Types.INT(), Types.LONG()])
_PAYLOAD = Types.PRIMITIVE_ARRAY(Types.BYTE())


class EvaluateRules(KeyedProcessFunction):
    """Keyed by shard; `streamgauge.rules.job.shard` has what it does. Yields PARTs.

    Batches are kept compressed in Flink's state as long as any rule looks at them, and their samples in memory beside
    it. Ticks are cut by when a batch was sent, not by the times of its samples: whatever was sent up to a tick counts
    at it, so a replay evaluates the same ticks on the same data.
    """

    def __init__(self, config: Config) -> None:
        self._config = config

    def open(self, context: RuntimeContext) -> None:
        restore_print()
        from operators.rules.applied_rules import AppliedRules, terms

        self._rules = AppliedRules(self._config)
        self._terms = terms(self._config)
        self._generation = 0
        self._batches = context.get_map_state(MapStateDescriptor("batches-v1", _PLACE, _PAYLOAD))
        self._time = context.get_state(ValueStateDescriptor("time-v1", Types.STRING()))
        self._set = context.get_state(ValueStateDescriptor("rule-set-v1", Types.STRING()))
        self._shards: dict[int, Shard] = {}
        self._learned: dict[int, int] = {}
        self._timers = TickTimers()
        self._growth = Growth()
        counters = context.get_metrics_group()
        self._ticks = counters.counter("ticks")
        self._counted_batches = counters.counter("batches")
        self._skipped = counters.counter("skipped")
        self._gaps = counters.counter("gaps")
        counters.gauge("state_bytes", lambda: sum(shard.nbytes for shard in self._shards.values()))
        freeze_heap()

    def close(self) -> None:
        self._rules.close()

    def process_element(self, row: Row, context: KeyedProcessFunction.Context) -> None:
        from schemas.batches.batch import minute_of
        from schemas.topics import MAX_FUTURE_MS
        from streamgauge.rules.job.shard import BatchKey

        lane, sent, partition, offset, payload = row
        key = context.get_current_key()
        shard = self._shard(key)
        skipped = shard.skipped
        newest = context.timestamp()
        seen = min(sent, newest + MAX_FUTURE_MS)
        shard.take(BatchKey(sent, partition, offset, lane, minute_of(newest)), payload, seen)
        if payload:
            self._counted_batches.inc()
        self._skipped.inc(shard.skipped - skipped)
        if shard.time.is_ahead and shard.next_tick is not None:
            self._time.update(shard.time.encode())
        self._timers.call_out(shard.next_tick, context)

    def on_timer(self, timestamp: int, context: KeyedProcessFunction.OnTimerContext) -> Iterator[Row]:
        self._growth.settle()
        key = context.get_current_key()
        shard = self._shard(key)
        # PyFlink lets the timers that a timer sets wait for more to come
        watermark = max(timestamp, context.timer_service().current_watermark())
        for found in shard.run(watermark):
            self._ticks.inc()
            self._gaps.inc(int(found.gap_ms > 0))
            if found.gap_ms:
                log.warning("nothing was sent: shard=%d tick=%d gap_ms=%d", key, found.tick, found.gap_ms)
            if found.is_new:
                self._set.update(shard.rules.encode())
            for group, part in found.parts.items():
                yield Row(group, found.tick, key, *part)
        self._time.update(shard.time.encode())
        # a tick for which the shard has not come far enough is called out again when it has
        self._timers.forget(key)
        if shard.next_tick is not None and shard.next_tick > watermark:
            self._timers.call_out(shard.next_tick, context)

    def _shard(self, key: int) -> "Shard":
        """The shard with the newest rules; taken up from the state when this worker first meets it."""
        self._generation += self._rules.refresh()
        shard = self._shards.get(key)
        if shard is None:
            shard = self._shards[key] = self._taken_up(key)
        elif self._learned[key] != self._generation:
            shard.learn()
        if self._learned.get(key) != self._generation:
            self._growth.noticed()
        self._learned[key] = self._generation
        return shard

    def _taken_up(self, key: int) -> "Shard":
        from functools import partial

        from streamgauge.rules.job.shard import Rules, Shard
        from streamgauge.rules.job.shard_time import ShardTime
        from streamgauge.store.priming import prime

        return Shard(
            key,
            self._config.layout.lanes,
            self._rules.timeline,
            self._terms,
            self._batches,
            ShardTime(self._time.value()),
            Rules.decode(self._set.value()),
            partial(prime, self._config),
        )
