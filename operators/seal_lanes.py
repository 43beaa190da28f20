"""The second operator of the rollup job: late minutes are rolled up again, then the lane is sealed."""

import logging

from pyflink.common import Row, Types
from pyflink.datastream import KeyedProcessFunction, RuntimeContext, TimeDomain
from pyflink.datastream.state import MapStateDescriptor

from operators.worker import restore_print
from streamgauge.config import Config

log = logging.getLogger(__name__)

MINUTE_MS = 60_000
REBUILD_DELAY_MS = 1000


class SealLanes(KeyedProcessFunction):
    """Keyed by lane; takes the closed minutes.

    A minute with a late part is marked. Marked minutes that the watermark has passed are rolled up from all
    raw parts, soon and in any case before the lane is sealed further, so progress up to T says that all that
    came before the watermark T is in raw blocks and in rollups. A job that lost its state starts there.
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
        self._marked = context.get_map_state(MapStateDescriptor("marked-v1", Types.LONG(), Types.BOOLEAN()))
        self._sealed = self._blocks.progress(Resolution.MIN1)
        counters = context.get_metrics_group()
        self._seals = counters.counter("seals")
        self._rebuilds = counters.counter("rebuilds")
        self._damaged = counters.counter("damaged_minutes")

    def close(self) -> None:
        self._session.cluster.shutdown()

    def process_element(self, row: Row, context: KeyedProcessFunction.Context) -> None:
        _, minute, late = row
        timers = context.timer_service()
        if late:
            self._marked.put(minute, True)
            timers.register_processing_time_timer(timers.current_processing_time() + REBUILD_DELAY_MS)
        else:
            timers.register_event_time_timer(minute + MINUTE_MS - 1)

    def on_timer(self, timestamp: int, context: KeyedProcessFunction.OnTimerContext) -> tuple[()]:
        lane = context.get_current_key()
        sealed = self._sealed.get(lane, 0)
        if context.time_domain() == TimeDomain.PROCESSING_TIME:
            self._rebuild(lane, max(context.timer_service().current_watermark() + 1, sealed))
        else:
            self._rebuild(lane, max(timestamp + 1, sealed))
            self._seal(lane, timestamp + 1)
        return ()

    def _seal(self, lane: int, to: int) -> None:
        from schemas.tables import Resolution

        if to > self._sealed.get(lane, 0):
            self._blocks.write_progress(Resolution.MIN1, lane, to)
            self._sealed[lane] = to
            self._seals.inc()

    def _rebuild(self, lane: int, before: int) -> None:
        """Roll up again the marked minutes that end at or before a time (ms)."""
        from schemas.invalid_block import InvalidBlock
        from schemas.tables import Resolution
        from streamgauge.rollup.aggregates import aggregate

        marked = list(self._marked.keys())
        for minute in sorted(minute for minute in marked if minute + MINUTE_MS <= before):
            try:
                samples = self._blocks.read_raw(lane, minute)
            except InvalidBlock:
                # a rollup without the damaged block would be wrong; the one that is there stays
                log.exception("damaged raw block: lane=%d minute=%d", lane, minute)
                self._damaged.inc()
            else:
                self._blocks.write_rollup(Resolution.MIN1, lane, minute, aggregate(samples, minute))
                self._rebuilds.inc()
            self._marked.remove(minute)
