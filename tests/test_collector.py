"""What a collector does when a part of it fails, without Kafka."""

import asyncio

import pytest

from schemas.batch import HEARTBEAT
from streamgauge.collect.batcher import Outgoing
from streamgauge.collect.collector import Collector
from streamgauge.collect.delivery import Delivery
from streamgauge.collect.metrics import Metrics
from streamgauge.collect.producer import BatchProducer
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
