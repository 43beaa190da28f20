"""Batches put on Kafka as a collector would, with a clock that the test sets: no real time takes part."""

from collections import defaultdict

import numpy as np
import pyarrow as pa
from confluent_kafka import Consumer, KafkaException, Producer

from integration.support.stored import Stored, wait_for
from integration.support.workload import MINUTE_MS, Request
from schemas.batches import batch
from schemas.topics import RAW
from streamgauge.config import Config
from streamgauge.series import ids, labels
from streamgauge.series.samples import Samples

STALLED_S = 30.0
"""A restarted Kafka takes what waits far sooner."""


class BatchProducer:
    """Produces in order; `sent` is the time (ms) that each call gives."""

    def __init__(self, config: Config) -> None:
        self._lanes = config.layout.lanes
        self._partitions = raw_partitions(config)
        self._bootstrap = config.kafka.bootstrap
        self._kafka = self._connect()
        self._waiting: dict[int, tuple[bytes | None, bytes | None, int, int, dict[str, bytes]]] = {}
        self._count = 0
        self._now = 0

    def send(self, request: Request, sent: int) -> None:
        """One batch a lane and minute, one row a series."""
        rows: dict[tuple[int, int], list[tuple[bytes, bytes, int, float]]] = defaultdict(list)
        for label_set, samples in request:
            data = labels.canonical(label_set)
            identity = ids.series_id(data)
            for timestamp, value in samples:
                place = ids.lane_of(identity, self._lanes), timestamp // MINUTE_MS
                rows[place].append((identity, data, timestamp, value))
        for (lane, _), own in rows.items():
            own.sort()
            samples = Samples(
                ids.from_bytes(b"".join(row[0] for row in own)),
                np.arange(len(own) + 1),
                np.array([row[2] for row in own], np.int64),
                np.array([row[3] for row in own], np.float64),
            )
            value = batch.encode(samples, pa.array([row[1] for row in own], pa.binary()))
            newest = int(samples.timestamps.max())
            self.put(batch.key_of(lane), value, dict(batch.headers_of("test", sent)), newest, lane)

    def heartbeat(self, sent: int) -> None:
        """One on every lane."""
        self._now = sent
        for lane in range(self._lanes):
            headers = dict(batch.headers_of("test", sent))
            self.put(batch.key_of(lane), batch.HEARTBEAT, headers, sent, lane)

    def until_sealed(self, stored: Stored, end: int) -> None:
        """Repeat the last heartbeat, as collectors do every second, until every lane is sealed up to `end` (ms).

        A single one after a pause may leave a source idle.
        """

        def is_sealed() -> bool:
            self.heartbeat(self._now)
            self.flush()
            return stored.sealed_to() >= end

        wait_for(is_sealed, 180, lambda: f"sealed to {stored.sealed_to() - end} ms")

    def put(
        self, key: bytes | None, value: bytes | None, headers: dict[str, bytes], timestamp: int, lane: int = 0
    ) -> None:
        """Any message at all."""
        partition = ids.partition_of(lane, self._partitions)
        self._count += 1
        self._waiting[self._count] = value, key, partition, timestamp, headers
        self._produce(self._count)
        self._kafka.poll(0)

    def flush(self) -> None:
        """Return when Kafka has everything.

        :raises KafkaException: if it refused a message.
        """
        if self._kafka.flush(STALLED_S):
            # librdkafka sometimes waits for ever after a broker's restart; what comes twice changes nothing
            self._kafka = self._connect()
            for number in list(self._waiting):
                self._produce(number)
            assert not self._kafka.flush(STALLED_S), "Kafka takes nothing"

    def _connect(self) -> Producer:
        return Producer({"bootstrap.servers": self._bootstrap, "enable.idempotence": True})

    def _produce(self, number: int) -> None:
        def delivered(error, _):  # type: ignore[no-untyped-def]
            self._waiting.pop(number, None)
            if error is not None:
                raise KafkaException(error)

        value, key, partition, timestamp, headers = self._waiting[number]
        self._kafka.produce(
            RAW, value, key, partition, timestamp=timestamp, headers=headers, on_delivery=delivered
        )


def raw_partitions(config: Config) -> int:
    """How many the topic has now: a test may have made it grow, and each must have its heartbeats."""
    consumer = Consumer({"bootstrap.servers": config.kafka.bootstrap, "group.id": "test"})
    try:
        return len(consumer.list_topics(RAW, timeout=10).topics[RAW].partitions)
    finally:
        consumer.close()


def produce(config, stored, simulated, works, once=lambda _: None):
    """Put the requests of workloads on Kafka in order of time, `once` in the middle, and wait until all is sealed."""
    producer = BatchProducer(config)
    requests = list(zip(*(work.requests() for work in works), strict=True))
    for number, pairs in enumerate(requests):
        if number == len(requests) // 2:
            once(producer)
        for due, request in pairs:
            producer.send(request, sent=due)
        producer.heartbeat(pairs[0][0])
    end = max(work.end for work in works)
    simulated.next = end + MINUTE_MS
    producer.heartbeat(simulated.next)
    producer.until_sealed(stored, end)
