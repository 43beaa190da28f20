"""Kafka as the collector needs it: an idempotent producer, the topic's partitions, heartbeats."""

import asyncio
import logging
import math
import threading
import time
from collections.abc import Callable, Iterable
from functools import partial

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from schemas import topics
from schemas.batches.batch import HEARTBEAT, headers_of, key_of
from schemas.limits import MAX_MESSAGE_BYTES
from streamgauge.clients.kafka import client_settings
from streamgauge.collect.incoming.faults import Outage, Unavailable
from streamgauge.collect.metrics import Metrics
from streamgauge.collect.producing.acknowledged import Acknowledged, Page
from streamgauge.collect.producing.batcher import Outgoing
from streamgauge.collect.producing.delivery import Delivery
from streamgauge.config import Config
from streamgauge.series.ids import partition_of

DELIVERY_TIMEOUT_MS = 8_000
"""How long a batch is tried; its senders have their answer soon after."""
METADATA_INTERVAL_S = 5.0
METADATA_RETRY_S = 0.2
GROWTH_WAIT_S = 30.0
"""How long new partitions are left empty: the jobs look for them every 10 s, and what they do not read yet is late."""
METADATA_TIMEOUT_S = 2.0
UNREAD_LIMIT = 3
"""Failed reads of metadata after which senders are turned away at once."""
POLL_S = 0.1
FAILED_FLUSH_S = 1.0
BEAT_MS = 1000
PUBLISH_S = 5.0
"""How often what was acknowledged is published; a collector that is killed has not published what came since."""

log = logging.getLogger(__name__)


