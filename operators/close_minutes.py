"""The first operator of the rollup job: a minute of a lane becomes a raw block and a rollup row."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pyflink.common import Row, Types
from pyflink.datastream import KeyedProcessFunction, RuntimeContext, TimeDomain
from pyflink.datastream.state import ListStateDescriptor

from operators.worker import restore_print
from streamgauge.config import Config

if TYPE_CHECKING:
    from streamgauge.series.samples import Samples

CLOSED_MINUTE = Types.ROW_NAMED(["lane", "minute", "late"], [Types.INT(), Types.LONG(), Types.BOOLEAN()])
MINUTE_MS = 60_000
BUFFER = "batches-v1"


class CloseMinutes(KeyedProcessFunction):
    """Keyed by (lane, minute). Batches wait, compressed, in Flink's state and in memory beside it.

    When the watermark reaches the minute's end, what has come is written as the on-time block. What comes
    later, or belongs to a minute that was sealed before this worker started, is written as a late part: a few
    seconds after it came, and in any case before the watermark passes the end of another minute. So a lane
    that is sealed up to T has stored everything that came before the watermark T.
    """

    def __init__(self, config: Config) -> None:
        self._config = config

    def open(self, context: RuntimeContext) -> None:
        restore_print()
        from schemas.tables import Resolution
        from streamgauge.store.session import connect
        from streamgauge.store.write_blocks import BlockStore

        self._session = connect(self._config.cassandra)
        self._blocks = BlockStore(self._session, self._config.shards)
        self._sealed = self._blocks.progress(Resolution.MIN1)
        self._buffer = context.get_list_state(
            ListStateDescriptor(
                BUFFER, Types.TUPLE([Types.INT(), Types.LONG(), Types.PRIMITIVE_ARRAY(Types.BYTE())])
            )
        )
        self._open: dict[tuple[int, int], list[tuple[int, int, bytes]]] = {}
        counters = context.get_metrics_group()
        self._minutes = counters.counter("minutes")
        self._late_parts = counters.counter("late_parts")
        self._late_batches = counters.counter("late_batches")
        self._samples = counters.counter("samples")
        self._skipped = counters.counter("skipped_batches")

    def close(self) -> None:
        self._session.cluster.shutdown()

    def process_element(self, row: Row, context: KeyedProcessFunction.Context) -> None:
        lane, minute = key = tuple(context.get_current_key())
        partition, offset, payload = row
        timers = context.timer_service()
        waiting = self._open.get(key)
        late = minute + MINUTE_MS <= max(timers.current_watermark() + 1, self._sealed.get(lane, 0))
        if waiting is None:
            waiting = self._open[key] = list(self._buffer.get())
            if not late:
                timers.register_event_time_timer(minute + MINUTE_MS - 1)
        if not payload:
            if late and not waiting:
                del self._open[key]
            return
        if late:
            self._late_batches.inc()
            if not waiting:
                self._register_flush(timers, lane)
        waiting.append((partition, offset, payload))
        self._buffer.add((partition, offset, payload))

    def _register_flush(self, timers, lane: int) -> None:  # type: ignore[no-untyped-def]
        timers.register_processing_time_timer(
            timers.current_processing_time() + self._config.stream.late_flush_ms
        )
        reached = max(timers.current_watermark() + 1, self._sealed.get(lane, 0))
        if reached > 0:
            timers.register_event_time_timer(reached - reached % MINUTE_MS + MINUTE_MS - 1)

    def on_timer(self, timestamp: int, context: KeyedProcessFunction.OnTimerContext) -> Iterator[Row]:
        lane, minute = key = tuple(context.get_current_key())
        waiting = self._open.pop(key, None)
        if waiting is None:
            waiting = list(self._buffer.get())
        self._buffer.clear()
        event_time = context.time_domain() == TimeDomain.EVENT_TIME
        closes = event_time and timestamp == minute + MINUTE_MS - 1
        if closes and minute + MINUTE_MS > self._sealed.get(lane, 0):
            self._write_on_time(lane, minute, waiting)
            yield Row(lane, minute, False)
        elif waiting:
            self._write_late(lane, minute, waiting)
            yield Row(lane, minute, True)

    def _write_on_time(self, lane: int, minute: int, waiting: list[tuple[int, int, bytes]]) -> None:
        from schemas.blocks import ON_TIME
        from schemas.tables import Resolution
        from streamgauge.rollup.aggregates import aggregate

        samples = self._merge(lane, minute, waiting)
        self._blocks.write_raw(lane, minute, ON_TIME, samples)
        self._blocks.write_rollup(Resolution.MIN1, lane, minute, aggregate(samples, minute))
        self._minutes.inc()

    def _write_late(self, lane: int, minute: int, waiting: list[tuple[int, int, bytes]]) -> None:
        from schemas.blocks import late_part

        for partition in sorted({batch[0] for batch in waiting}):
            batches = [batch for batch in waiting if batch[0] == partition]
            offsets = [offset for _, offset, _ in batches]
            part = late_part(partition, min(offsets), max(offsets))
            self._blocks.write_raw(lane, minute, part, self._merge(lane, minute, batches))
            self._late_parts.inc()

    def _merge(self, lane: int, minute: int, waiting: list[tuple[int, int, bytes]]) -> "Samples":
        from schemas.batch import InvalidBatch, decode
        from streamgauge.series.samples import concat

        parts = []
        for _, _, payload in waiting:
            try:
                parts.append(decode(payload, lane, minute, self._config.layout.lanes).samples)
            except InvalidBatch:
                # the store job sets it aside with its reason; here it is only left out
                self._skipped.inc()
        samples = concat(parts)
        self._samples.inc(len(samples.values))
        return samples
