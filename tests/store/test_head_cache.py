"""The head cache and what is read through it, over a session that answers from memory."""

import threading
import time

import numpy as np
import pyarrow as pa
import pytest

from schemas.batches import batch
from schemas.units import MINUTE_MS
from streamgauge.config import Config
from streamgauge.series import ids, labels
from streamgauge.series.ids import Shards
from streamgauge.series.samples import Samples
from streamgauge.store.head_cache import BYTES_A_MINUTE, FRESH_S, IN_DISORDER, WHOLE_S, HeadCache
from streamgauge.store.index.kept_selections import Selection
from streamgauge.store.reader import Reader
from streamgauge.store.reading import DeadlinePassed, ReadContext

NOON = 1_800_000_000_000 - 1_800_000_000_000 % MINUTE_MS
LABELS = labels.canonical({"__name__": "up", "job": "node"})
ID = ids.series_id(LABELS)


class Answer:
    def __init__(self, rows):
        self._rows = rows

    def result(self):
        return self._rows


class Query(str):
    """A prepared statement: it may have attributes."""


class Stored:
    """Stands for a session: one batch in every minute of `minutes`, lane 0 sealed up to `sealed`."""

    def __init__(self, minutes=(), sealed=0):
        self._payloads = {minute: payload(minute) for minute in minutes}
        self._sealed = sealed
        self.listed = []

    def prepare(self, statement):
        return Query(statement)

    def execute_async(self, statement, request, timeout, **__):
        assert timeout > 0
        if "payload" not in statement:
            self.listed.append(request)
        if "rollup_progress" in statement:
            return Answer([(0, self._sealed)])
        if "metrics_head" not in statement or request[1] not in self._payloads:
            return Answer([])
        return Answer([(0, 7)] if "payload" not in statement else [(7, self._payloads[request[1]])])


def payload(minute):
    samples = Samples(ids.from_bytes(ID), np.array([0, 1]), np.array([minute + 1]), np.array([1.0]))
    return batch.encode(samples, pa.array([LABELS], pa.binary()))


def minutes_of(count, first=NOON):
    return [(0, first + number * MINUTE_MS) for number in range(count)]


def test_the_size_is_that_of_all_minutes_and_falls_as_they_go():
    cache = HeadCache(Stored([NOON, NOON + MINUTE_MS]), 1)
    cache.read(minutes_of(2), ReadContext(), NOON)
    both = cache.size
    cache.read(minutes_of(2), ReadContext(), NOON)
    assert cache.size == both > 2 * BYTES_A_MINUTE
    cache.read([], ReadContext(), NOON + MINUTE_MS)
    assert cache.size == both / 2
    cache.read([], ReadContext(), NOON + 2 * MINUTE_MS)
    assert cache.size == 0


def test_keys_after_the_newest_are_listed_and_now_and_then_all(monkeypatch):
    session = Stored([NOON])
    cache, now = HeadCache(session, 1), 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    places = minutes_of(2)
    first = cache.read(places, ReadContext(), NOON)
    assert session.listed == places
    now += FRESH_S / 2
    cache.read(places, ReadContext(), NOON)
    assert session.listed == places
    now += FRESH_S
    assert cache.read(places, ReadContext(), NOON) == first
    # of a minute that is empty nothing is newest
    assert session.listed[2:] == [places[1], (*places[0], 0, 7 - IN_DISORDER)]
    now += WHOLE_S
    cache.read(places, ReadContext(), NOON)
    assert session.listed[4:] == places


def test_empty_minutes_cost_something_and_are_evicted():
    cache = HeadCache(Stored(), 1, max_bytes=10 * BYTES_A_MINUTE)
    assert len(cache.read(minutes_of(100), ReadContext(), NOON)) == 100
    assert cache.size == 10 * BYTES_A_MINUTE


def test_waiting_for_the_cache_ends_at_the_deadline():
    cache = HeadCache(Stored(), 1)
    with cache._lock, pytest.raises(DeadlinePassed):
        cache.read(minutes_of(1), ReadContext(deadline=time.monotonic() + 0.05), NOON)
    reading = threading.Thread(target=cache.read, args=(minutes_of(1), ReadContext(), NOON))
    reading.start()
    reading.join(10)
    assert not reading.is_alive()


@pytest.mark.parametrize(("sealed_after", "seen"), [(0, True), (1, True), (2, True), (3, False)])
def test_a_batch_is_read_from_the_head_for_some_minutes_after_the_seal(sealed_after, seen):
    session = Stored([NOON], sealed=NOON + sealed_after * MINUTE_MS)
    reader = Reader(session, Shards(1, 1, 1, 1), Config().storage_classes, lambda: NOON + 3 * MINUTE_MS)
    selection = Selection(ids.from_bytes(ID), [LABELS])
    assert len(reader.raw(selection, NOON, NOON + 4 * MINUTE_MS).values) == int(seen)


def test_minutes_past_the_heads_retention_are_not_kept():
    now = NOON
    reader = Reader(Stored(), Shards(1, 1, 1, 1), Config().storage_classes, lambda: now)
    selection = Selection(ids.from_bytes(ID), [LABELS])
    reader.raw(selection, NOON - 5 * MINUTE_MS, NOON)
    before = reader.head.size
    now += 24 * 60 * MINUTE_MS
    reader.raw(selection, now, now)
    assert reader.head.size < before
