"""What a collector does when a part of it fails, without Kafka."""

import asyncio
import gc
import json
import math
import threading
import time
import tracemalloc

import httpx
import numpy as np
import pytest
from confluent_kafka import KafkaError

from schemas.batches.batch import HEARTBEAT
from streamgauge.collect.app import application
from streamgauge.collect.collector import Collector
from streamgauge.collect.incoming.faults import Unavailable
from streamgauge.collect.incoming.refusals import Refusals
from streamgauge.collect.incoming.rows import Rows
from streamgauge.collect.intake import Intake
from streamgauge.collect.metrics import Metrics
from streamgauge.collect.producing.batcher import Outgoing
from streamgauge.collect.producing.delivery import Delivery
from streamgauge.collect.producing.producer import BatchProducer
from streamgauge.config import Config

T = 1_800_000_000_500


@pytest.mark.parametrize("part", ["_producer", "scraper"])
def test_a_collector_ends_with_the_error_of_its_background_task(part, monkeypatch):
    async def fail():
        raise RuntimeError("broken")

    async def run():
        collector = Collector(Config())
        stopped = []
        monkeypatch.setattr(getattr(collector, part), "run", fail)
        monkeypatch.setattr(collector._producer, "stop", stopped.append)
        told = asyncio.Event()
        try:
            async with collector.running(told.set):
                await asyncio.wait_for(told.wait(), 10)
        finally:
            collector._producer._stopped.set()
            assert stopped

    with pytest.raises(RuntimeError, match="broken"):
        asyncio.run(run())


class Sent:
    """Stands for Kafka's producer; keeps the lane's heartbeats, whose value is empty."""

    def __init__(self):
        self.heartbeats = []

    def produce(self, _topic, value, key, *_, timestamp, **__):
        if value == HEARTBEAT:
            self.heartbeats.append((key, timestamp))

    def __len__(self):
        return 0


@pytest.mark.parametrize(
    ("newest", "beats"), [(T - 60_000, True), (T - 600, True), (T - 10, False), (T + 60_000, False)]
)
def test_late_batches_hold_up_no_heartbeat(newest, beats, monkeypatch):
    kafka = Sent()
    monkeypatch.setattr(BatchProducer, "_connect", lambda _: kafka)
    producer = BatchProducer(Config(), lambda: T, Metrics())
    producer._outage, producer._partitions = None, 1

    async def beat():
        producer.send([Outgoing(0, newest, 1, 1, b"batch")], Delivery())
        task = asyncio.create_task(producer._beat())
        while not kafka.heartbeats:
            await asyncio.sleep(0.01)
        task.cancel()

    asyncio.run(beat())
    assert ((b"0", T) in kafka.heartbeats) is beats


def test_a_page_that_does_not_get_through_says_nothing_of_the_producer(monkeypatch):
    """Its topic may not be there yet; samples that wait must not be thrown away for that."""
    monkeypatch.setattr(BatchProducer, "_connect", lambda _: Sent())
    producer = BatchProducer(Config(), lambda: T, Metrics())
    producer._answers_since = time.monotonic() - 9
    producer._acknowledged.note(0, T, 0, 1, 5)
    (page,) = producer._acknowledged.pages()
    producer._on_page(page, KafkaError(KafkaError._MSG_TIMED_OUT), None)
    assert not producer._fatal.is_set()
    assert producer._acknowledged.pages() == [page]


def test_senders_are_answered_when_a_producer_cannot_be_replaced(monkeypatch):
    kafka = Sent()
    monkeypatch.setattr(BatchProducer, "_connect", lambda _: kafka)
    producer = BatchProducer(Config(), lambda: T, Metrics())
    producer._outage, producer._partitions = None, 1

    def no_password(_):
        raise ValueError("no such file")

    async def send():
        delivery = Delivery()
        producer.send([Outgoing(0, T, 1, 1, b"batch")], delivery)
        with pytest.raises(Unavailable, match="no such file"):
            await asyncio.wait_for(delivery.wait(), 5)

    monkeypatch.setattr(BatchProducer, "_connect", no_password)
    producer._fatal.set()
    asyncio.run(send())
    # and once more is tried
    assert producer._fatal.is_set()
    assert producer._producer is kafka


