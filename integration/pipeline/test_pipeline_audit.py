"""What collectors acknowledge is compared with what is stored; what is missing is named everywhere a person looks."""

import json
import subprocess
import sys

import httpx
from confluent_kafka import Producer

from integration.support.batches import BatchProducer
from integration.support.stored import wait_for
from integration.support.workload import MINUTE_MS, Client, Workload
from schemas.batches import batch
from schemas.batches.batch_records import encode, records
from schemas.topics import ACKNOWLEDGED, RAW
from streamgauge.series.ids import partition_of
from streamgauge.store.audit_ledger import SETTLED_MS
from streamgauge.store.session import connect
from streamgauge.store.stored_batches import StoredBatches
from streamgauge.times import rfc3339

LANE = 3
SAMPLES = 4321


def test_what_is_acknowledged_is_verified_and_what_is_not_stored_is_named(
    stack, stored, simulated, run_collector
):
    stack.wait_ready({"store", "rollup", "gateway"})
    before = _audit(stack)
    start = simulated.next
    collector = run_collector(speed=20, minutes=4)
    client = Client(collector.address)
    for due, request in Workload("audited", start, minutes=2, series=60, late=20).requests():
        wait_for(lambda due=due: collector.clock() >= due, 60, str)
        client.push_until_taken(request)
    client.close()
    # it publishes the last page, and then time goes on far enough for all that it has acknowledged
    collector.stop()
    simulated.next += SETTLED_MS + MINUTE_MS
    _go_on(stack.config, stored, collector.clock(), simulated.next)
    after = _audit(stack)
    assert after["missing"] == []
    # every lane and minute, and the late ones
    assert after["verified"] - before["verified"] >= 2 * stack.config.layout.lanes, after

    lost = _lose_a_batch(stack.config, start)
    try:
        found = _audit(stack, code=1)
        assert found["missing"] == [
            {
                "lane": LANE,
                "minute": rfc3339(start),
                "samples": SAMPLES,
                "batches": [{"partition": lost[0], "offset": lost[1]}],
            }
        ]
        named = f'streamgauge_audit_missing_samples{{lane="{LANE}",minute="{rfc3339(start)}"}} {SAMPLES}.0'
        wait_for(lambda: named in _metrics(stack), 60, lambda: _metrics(stack))
        status = _run(stack, "status", code=1)
        assert f"{SAMPLES} samples were acknowledged and are not stored" in status
        assert f"lane {LANE}, minute {rfc3339(start)}: {SAMPLES} samples" in status
    finally:
        # as a backfill does
        session = connect(stack.config.cassandra)
        StoredBatches(session).write(LANE, start, b"found", [(*lost, SAMPLES)])
        session.cluster.shutdown()
    wait_for(
        lambda: "streamgauge_audit_missing_samples_sum 0.0" in _metrics(stack), 60, lambda: _metrics(stack)
    )
    assert "none missing" in _run(stack, "status")


def _go_on(config, stored, begin, end):
    """Let time go on as idle collectors do, with a heartbeat a lane again and again, until all is sealed."""
    producer = BatchProducer(config)
    for now in (*range(begin, end, 10_000), end):
        producer.heartbeat(now)
    producer.until_sealed(stored, end - MINUTE_MS)


def _lose_a_batch(config, minute):
    """Put bytes on the topic that are no batch, and the word of a collector that it was acknowledged a batch there."""
    places = []
    producer = Producer({"bootstrap.servers": config.kafka.bootstrap})
    headers = batch.headers_of("test", minute)
    producer.produce(
        RAW,
        b"not a batch any more",
        batch.key_of(LANE),
        partition_of(LANE, config.kafka.partitions),
        timestamp=minute + 1,
        headers=headers,
        on_delivery=lambda _, message: places.append((message.partition(), message.offset())),
    )
    producer.flush(30)
    page = encode(records([(LANE, minute, *places[0], SAMPLES)]))
    producer.produce(ACKNOWLEDGED, page, headers=[("closed", str(minute).encode())])
    producer.flush(30)
    return places[0]


def _audit(stack, code=0):
    """What `streamgauge audit` says of all that was acknowledged since the stack began."""
    return json.loads(_run(stack, "audit", "--since", "3d", "--json", code=code))


def _metrics(stack):
    return httpx.get(f"{stack.config.gateway.url}/metrics").text


def _run(stack, *arguments, code=0):
    """What a command prints."""
    command = [sys.executable, "-m", "streamgauge.cli", "--config", str(stack.home.config), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout
