"""The second operator of the store job: new series to the index, off the path of the samples."""

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from pyflink.common import Row
from pyflink.datastream import KeyedProcessFunction, RuntimeContext

from operators.rejections import Rejections
from operators.worker import restore_print
from schemas.units import MINUTE_MS
from streamgauge.config import Config
from streamgauge.garbage import freeze_heap

if TYPE_CHECKING:
    from streamgauge.series.known_series import IndexedMinutes


class IndexSeries(KeyedProcessFunction):
    """Keyed by lane, so that a lane's series are written by one worker. Its memory is only a cache.

    Yields as REJECTED what Cassandra refuses. What `StoreHead` has set aside already is passed over.

    When the watermark passes a minute's end, the index is sealed up to there, as the rollup job seals blocks. What
    comes of a sealed minute afterwards outdates what was kept of it, whether its series are new or only were a moment
    ago.
    """

    def __init__(self, config: Config) -> None:
        self._config = config

    def open(self, context: RuntimeContext) -> None:
        restore_print()
        from sinks.cassandra.write_index import IndexStore
        from streamgauge.store.progress import ProgressStore
        from streamgauge.store.session import connect

        self._session = connect(self._config.cassandra)
        self._index = IndexStore(self._session, self._config.shards)
        self._rejections = Rejections(context.get_metrics_group())
        self._progress = ProgressStore(self._session)
        # no other worker seals the index of this one's lanes
        self._begun = self._progress.read_index()
        self._lanes: dict[int, IndexedMinutes] = {}
        freeze_heap()

    def close(self) -> None:
        self._session.cluster.shutdown()

    def process_element(self, row: Row, context: KeyedProcessFunction.Context) -> Iterator[object]:
        from schemas.batches import batch
        from schemas.limits import unindexable

        key, minute, partition, offset, payload = row
        if payload:
            decoded = batch.decode(payload, key, minute, self._config.layout.lanes, labels=True)
            rows = {one: data for one, data in batch.labels_by_id(decoded).items() if not unindexable(data)}
            refused = self._index.write(key, minute, rows)
            origin = {"partition": str(partition), "offset": str(offset)}
            for identity, detail in refused.items():
                yield from self._rejections.messages(
                    batch.InvalidBatch(batch.BatchFault.NOT_STORED, detail),
                    origin,
                    batch.key_of(key),
                    partial(batch.single, decoded, identity),
                )
        lane = self._lane(key)
        if lane.is_sealed(minute):
            self._index.outdate_blocks(key, minute)
        elif lane.open(minute):
            context.timer_service().register_event_time_timer(minute + MINUTE_MS - 1)

    def on_timer(self, timestamp: int, context: KeyedProcessFunction.OnTimerContext) -> tuple[()]:
        key = context.get_current_key()
        if self._lane(key).seal(timestamp + 1):
            self._progress.write_index(key, timestamp + 1)
        return ()

    def _lane(self, key: int) -> "IndexedMinutes":
        lane = self._lanes.get(key)
        if lane is None:
            from streamgauge.series.known_series import IndexedMinutes

            lane = self._lanes[key] = IndexedMinutes(self._begun.get(key, 0))
        return lane
