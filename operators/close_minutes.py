"""The first operator of the rollup job: a minute of a lane becomes a raw block and a rollup row."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pyflink.common import Row, Types
from pyflink.datastream import KeyedProcessFunction, RuntimeContext, TimeDomain
from pyflink.datastream.state import MapStateDescriptor, ValueStateDescriptor

from operators.worker import expose_zero, restore_print
from schemas.units import MINUTE_MS
from streamgauge.config import Config
from streamgauge.garbage import freeze_heap
from streamgauge.rollup.open_minutes import OpenMinutes
from streamgauge.rollup.pending_batches import PendingBatch, by_partition

if TYPE_CHECKING:
    from sinks.cassandra.minutes import Written

CLOSED_MINUTE = Types.ROW_NAMED(["lane", "minute", "late"], [Types.INT(), Types.LONG(), Types.BOOLEAN()])
_PLACE = Types.TUPLE([Types.LONG(), Types.INT(), Types.LONG()])
_PAYLOAD = Types.PRIMITIVE_ARRAY(Types.BYTE())


class CloseMinutes(KeyedProcessFunction):
    """Keyed by lane. Batches wait, compressed, in Flink's state and in memory beside it.

    When the watermark reaches a minute's end, what has come is written as the on-time block. What comes later,
    or belongs to a minute that was sealed before this worker started, is written as a late part: some seconds
    after it came, and in any case before the lane's next minute is closed. So a lane that is sealed up to T has
    stored everything that came before the watermark T.

    How far a lane is closed is state too, for the seal is another operator's, and may be lost with its table: the
    batches of a closed minute are gone, and taken for open once more its block would be written over with what came
    late.
    """

    def __init__(self, config: Config) -> None:
        self._config = config

    def open(self, context: RuntimeContext) -> None:
        restore_print()
        from schemas.tables import Resolution
        from sinks.cassandra.minutes import MinuteStore
        from streamgauge.store.progress import ProgressStore
        from streamgauge.store.session import connect

        self._session = connect(self._config.cassandra)
        self._store = MinuteStore(self._session, self._config)
        self._sealed = ProgressStore(self._session).read(Resolution.MIN1)
        self._waiting = context.get_map_state(MapStateDescriptor("batches-v1", _PLACE, _PAYLOAD))
        self._closed = context.get_state(ValueStateDescriptor("closed-to-v1", Types.LONG()))
        self._lanes: dict[int, OpenMinutes] = {}
        counters = context.get_metrics_group()
        self._minutes = counters.counter("minutes")
        self._late_parts = counters.counter("late_parts")
        self._late_batches = counters.counter("late_batches")
        self._samples = counters.counter("samples")
        self._skipped = counters.counter("skipped_batches")
        freeze_heap()

    def close(self) -> None:
        self._session.cluster.shutdown()

    def process_element(self, row: Row, context: KeyedProcessFunction.Context) -> None:
        timers = context.timer_service()
        lane = self._lane(context.get_current_key(), timers)
        partition, offset, payload = row
        minute = context.timestamp() // MINUTE_MS * MINUTE_MS
        if lane.is_late(minute):
            if payload:
                self._late_batches.inc()
                if not lane.has_late():
                    self._flush_soon(timers)
                self._keep(lane, minute, PendingBatch(partition, offset, payload))
            return
        if not lane.is_open(minute):
            timers.register_event_time_timer(minute + MINUTE_MS - 1)
            lane.open(minute)
        if payload:
            self._keep(lane, minute, PendingBatch(partition, offset, payload))

    def on_timer(self, timestamp: int, context: KeyedProcessFunction.OnTimerContext) -> Iterator[Row]:
        key = context.get_current_key()
        lane = self._lane(key, context.timer_service())
        for minute, waiting in lane.take_late():
            self._write_late(key, minute, waiting)
            yield Row(key, minute, True)
        if context.time_domain() == TimeDomain.EVENT_TIME:
            for minute, waiting in lane.close(timestamp + 1):
                self._write_on_time(key, minute, waiting)
                self._closed.update(minute + MINUTE_MS)
                yield Row(key, minute, False)

    def _lane(self, key: int, timers) -> OpenMinutes:  # type: ignore[no-untyped-def]
        """The lane's minutes; read from state, and their timers set, when this worker first meets the lane.

        PyFlink registers a bundle's timers after it, so a checkpoint lacks those of the last bundle before it,
        and a restored lane may have batches without a timer.
        """
        lane = self._lanes.get(key)
        if lane is None:
            closed_to = max(self._sealed.get(key, 0), self._closed.value() or 0)
            lane = self._lanes[key] = OpenMinutes(closed_to)
            for (minute, partition, offset), payload in self._waiting.items():
                lane.add(minute, PendingBatch(partition, offset, payload))
            for minute in lane.open_minutes():
                timers.register_event_time_timer(minute + MINUTE_MS - 1)
            if lane.has_late():
                self._flush_soon(timers)
        return lane

    def _flush_soon(self, timers) -> None:  # type: ignore[no-untyped-def]
        now = timers.current_processing_time()
        timers.register_processing_time_timer(now + self._config.stream.late_flush_ms)

    def _keep(self, lane: OpenMinutes, minute: int, batch: PendingBatch) -> None:
        lane.add(minute, batch)
        self._waiting.put((minute, batch.partition, batch.offset), batch.payload)

    def _write_on_time(self, lane: int, minute: int, waiting: list[PendingBatch]) -> None:
        self._count(self._store.write_on_time(lane, minute, self._take(minute, waiting)))
        self._minutes.inc()
        expose_zero(self._late_batches, self._late_parts)

    def _write_late(self, lane: int, minute: int, waiting: list[PendingBatch]) -> None:
        for batches in by_partition(waiting):
            self._count(self._store.write_late(lane, minute, self._take(minute, batches)))
            self._late_parts.inc()

    def _take(self, minute: int, waiting: list[PendingBatch]) -> list[PendingBatch]:
        """Forget what waited: a write that fails takes that back too."""
        for partition, offset, _ in waiting:
            self._waiting.remove((minute, partition, offset))
        return waiting

    def _count(self, written: "Written") -> None:
        self._samples.inc(written.samples)
        # the store job sets such batches aside with their reason; here they are only left out
        self._skipped.inc(written.skipped)
