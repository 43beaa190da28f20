"""The second operator of the store job: new series to the index, off the path of the samples."""

from collections.abc import Iterator

from pyflink.common import Row
from pyflink.datastream import KeyedProcessFunction, RuntimeContext

from operators.rejections import Rejections
from operators.worker import restore_print
from streamgauge.config import Config
from streamgauge.garbage import keep_for_good


class IndexSeries(KeyedProcessFunction):
    """Keyed by lane, so that a lane's series are written by one worker. Its memory is only a cache.

    Yields as REJECTED what Cassandra refuses. What `StoreHead` has set aside already is passed over.
    """

    def __init__(self, config: Config) -> None:
        self._config = config

    def open(self, context: RuntimeContext) -> None:
        restore_print()
        from streamgauge.store.session import connect
        from streamgauge.store.write_index import IndexStore

        self._session = connect(self._config.cassandra)
        self._index = IndexStore(self._session, self._config.shards)
        self._rejections = Rejections(context.get_metrics_group())
        keep_for_good()

    def close(self) -> None:
        self._session.cluster.shutdown()

    def process_element(self, row: Row, _: KeyedProcessFunction.Context) -> Iterator[object]:
        from schemas import batch
        from schemas.limits import unindexable

        lane, minute, partition, offset, payload = row
        decoded = batch.decode(payload, lane, minute, self._config.layout.lanes, labels=True)
        rows = {one: data for one, data in batch.labels_by_id(decoded).items() if not unindexable(data)}
        refused = self._index.write(lane, minute, rows)
        origin = {"partition": str(partition), "offset": str(offset)}
        for identity, detail in refused.items():
            yield from self._rejections.messages(
                batch.InvalidBatch(batch.BatchFault.NOT_STORED, detail),
                origin,
                batch.key_of(lane),
                lambda identity=identity: batch.single(decoded, identity),
            )
