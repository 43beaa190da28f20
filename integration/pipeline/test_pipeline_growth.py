"""The topic grows while samples come; runs after the tests that count on its first partitions."""

from confluent_kafka import Consumer, TopicPartition

from integration.support.stored import wait_for
from integration.support.workload import Client, Workload
from schemas.blocks.codec import ON_TIME
from schemas.topics import RAW
from streamgauge.store import schema


def test_partitions_that_are_added_under_load_lose_nothing_and_make_little_late(stack, stored, run_collector):
    stack.wait_ready({"store", "rollup"})
    collector = run_collector(speed=8, minutes=16)
    work = Workload("growing", collector.clock.origin, minutes=14, series=100)
    client = Client(collector.address)
    grown = stack.config.kafka.model_copy(update={"partitions": 2 * stack.config.kafka.partitions})
    for number, (due, request) in enumerate(work.requests()):
        if number == 24:
            schema.apply(stack.config.model_copy(update={"kafka": grown}))
        wait_for(lambda due=due: collector.clock() >= due, 120)
        client.push_until_taken(request)
    client.close()
    stored.wait_until_sealed(work.end)
    wait_for(lambda: stored.raw(work.expected) == work.expected, 60, lambda: "samples are missing")
    parts = stored.parts(work.expected)
    late = [part for part in parts if part != ON_TIME]
    assert len(late) < 0.01 * len(parts)
    consumer = Consumer({"bootstrap.servers": stack.config.kafka.bootstrap, "group.id": "test"})
    for partition in range(stack.config.kafka.partitions, grown.partitions):
        _, end = consumer.get_watermark_offsets(TopicPartition(RAW, partition))
        assert end > 0
    consumer.close()
