"""The second operator of the store job: new series to the index, off the path of the samples."""

from pyflink.common import Row
from pyflink.datastream import KeyedProcessFunction, RuntimeContext

from operators.worker import restore_print
from streamgauge.config import Config
from streamgauge.garbage import keep_for_good


class IndexSeries(KeyedProcessFunction):
    """Keyed by lane, so that a lane's series are written by one worker. Its memory is only a cache."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def open(self, _: RuntimeContext) -> None:
        restore_print()
        from streamgauge.store.session import connect
        from streamgauge.store.write_index import IndexStore

        self._session = connect(self._config.cassandra)
        self._index = IndexStore(self._session, self._config.shards)
        keep_for_good()

    def close(self) -> None:
        self._session.cluster.shutdown()

    def process_element(self, row: Row, _: KeyedProcessFunction.Context) -> None:
        from schemas import batch

        lane, minute, payload = row
        decoded = batch.decode(payload, lane, minute, self._config.layout.lanes, labels=True)
        self._index.write(lane, minute, batch.labels_by_id(decoded))
