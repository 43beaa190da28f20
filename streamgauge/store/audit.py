"""The continuous audit: compares every acknowledged batch with the stored ones.

Collectors publish what Kafka has acknowledged to them; the rollup job notes beside its blocks which batches they hold.
A batch that is acknowledged and not stored once its lane is sealed far enough is missing, until it is stored after all,
by a backfill for instance.
"""

import logging
import threading
import time
from collections.abc import Iterator

from cassandra.cluster import Session
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from schemas.batches.batch_records import MAX_RECORDS, InvalidRecords, check, decode
from schemas.tables import STORED_BATCHES_RETENTION_MS, Resolution
from schemas.topics import ACKNOWLEDGED
from schemas.units import HOUR_MS
from streamgauge.config import Config
from streamgauge.store.audit_ledger import Ledger, Missing, compare_all
from streamgauge.store.progress import ProgressStore
from streamgauge.store.stored_batches import StoredBatches
from streamgauge.times import now_ms, rfc3339
from streamgauge.topics.partition import TIMEOUT_S, headers_of, reader

LOOK_BACK_MS = STORED_BATCHES_RETENTION_MS - HOUR_MS
"""Age of the oldest acknowledgements that a new audit reads; the records of older batches may have expired."""
COMPARE_EVERY_S = 15.0
RETRY_S = 5.0
BATCH = 100
NAMED = 20
"""Maximum number of lanes and minutes that the metric names; the others are in the total."""

log = logging.getLogger(__name__)


class Audit(Collector):
    """Follows `metrics.acknowledged` and compares; also a collector of metrics about it.

    :param since_ms: pages that came to Kafka before this moment are passed over.
    """

    def __init__(self, config: Config, session: Session, since_ms: int) -> None:
        self.faults = 0
        self._kafka = config.kafka
        self._lanes = config.layout.lanes
        self._since_ms = since_ms
        self._next = -1
        self._ledger = Ledger()
        self._progress = ProgressStore(session)
        self._stored = StoredBatches(session)
        self._missing: list[Missing] = []
        self._oldest: int | None = None
        self._lost = 0
        self._trouble = ""
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="audit", daemon=True)

    @property
    def missing(self) -> list[Missing]:
        """Acknowledged samples that are not stored, as of the last comparison."""
        return self._missing

    @property
    def verified(self) -> int:
        """Number of batches verified as stored."""
        return self._ledger.verified

    @property
    def waiting(self) -> int:
        """Number of batches that are too recent to compare."""
        return self._ledger.waiting

    def start(self) -> None:
        """Audit in a thread, until `stop`."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._ending.set()
        self._thread.join()

    def look_once(self) -> None:
        """Read all that is published now, and compare it.

        :raises confluent_kafka.KafkaException: without Kafka. :raises cassandra.DriverException: without Cassandra.
        """
        consumer = reader(self._kafka)
        try:
            self._assign(consumer)
            while not self._take(consumer):
                pass
        finally:
            consumer.close()
        self._compare()

    def collect(self) -> Iterator[Metric]:
        """Collect the metrics, for prometheus_client."""
        verified = CounterMetricFamily(
            "streamgauge_audit_verified_batches", "Acknowledged batches verified as stored."
        )
        verified.add_metric((), self.verified)
        yield verified
        lost = CounterMetricFamily(
            "streamgauge_audit_expired_samples",
            "Missing samples that can no longer be checked, because the records of stored batches have expired.",
        )
        lost.add_metric((), self._lost)
        yield lost
        total = GaugeMetricFamily(
            "streamgauge_audit_missing_samples_sum", "Acknowledged samples that are not stored."
        )
        missing = self._missing
        total.add_metric((), sum(each.samples for each in missing))
        yield total
        named = GaugeMetricFamily(
            "streamgauge_audit_missing_samples",
            f"Acknowledged samples that are not stored, by lane and minute: the {NAMED} oldest.",
            labels=("lane", "minute"),
        )
        for each in missing[:NAMED]:
            named.add_metric((str(each.lane), rfc3339(each.minute)), each.samples)
        yield named
        uncounted = CounterMetricFamily(
            "streamgauge_audit_uncounted_batches",
            "Missing batches beyond the number that the audit tracks.",
        )
        uncounted.add_metric((), self._ledger.uncounted)
        yield uncounted
        waits = GaugeMetricFamily(
            "streamgauge_audit_lag_seconds", "Age of the oldest acknowledgement not yet compared."
        )
        oldest = self._oldest
        waits.add_metric((), 0.0 if oldest is None else (now_ms() - oldest) / 1000)
        yield waits

    def _run(self) -> None:
        while not self._ending.is_set():
            try:
                consumer = reader(self._kafka)
                try:
                    self._assign(consumer)
                    self._follow(consumer)
                finally:
                    consumer.close()
                self._trouble = ""
            # an audit that has ended would say for ever that nothing is missing
            except Exception as error:
                if not self._trouble:
                    log.warning("audit delayed: error=%r", error, exc_info=error)
                self._trouble = repr(error)
                self._ending.wait(RETRY_S)

    def _follow(self, consumer: Consumer) -> None:
        compare_at = time.monotonic()
        while not self._ending.is_set():
            if self._ledger.is_full:
                self._ending.wait(1.0)
            else:
                self._take(consumer)
            if time.monotonic() >= compare_at:
                self._compare()
                compare_at = time.monotonic() + COMPARE_EVERY_S

    def _assign(self, consumer: Consumer) -> None:
        """Go on where the last consumer was, or begin."""
        place = TopicPartition(ACKNOWLEDGED, 0, self._next)
        if self._next < 0:
            asked = TopicPartition(ACKNOWLEDGED, 0, self._since_ms)
            place = consumer.offsets_for_times([asked], timeout=TIMEOUT_S)[0]
            if place.error is not None:
                raise KafkaException(place.error)
        consumer.assign([place])

    def _take(self, consumer: Consumer) -> bool:
        """Take some pages; whether the topic's end was reached."""
        is_end = False
        for message in consumer.consume(BATCH, 0.5):
            error = message.error()
            if error is None:
                self._read(message)
                self._next = (message.offset() or 0) + 1
            elif error.code() == KafkaError._PARTITION_EOF:
                is_end = True
            else:
                raise KafkaException(error)
        return is_end

    def _read(self, message: Message) -> None:
        try:
            closed = int(headers_of(message).get("closed", ""))
            found = decode(message.value() or b"", MAX_RECORDS)
            check(found, self._lanes)
        except (InvalidRecords, ValueError) as fault:
            self.faults += 1
            log.error("page skipped: topic=%s offset=%s fault=%s", ACKNOWLEDGED, message.offset(), fault)
            return
        self._ledger.add(closed, message.timestamp()[1], found)

    def _compare(self) -> None:
        known = {(each.lane, each.minute) for each in self._missing}
        compare_all(self._ledger, self._progress.read(Resolution.MIN1), self._stored.read)
        for lost in self._ledger.forget(now_ms()):
            self._lost += lost.samples
            log.error(
                "never stored: lane=%d minute=%s samples=%d", lost.lane, rfc3339(lost.minute), lost.samples
            )
        self._missing = self._ledger.missing()
        self._oldest = self._ledger.oldest
        for each in self._missing:
            if (each.lane, each.minute) not in known:
                first = each.offsets[0]
                log.error(
                    "acknowledged and not stored: lane=%d minute=%s samples=%d batches=%d partition=%d first_offset=%d",
                    each.lane,
                    rfc3339(each.minute),
                    each.samples,
                    len(each.offsets),
                    *first,
                )
