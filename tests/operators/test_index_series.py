"""What the store job hands on to the index, and how the index seals minutes and outdates what comes of sealed ones."""

import importlib
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from schemas.batches import batch
from schemas.tables import INDEX_PERIOD_MS, index_period
from schemas.units import HOUR_MS, MINUTE_MS
from streamgauge.config import Config
from streamgauge.series.ids import from_bytes, lane_of, series_id
from streamgauge.series.known_series import MOST_MINUTES, KnownSeries
from streamgauge.series.labels import canonical
from streamgauge.series.samples import Samples
from streamgauge.times import now_ms

NOON = 1_763_892_000_000
LANE = 3
METRICS = SimpleNamespace(
    counter=lambda _: SimpleNamespace(inc=lambda *_: None),
    gauge=lambda *_: None,
    add_group=lambda *_: METRICS,
)
X, Y = b"x" * 16, b"y" * 16


def _operator(name):
    return importlib.import_module(f"operators.{name}")


def test_a_series_is_handed_on_once_and_each_minute_once_after_it():
    known = KnownSeries()
    assert known.new(LANE, NOON, [X]) == {X}
    assert known.hand_on(LANE, NOON, {X})
    assert known.new(LANE, NOON, [X]) == set()
    assert not known.hand_on(LANE, NOON, set())
    # an older minute that holds the series too, which no generation tells of
    assert known.hand_on(LANE, NOON - HOUR_MS, set())
    assert not known.hand_on(LANE, NOON - HOUR_MS, set())
    # lanes have nothing to do with each other
    assert known.hand_on(LANE + 1, NOON, {X})
    assert not known.hand_on(LANE, NOON, set())
    # after another new series all minutes again: they may hold that one
    assert known.hand_on(LANE, NOON, {Y})
    assert not known.hand_on(LANE, NOON, set())
    assert known.hand_on(LANE, NOON - HOUR_MS, set())


def test_a_series_is_new_in_every_index_period():
    known = KnownSeries()
    begin = index_period(NOON, LANE) + INDEX_PERIOD_MS
    assert known.hand_on(LANE, begin - MINUTE_MS, known.new(LANE, begin - MINUTE_MS, [X]))
    assert known.new(LANE, begin, [X]) == {X}
    assert known.hand_on(LANE, begin, {X})
    assert known.new(LANE, begin - MINUTE_MS, [X]) == known.new(LANE, begin, [X]) == set()


def test_what_is_remembered_is_bounded_and_what_is_forgotten_is_handed_on_again():
    known = KnownSeries(limit=1)
    for identity in (X, Y):
        assert known.hand_on(LANE, NOON, {identity})
    assert known.hand_on(LANE, NOON, {b"z" * 16})
    assert known.new(LANE, NOON, [X]) == {X}
    for minute in range(MOST_MINUTES + 1):
        known.hand_on(LANE, NOON - minute * MINUTE_MS, set())
    assert known.hand_on(LANE, NOON, set())


def test_the_job_of_sql_rules_reads_what_the_source_gives():
    """The store job's part of this is in `test_rejections`."""
    picks = _operator("rules.pick_samples").PickSamples(Config(), ["x"])
    picks.open(SimpleNamespace(get_metrics_group=lambda: METRICS))
    lane, payload, _ = _payload(NOON)
    headers = dict(batch.headers_of("test", NOON))
    message = _operator("message").Message(
        batch.key_of(lane), headers["version"], headers["sent"], headers["producer"], 0, 1, payload, NOON
    )
    context = SimpleNamespace(timestamp=lambda: NOON)
    _, picked = picks.process_element(message, context)
    assert (picked[0], picked[1], picked[3]) == (0, NOON, 1.0)


class Index:
    """The tables, and workers that take them over one after the other; all that is done, in its order."""

    def __init__(self, monkeypatch):
        self.sealed, self.done, self.timers = {}, [], []
        monkeypatch.setattr("streamgauge.store.session.connect", lambda _: None)
        monkeypatch.setattr(
            "sinks.cassandra.write_index.IndexStore",
            lambda *_: SimpleNamespace(
                write=lambda *at: self.done.append(("write", *at)) or {},
                outdate_blocks=lambda *at: self.done.append(("outdate", *at)),
            ),
        )
        monkeypatch.setattr(
            "streamgauge.store.progress.ProgressStore",
            lambda _: SimpleNamespace(read_index=lambda: dict(self.sealed), write_index=self._seal),
        )
        self.start()

    def start(self):
        self.worker = _operator("index_series").IndexSeries(Config())
        self.worker.open(SimpleNamespace(get_metrics_group=lambda: METRICS))

    def _seal(self, lane, to):
        self.done.append(("seal", lane, to))
        self.sealed[lane] = to

    def send(self, lane, minute, payload=b""):
        timers = SimpleNamespace(register_event_time_timer=self.timers.append)
        context = SimpleNamespace(timer_service=lambda: timers)
        assert list(self.worker.process_element((lane, minute, 0, 1, payload), context)) == []

    def pass_time(self, lane, to):
        context = SimpleNamespace(get_current_key=lambda: lane)
        assert list(self.worker.on_timer(to - 1, context)) == []


