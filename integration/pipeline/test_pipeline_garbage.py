"""What is no batch, or too old, is set aside with its reason and stops nothing."""

import time

import numpy as np
import pyarrow as pa
import pytest
from confluent_kafka import KafkaError, KafkaException

from integration.conftest import HOUR_MS, KEPT_HOURS
from integration.support.batches import BatchProducer, produce
from integration.support.set_aside import RejectedMessages, restarts
from integration.support.workload import Workload
from schemas.batches import batch
from schemas.blocks.codec import ON_TIME
from streamgauge.series import ids, labels
from streamgauge.series.samples import Samples


def test_garbage_is_set_aside_with_its_reason_and_makes_nothing_late(stack, stored, simulated):
    stack.wait_ready({"store", "rollup"})
    before = restarts(stack)
    work = Workload("beside_garbage", simulated.next, minutes=2)
    rejected = RejectedMessages(stack.config)
    garbage = _garbage(simulated.next + 1, stack.config.layout.lanes)

    def put_garbage(producer):
        for key, value, headers, timestamp, _ in garbage:
            producer.put(key, value, headers, timestamp)

    produce(stack.config, stored, simulated, [work], put_garbage)
    assert stored.raw(work.expected) == work.expected
    assert set(stored.parts(work.expected)) == {ON_TIME}
    found = rejected.read(len(garbage))
    assert {(value, headers["reason"]) for value, headers in found} == {
        (value, reason) for _, value, _, _, reason in garbage
    }
    assert {headers["producer"] for value, headers in found if value != b"no headers"} == {"test"}
    assert restarts(stack) == before


def test_kafka_refuses_a_message_from_the_future(stack):
    headers = dict(batch.headers_of("test", 0))
    producer = BatchProducer(stack.config)
    producer.put(b"0", b"x", headers, int(time.time() * 1000) + 365 * 86_400_000)
    with pytest.raises(KafkaException) as refusal:
        producer.flush()
    assert refusal.value.args[0].code() == KafkaError.INVALID_TIMESTAMP


def _batch_of_other_labels(timestamp):
    """A batch of lane 0 whose labels are not those of its id."""
    wrong = pa.array([b"__name__\xffsomething_else"], pa.binary())
    identity = np.array([[8, 0]], np.uint64)
    return batch.encode(Samples(identity, np.array([0, 1]), np.array([timestamp]), np.array([1.0])), wrong)


def _batch_of_one(data, timestamp, lanes):
    """A series' lane and a batch with one sample of it."""
    identity = ids.series_id(data)
    sample = Samples(ids.from_bytes(identity), np.array([0, 1]), np.array([timestamp]), np.array([1.0]))
    return ids.lane_of(identity, lanes), batch.encode(sample, pa.array([data], pa.binary()))


def _garbage(timestamp, lanes):
    """Messages as (key, value, headers, timestamp, reason)."""
    good = dict(batch.headers_of("test", timestamp))
    long_ago = int(time.time() * 1000) - (KEPT_HOURS + 1) * HOUR_MS
    lane, too_old = _batch_of_one(labels.canonical({"__name__": "too_old"}), long_ago, lanes)
    return [
        (None, b"no key", good, timestamp, "bad_key"),
        (b"99", b"no such lane", good, timestamp, "bad_key"),
        (b"\xff\xfe", b"binary key", good, timestamp, "bad_key"),
        (b"0", b"other version", good | {"version": b"99"}, timestamp, "bad_version"),
        (b"0", b"no headers", {}, timestamp, "bad_version"),
        (b"0", b"no clock", good | {"sent": b"soon"}, timestamp, "bad_sent"),
        (b"0", b"not arrow", good, timestamp, "not_arrow"),
        (b"0", None, good, timestamp, "no_value"),
        (b"0", b"clock a year ahead", good | {"sent": b"9999999999999"}, timestamp, "not_arrow"),
        (b"0", b"clock beyond all", good | {"sent": b"9223372036854775807"}, timestamp, "bad_sent"),
        (b"0", b"very old", good, 1, "not_arrow"),
        (b"0", _batch_of_other_labels(timestamp), good, timestamp, "bad_labels"),
        (batch.key_of(lane), too_old, good, long_ago, "too_old"),
    ]
