"""The first operator of the store job: every batch to the head at once."""

import time
from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from pyflink.common import Row, Types
from pyflink.datastream import ProcessFunction, RuntimeContext

from operators.message import Message
from operators.rejections import Rejections
from operators.worker import restore_print
from streamgauge.config import Config
from streamgauge.garbage import freeze_heap
from streamgauge.series.known_series import KnownSeries

if TYPE_CHECKING:
    from schemas.batches.batch import Batch, Envelope, InvalidBatch

NEW_SERIES = Types.ROW_NAMED(
    ["lane", "minute", "partition", "offset", "payload"],
    [Types.INT(), Types.LONG(), Types.INT(), Types.LONG(), Types.PRIMITIVE_ARRAY(Types.BYTE())],
)
"""What the index has to see. payload: the batch, if it has series that are new to this worker; else empty."""


class _Decoded(NamedTuple):
    """A message: where it belongs, its batch, series that are new to this worker, and those that no table takes."""

    place: "Envelope"
    batch: "Batch | None"
    new: set[bytes]
    refused: "dict[bytes, InvalidBatch]"


class StoreHead(ProcessFunction):
    """Stores good batches; yields what the index has to see of them, and what is set aside as REJECTED.

    That may be a message, or single series of a batch whose others are stored.
    """

    def __init__(self, config: Config) -> None:
        self._config = config

    def open(self, context: RuntimeContext) -> None:
        restore_print()
        from sinks.cassandra.refused_series import RefusedSeries
        from sinks.cassandra.write_head import HeadStore
        from streamgauge.store.session import connect

        self._session = connect(self._config.cassandra)
        self._head = HeadStore(self._session)
        self._refused = RefusedSeries(self._config.storage_classes, self._config.class_rules)
        self._known = KnownSeries(forgotten=self._refused.clear)
        counters = context.get_metrics_group()
        self._batches = counters.counter("batches")
        self._samples = counters.counter("samples")
        self._rejections = Rejections(counters)
        # PyFlink reads gauges at the end of every bundle, and only there: nothing is under way when a checkpoint begins
        counters.gauge("stored_together", self._head.settle)
        freeze_heap()

    def close(self) -> None:
        self._session.cluster.shutdown()

    def process_element(self, row: Row, context: ProcessFunction.Context) -> Iterator[object]:
        from schemas.batches.batch import InvalidBatch

        key, version, sent, producer, partition, offset, payload, _ = Message(*row)
        origin = {
            "producer": (producer or b"").decode(errors="replace"),
            "partition": str(partition),
            "offset": str(offset),
        }
        try:
            place, batch, new, refused = self._decode(
                key, {"version": version, "sent": sent}, payload, context.timestamp()
            )
            set_aside = [*self._reject(place, payload or b"", refused, origin, key)] if refused else []
        except InvalidBatch as fault:
            yield from self._rejections.messages(fault, origin, key, lambda: payload)
            return
        # a heartbeat is no batch
        if batch is not None and payload is not None:
            yield from set_aside
            if len(refused) < len(batch.samples.ids):
                self._head.write(place.lane, place.minute, partition, offset, payload)
            self._rejections.expose_zero()
            self._batches.inc()
            self._samples.inc(len(batch.samples.values))
        if self._known.hand_on(place.lane, place.minute, new):
            yield Row(place.lane, place.minute, partition, offset, payload if new else b"")

    def _decode(
        self, key: bytes | None, headers: Mapping[str, bytes | None], payload: bytes | None, timestamp: int
    ) -> _Decoded:
        """The message, with the labels of new series checked."""
        from schemas.batches import batch
        from streamgauge.series.ids import split, to_bytes

        lanes = self._config.layout.lanes
        place = batch.envelope(key, headers, timestamp, lanes)
        if payload == batch.HEARTBEAT:
            return _Decoded(place, None, set(), {})
        decoded = batch.decode(payload, place.lane, place.minute, lanes)

        def labels() -> dict[bytes, bytes]:
            return batch.labels_by_id(batch.decode(payload, place.lane, place.minute, lanes, labels=True))

        new = self._known.new(place.lane, place.minute, split(to_bytes(decoded.samples.ids)))
        if new:
            self._refused.learn(labels())
        now = int(time.time() * 1000)
        return _Decoded(place, decoded, new, self._refused.of(place, decoded.samples, now, labels))

    def _reject(
        self,
        place: "Envelope",
        payload: bytes,
        refused: "dict[bytes, InvalidBatch]",
        origin: dict[str, str],
        key: bytes | None,
    ) -> Iterator[object]:
        """Set series aside, each as a batch of its own; the other series of the batch are stored.

        :raises InvalidBatch: if its labels do not decode.
        """
        from schemas.batches import batch

        decoded = batch.decode(payload, place.lane, place.minute, self._config.layout.lanes, labels=True)
        for identity, fault in refused.items():
            yield from self._rejections.messages(fault, origin, key, partial(batch.single, decoded, identity))
