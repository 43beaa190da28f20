"""Samples that are up to three hours late. First of all tests, for a day ends meanwhile."""

from collections import defaultdict

import numpy as np

from integration.conftest import HOUR_MS
from integration.pipeline.test_pipeline import _assert_stored
from integration.support.batches import BatchProducer
from integration.support.workload import MINUTE_MS, STEP_MS, Workload
from schemas.tables import ROLLED
from streamgauge.series import ids, labels


def test_a_stream_shuffled_by_up_to_three_hours_ends_as_the_stream_in_order(stack, stored, simulated):
    """On every level, byte for byte; an hour and the day end while late samples come."""
    stack.wait_ready({"store", "rollup"})
    order = Workload("in_order", simulated.next, minutes=12, series=40, seed=5)
    shuffled = Workload("shuffled", simulated.next, minutes=12, series=40, seed=5)
    random = np.random.default_rng(5)
    due: dict[int, list] = defaultdict(list)
    for (at, first), (_, second) in zip(order.requests(), shuffled.requests(), strict=True):
        due[at].append(first)
        for part in range(0, len(second), 10):
            delay = int(random.integers(0, 3 * HOUR_MS)) // STEP_MS * STEP_MS
            due[at + delay].append(second[part : part + 10])
    producer = BatchProducer(stack.config)
    simulated.next = order.end + 3 * HOUR_MS
    for now in range(order.start, simulated.next, STEP_MS):
        for request in due[now]:
            producer.send(request, sent=now)
        if now % 15_000 == 0:
            producer.heartbeat(now)
    simulated.next += MINUTE_MS
    producer.heartbeat(simulated.next)
    producer.until_sealed(stored, simulated.next - MINUTE_MS)
    for work in (order, shuffled):
        _assert_stored(work, stored)
    for level in ROLLED:
        first, second = stored.rollups(order.expected, level), stored.rollups(shuffled.expected, level)
        assert first, f"no {level.value.label} has ended"
        assert _by_host(order, first) == _by_host(shuffled, second)


def _by_host(work, rollups):
    """The bits of rollups, by the labels of their series but the name."""
    host = {ids.series_id(labels.canonical(one)): one["host"] for one in work.label_sets()}
    return {
        (host[identity], start): {name: np.array(value).tobytes() for name, value in rolled.items()}
        for (identity, start), rolled in rollups.items()
    }
