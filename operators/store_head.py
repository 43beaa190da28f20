"""The first operator of the store job: every batch to the head at once."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pyflink.common import Row, Types
from pyflink.datastream import OutputTag, ProcessFunction, RuntimeContext

from operators.worker import restore_print, show
from sinks.kafka import MESSAGE
from streamgauge.config import Config
from streamgauge.garbage import keep_for_good

if TYPE_CHECKING:
    from schemas.batch import Batch, Envelope, InvalidBatch

REJECTED = OutputTag("rejected", MESSAGE)
NEW_SERIES = Types.ROW_NAMED(
    ["lane", "minute", "payload"], [Types.INT(), Types.LONG(), Types.PRIMITIVE_ARRAY(Types.BYTE())]
)
KNOWN_LIMIT = 1_000_000
MAX_REJECTED_BYTES = 900_000
"""What a Kafka producer sends as it is configured by default, with room for key and headers."""


class StoreHead(ProcessFunction):
    """Stores good batches; yields those with series that it has not seen, and the bad ones as REJECTED."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def open(self, context: RuntimeContext) -> None:
        restore_print()
        from schemas.tables import Resolution
        from streamgauge.store.session import connect
        from streamgauge.store.write_head import HeadStore

        self._session = connect(self._config.cassandra)
        self._head = HeadStore(self._session)
        self._raw_kept_ms = max(kept.retention_ms[Resolution.RAW] for kept in self._config.storage_classes)
        self._known: dict[tuple[int, int], set[bytes]] = {}
        self._known_count = 0
        counters = context.get_metrics_group()
        self._batches = counters.counter("batches")
        self._samples = counters.counter("samples")
        self._rejected = counters.counter("rejected")
        # PyFlink reads gauges at the end of every bundle, and only there: nothing is under way when a checkpoint begins
        counters.gauge("stored_together", self._head.settle)
        keep_for_good()

    def close(self) -> None:
        self._session.cluster.shutdown()

    def process_element(self, row: Row, context: ProcessFunction.Context) -> Iterator[object]:
        from schemas.batch import HEARTBEAT, InvalidBatch

        key, version, sent, partition, offset, payload, _ = row
        try:
            place, batch, new = self._decode(
                key, {"version": version, "sent": sent}, payload, context.timestamp()
            )
        except InvalidBatch as fault:
            self._rejected.inc()
            yield REJECTED, _rejected(key, payload, partition, offset, fault)
            return
        if payload == HEARTBEAT:
            return
        self._head.write(place.lane, place.minute, partition, offset, payload)
        show(self._rejected)
        self._batches.inc()
        self._samples.inc(len(batch.samples.values))
        if new:
            self._remember(new, place)
            yield Row(place.lane, place.minute, payload)

    def _decode(
        self, key: bytes | None, headers: dict[str, bytes], payload: bytes | None, timestamp: int
    ) -> "tuple[Envelope, Batch | None, set[bytes]]":
        """The envelope, the batch, and its series that this worker does not know, whose labels are then checked."""
        import time

        from schemas import batch
        from schemas.tables import ttl_seconds

        lanes = self._config.layout.lanes
        place = batch.envelope(key, headers, timestamp, lanes)
        if payload == batch.HEARTBEAT:
            return place, None, set()
        decoded = batch.decode(payload, place.lane, place.minute, lanes)
        if ttl_seconds(int(time.time() * 1000), place.minute, self._raw_kept_ms) <= 0:
            raise batch.InvalidBatch(batch.BatchFault.TOO_OLD, f"minute {place.minute} is no longer kept")
        new = self._new(place, decoded)
        if new:
            batch.labels_by_id(batch.decode(payload, place.lane, place.minute, lanes, labels=True))
        return place, decoded, new

    def _new(self, place: "Envelope", batch: "Batch") -> set[bytes]:
        """The ids that are new to this worker in the lane's index period."""
        from streamgauge.series.ids import split, to_bytes

        return set(split(to_bytes(batch.samples.ids))) - self._known.get(_index_place(place), set())

    def _remember(self, ids: set[bytes], place: "Envelope") -> None:
        if self._known_count > KNOWN_LIMIT:
            self._known.clear()
            self._known_count = 0
        self._known.setdefault(_index_place(place), set()).update(ids)
        self._known_count += len(ids)


def _index_place(place: "Envelope") -> tuple[int, int]:
    from schemas.tables import index_period

    return place.lane, index_period(place.minute, place.lane)


def _rejected(
    key: bytes | None, payload: bytes | None, partition: int, offset: int, fault: "InvalidBatch"
) -> Row:
    headers = {
        "reason": fault.reason.value,
        "detail": fault.detail,
        "partition": str(partition),
        "offset": str(offset),
    }
    if payload and len(payload) > MAX_REJECTED_BYTES:
        headers["truncated_from"] = str(len(payload))
        payload = payload[:MAX_REJECTED_BYTES]
    return Row(key, payload, {name: text.encode() for name, text in headers.items()})