class BatchProducer:
    """Produces batches and heartbeats to the partition of their lane.

    :param clock: gives ms; `sent` is stamped with it.
    """

    def __init__(self, config: Config, clock: Callable[[], int], metrics: Metrics) -> None:
        self._config = config
        self._clock = clock
        self._metrics = metrics
        self._partitions = 0
        self._seen_partitions = 0
        self._seen_since = 0.0
        self._unread = 0
        self._answers_since = math.inf
        self._outage: Outage | None = Outage.NOT_READY
        self._acknowledged = Acknowledged(clock)
        self._fatal = threading.Event()
        self._stopped = threading.Event()
        self._producer = self._connect()
        # of batches, which come from another thread, and heartbeats: on each lane `sent` rises as it is queued
        self._order = threading.Lock()
        self._failed: list[Producer] = []
        self._poller = threading.Thread(target=self._poll, name="kafka-poll", daemon=True)
        self._time = [0] * config.layout.lanes
        metrics.queue_length.set_function(lambda: len(self._producer))

    @property
    def outage(self) -> Outage | None:
        """Why nothing can be produced now, if so."""
        return self._outage

    async def run(self) -> None:
        """Follow the topic's partitions, send heartbeats, publish what was acknowledged, until cancelled."""
        self._poller.start()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow_partitions())
            tasks.create_task(self._beat())
            tasks.create_task(self._publish_pages())

    def send(self, batches: Iterable[Outgoing], delivery: Delivery) -> None:
        """Queue batches; `delivery` ends when Kafka has acknowledged all, or one has failed."""
        error = Unavailable(self._outage) if self._outage else None
        try:
            for outgoing in batches if error is None else ():
                delivery.expect()
                settled = partial(
                    self._on_delivery, delivery, outgoing.lane, outgoing.newest, outgoing.samples
                )
                try:
                    self._produce(outgoing.lane, outgoing.value, outgoing.newest, settled)
                except Exception as failure:
                    # a password file that cannot be read, for instance
                    full = isinstance(failure, BufferError)
                    error = Unavailable(Outage.QUEUE_FULL if full else Outage.NOT_DELIVERED, str(failure))
                    delivery.settle(error)
                    break
                self._metrics.batches.inc()
                self._metrics.batch_series.inc(outgoing.series)
                self._metrics.batch_bytes.inc(len(outgoing.value))
        except BaseException as failure:
            error = Unavailable(Outage.NOT_DELIVERED, repr(failure))
            raise
        finally:
            delivery.settle(error)

    def stop(self, timeout_s: float) -> int:
        """Wait for what is queued, at most this long; returns how many messages were left."""
        began = time.monotonic()
        self._producer.flush(timeout_s)
        self._publish()
        left: int = self._producer.flush(max(timeout_s - (time.monotonic() - began), 0.0))
        self._stopped.set()
        if self._poller.is_alive():
            self._poller.join()
        return left

    def _produce(self, lane: int, value: bytes, timestamp: int | None, settled: Callable[..., None]) -> None:
        """Queue a message. :param timestamp: the newest sample's; without it the moment in which it is sent."""
        with self._order:
            if self._fatal.is_set():
                fresh = self._connect()
                self._fatal.clear()
                self._producer.purge()
                self._failed.append(self._producer)
                self._producer = fresh
            sent = self._clock()
            timestamp = sent if timestamp is None else timestamp
            # as the jobs see it: a batch of late samples moves no time, so it must not hold up a heartbeat
            self._time[lane] = max(self._time[lane], min(sent, timestamp))
            self._producer.produce(
                topics.RAW,
                value,
                key_of(lane),
                partition_of(lane, self._partitions),
                settled,
                timestamp=timestamp,
                headers=[*headers_of(self._config.collector.name, sent)],
            )

    def _on_delivery(
        self,
        delivery: Delivery,
        lane: int,
        newest: int,
        samples: int,
        error: KafkaError | None,
        message: Message,
    ) -> None:
        if error is None:
            self._metrics.delivery_seconds.observe(message.latency() or 0.0)
            partition, offset = message.partition(), message.offset()
            # without an offset librdkafka knows from the broker that an earlier try got through, but not where to
            if partition is not None and offset is not None and offset >= 0:
                self._acknowledged.note(lane, newest, partition, offset, samples)
        else:
            self._undelivered(error)
        delivery.settle(None if error is None else Unavailable(Outage.NOT_DELIVERED, error.str()))

    def _on_beat(self, error: KafkaError | None, _: Message) -> None:
        if error is not None:
            self._undelivered(error)

    def _undelivered(self, error: KafkaError) -> None:
        self._metrics.delivery_failures.labels(error.name()).inc()
        has_answered = time.monotonic() - self._answers_since > DELIVERY_TIMEOUT_MS / 1000
        if error.code() == KafkaError._MSG_TIMED_OUT and has_answered and not self._fatal.is_set():
            # librdkafka sometimes waits for ever for what a restarted broker told long ago
            log.error("kafka answers but takes nothing: %s; another producer is made", error.str())
            self._answers_since = math.inf
            self._fatal.set()

    async def _follow_partitions(self) -> None:
        while True:
            await asyncio.to_thread(self._read_partitions)
            await asyncio.sleep(METADATA_INTERVAL_S if self._outage is None else METADATA_RETRY_S)

    def _read_partitions(self) -> None:
        try:
            topic = self._producer.list_topics(topics.RAW, timeout=METADATA_TIMEOUT_S).topics[topics.RAW]
            if topic.error is not None:
                raise KafkaException(topic.error)
        except KafkaException as error:
            self._unread += 1
            self._answers_since = math.inf
            log.warning("kafka metadata not read: %s", error)
            if self._unread >= UNREAD_LIMIT:
                self._outage = Outage.NOT_READY
            return
        self._unread = 0
        self._answers_since = min(self._answers_since, time.monotonic())
        found = len(topic.partitions)
        fits = found and self._config.layout.lanes % found == 0
        if found != self._seen_partitions:
            log.info("partitions found: topic=%s partitions=%d", topics.RAW, found)
            self._seen_partitions, self._seen_since = found, time.monotonic()
        settled = (
            found < self._partitions
            or not self._partitions
            or time.monotonic() - self._seen_since >= GROWTH_WAIT_S
        )
        if fits and found != self._partitions and settled:
            log.info("partitions used: topic=%s partitions=%d", topics.RAW, found)
            self._partitions = found
        self._outage = None if fits else Outage.BAD_PARTITIONS

    async def _beat(self) -> None:
        """Keep time moving on lanes that have nothing to send.

        Each gets something right after every whole second: ticks of rules are whole seconds, and wait for all lanes.
        """
        while True:
            await asyncio.sleep(self._config.collector.linger_ms / 1000)
            now = self._clock()
            if self._outage is not None:
                continue
            for lane, reached in enumerate(self._time):
                if now // BEAT_MS > reached // BEAT_MS:
                    try:
                        self._produce(lane, HEARTBEAT, None, self._on_beat)
                    except (BufferError, KafkaException, ValueError) as error:
                        self._metrics.delivery_failures.labels(type(error).__name__).inc()
                        break

    async def _publish_pages(self) -> None:
        while True:
            await asyncio.sleep(PUBLISH_S)
            self._publish()

    def _publish(self) -> None:
        for page in self._acknowledged.pages():
            try:
                self._producer.produce(
                    topics.ACKNOWLEDGED,
                    page.value,
                    headers=page.headers(self._config.collector.name),
                    on_delivery=partial(self._on_page, page),
                )
            except (BufferError, KafkaException) as error:
                self._acknowledged.settle(page, published=False)
                self._metrics.delivery_failures.labels(type(error).__name__).inc()

    def _on_page(self, page: Page, error: KafkaError | None, _: Message) -> None:
        self._acknowledged.settle(page, published=error is None)
        if error is not None:
            # a topic of its own, which may not be there yet: it says nothing of the producer
            self._metrics.delivery_failures.labels(error.name()).inc()

    def _connect(self) -> Producer:
        limits = self._config.collector
        return Producer(
            {
                **client_settings(self._config.kafka),
                "client.id": limits.name,
                "enable.idempotence": True,
                "acks": "all",
                "compression.type": "none",
                "linger.ms": 2,
                "message.timeout.ms": DELIVERY_TIMEOUT_MS,
                "message.max.bytes": MAX_MESSAGE_BYTES,
                "queue.buffering.max.kbytes": limits.max_queue_bytes // 1024,
                "queue.buffering.max.messages": 1_000_000,
                "topic.metadata.refresh.interval.ms": int(METADATA_INTERVAL_S * 1000),
                "reconnect.backoff.max.ms": 1000,
                "error_cb": self._on_error,
                "log_level": 2,
            }
        )

    def _on_error(self, error: KafkaError) -> None:
        if error.fatal():
            # an idempotent producer is of no use after that; the next message makes another
            log.error("kafka producer failed: %s", error.str())
            self._fatal.set()

    def _poll(self) -> None:
        while not self._stopped.is_set():
            while self._failed:
                # those whose batches it had are told
                self._failed.pop().flush(FAILED_FLUSH_S)
            self._producer.poll(POLL_S)