def test_the_event_loop_goes_on_while_a_body_is_decoded(monkeypatch):
    monkeypatch.setattr(BatchProducer, "_connect", lambda _: Sent())
    goes_on = threading.Event()

    def decode(_):
        assert goes_on.wait(10)
        none = np.zeros(0, np.int64)
        return Rows(none, none, none, none.astype(np.float64)), Refusals()

    async def take():
        producer = BatchProducer(Config(), lambda: T, Metrics())
        producer._outage, producer._partitions = None, 1
        intake = Intake(Config(), producer, lambda: T, Metrics())
        taking = asyncio.create_task(intake.take(decode, "push"))
        await asyncio.sleep(0)
        goes_on.set()
        taken = await taking
        await intake.close()
        await taken.delivery.wait()
        assert (taken.samples, list(taken.refusals)) == (0, [])

    asyncio.run(take())


def test_what_kafka_does_not_acknowledge_in_time_is_answered_and_what_waits_behind_it_is_not_taken(
    monkeypatch,
):
    kafka, goes_on = Sent(), threading.Event()
    monkeypatch.setattr(BatchProducer, "_connect", lambda _: kafka)
    wait_s = 0.2
    collector = Collector(
        Config.model_validate({"collector": {"max_wait_s": wait_s, "linger_ms": 1}}), lambda: T
    )
    collector._producer._outage, collector._producer._partitions = None, 1
    sample = json.dumps({"metric": "m", "value": 1, "timestamp": T})
    json_type = {"content-type": "application/json"}

    async def push(client, padding):
        found = await client.post("/api/v1/push", content=sample + " " * padding, headers=json_type)
        assert (found.status_code, found.headers["retry-after"]) == (503, "5")
        assert found.text.startswith("too_slow: ")
        assert collector.held_bytes == 0

    async def run():
        transport = httpx.ASGITransport(application(collector))
        async with httpx.AsyncClient(transport=transport, base_url="http://collector") as client:
            # it is queued for Kafka, which says nothing
            await push(client, 0)
            collector.intake._thread.submit(goes_on.wait, 60)
            tracemalloc.start()
            await push(client, 8 << 20)
            gc.collect()
            held, _ = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            assert held < 4 << 20
            goes_on.set()
            # whatever came before this is over
            await collector.intake.run(lambda: None)
        await collector.intake.close()

    asyncio.run(run())
    value = collector.metrics.registry.get_sample_value
    prefix = "streamgauge_collector_"
    assert value(prefix + "outages_total", {"reason": "too_slow"}) == 2
    assert value(prefix + "samples_received_total", {"source": "push"}) == 1
    assert value(prefix + "known_series") == 1


@pytest.mark.parametrize(
    ("answers_for_s", "code", "replaced"),
    [
        (9, KafkaError._MSG_TIMED_OUT, True),
        (1, KafkaError._MSG_TIMED_OUT, False),
        (-math.inf, KafkaError._MSG_TIMED_OUT, False),
        (9, KafkaError._PURGE_QUEUE, False),
    ],
    ids=["kafka answers", "kafka was away a moment ago", "kafka is away", "another failure"],
)
def test_a_producer_that_gets_nothing_through_though_kafka_answers_is_replaced(
    answers_for_s, code, replaced, monkeypatch
):
    made = []

    class Stalled(Sent):
        def __init__(self):
            super().__init__()
            made.append(self)

        def purge(self):
            pass

        def flush(self, _):
            return 0

    monkeypatch.setattr(BatchProducer, "_connect", lambda _: Stalled())
    producer = BatchProducer(Config(), lambda: T, Metrics())
    producer._partitions, producer._answers_since = 1, time.monotonic() - answers_for_s
    producer._on_beat(KafkaError(code), None)
    producer._produce(0, HEARTBEAT, None, producer._on_beat)
    assert (len(made) == 2) is replaced