@pytest.fixture
def index(monkeypatch):
    return Index(monkeypatch)


def _payload(minute):
    labels = canonical({"__name__": "x"})
    identity = series_id(labels)
    samples = Samples(from_bytes(identity), np.array([0, 1]), np.array([minute]), np.array([1.0]))
    lane = lane_of(identity, Config().layout.lanes)
    return lane, batch.encode(samples, pa.array([labels], pa.binary())), {identity: labels}


def test_the_index_is_sealed_when_time_passes_a_minute_and_late_series_outdate_it(index):
    lane, payload, rows = _payload(NOON)
    index.send(lane, NOON, payload)
    index.send(lane, NOON)
    assert index.done == [("write", lane, NOON, rows)]
    assert index.timers == [NOON + MINUTE_MS - 1]
    index.pass_time(lane, NOON + MINUTE_MS)
    assert index.sealed == {lane: NOON + MINUTE_MS}
    index.done.clear()
    # the series first, for what is made afterwards must have it
    index.send(lane, NOON, payload)
    assert index.done == [("write", lane, NOON, rows), ("outdate", lane, NOON)]
    index.done.clear()
    # a batch of series that are known in a minute that is sealed
    index.send(lane, NOON - HOUR_MS)
    assert index.done == [("outdate", lane, NOON - HOUR_MS)]
    index.send(lane, NOON + MINUTE_MS)
    assert index.timers == [NOON + MINUTE_MS - 1, NOON + 2 * MINUTE_MS - 1]


def test_a_new_worker_knows_what_was_sealed_and_never_takes_it_back(index):
    index.sealed = {LANE: NOON}
    index.start()
    index.send(LANE, NOON - MINUTE_MS)
    assert index.done == [("outdate", LANE, NOON - MINUTE_MS)]
    # a timer of before, or of a stream that is read again
    index.pass_time(LANE, NOON - MINUTE_MS)
    index.pass_time(LANE, NOON)
    assert index.sealed == {LANE: NOON}
    assert len(index.done) == 1
    index.pass_time(LANE, NOON + MINUTE_MS)
    assert index.done[1:] == [("seal", LANE, NOON + MINUTE_MS)]


class Head:
    """A worker of the first operator."""

    def __init__(self, monkeypatch):
        self.written = []
        head = SimpleNamespace(write=lambda *at: self.written.append(at[:4]), settle=lambda: 0)
        monkeypatch.setattr("streamgauge.store.session.connect", lambda _: None)
        monkeypatch.setattr("sinks.cassandra.write_head.HeadStore", lambda _: head)
        self.worker = _operator("store_head").StoreHead(Config())
        self.worker.open(SimpleNamespace(get_metrics_group=lambda: METRICS))

    def send(self, lane, minute, payload, offset=0):
        row = batch.key_of(lane), batch.VERSION, b"1", b"test", 0, offset, payload, None
        found = list(self.worker.process_element(row, SimpleNamespace(timestamp=lambda: minute)))
        return [(at[0], at[1], at[-1]) for at in map(tuple, found)]


def test_the_head_hands_on_new_series_as_batches_and_later_minutes_without(monkeypatch):
    head = Head(monkeypatch)
    now = batch.minute_of(now_ms())
    (lane, first, _), (_, older, _) = _payload(now), _payload(now - HOUR_MS)
    assert head.send(lane, now, first) == [(lane, now, first)]
    assert head.send(lane, now, first, 1) == []
    # an hour back is another index period at times
    is_known = index_period(now, lane) == index_period(now - HOUR_MS, lane)
    assert head.send(lane, now - HOUR_MS, older, 2) == [(lane, now - HOUR_MS, b"" if is_known else older)]
    assert [offset for *_, offset in head.written] == [0, 1, 2]


def test_a_heartbeat_lets_time_pass_for_the_index_once_a_minute(monkeypatch):
    head = Head(monkeypatch)
    now = batch.minute_of(now_ms())
    assert head.send(LANE, now, batch.HEARTBEAT) == [(LANE, now, b"")]
    assert head.send(LANE, now, batch.HEARTBEAT) == []
    assert head.send(LANE, now + MINUTE_MS, batch.HEARTBEAT) == [(LANE, now + MINUTE_MS, b"")]
    assert head.written == []
