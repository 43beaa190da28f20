"""Writers whose clocks differ: what is written last in truth is what is there, whatever its host's clock says."""

import time
from dataclasses import replace

import numpy as np
import pytest

from schemas.blocks.codec import ON_TIME, late_part
from schemas.tables import Resolution, ddl
from sinks.cassandra.marks import MarkStore
from sinks.cassandra.rebuild import Outcome, Rebuilder
from sinks.cassandra.write_blocks import BlockStore
from streamgauge.rollup.aggregates import aggregate
from streamgauge.rollup.marks import Mark
from streamgauge.series.samples import Samples
from streamgauge.store.progress import ProgressStore
from streamgauge.store.session import connect
from streamgauge.store.stored_batches import StoredBatches
from streamgauge.times import now_ms

LANE = 0


@pytest.fixture(scope="module")
def session(config):
    """A session in a keyspace of these tests' own."""
    own = config.cassandra.model_copy(update={"keyspace": "clocks"})
    session = connect(own, keyspace=False, timeout_s=30)
    for statement in ddl(own.keyspace, own.replication, config.storage_classes):
        session.execute(statement)
    session.set_keyspace(own.keyspace)
    yield session
    session.execute(f"DROP KEYSPACE {own.keyspace}", timeout=60)
    session.cluster.shutdown()


@pytest.fixture(params=[-5, 5], ids=["the second is behind", "the second is ahead"])
def change_host(request, monkeypatch):
    """From the call on this process has the clock of another host, the driver's included."""
    real, real_ns = time.time, time.time_ns

    def change():
        monkeypatch.setattr(time, "time", lambda: real() + request.param)
        monkeypatch.setattr(time, "time_ns", lambda: real_ns() + request.param * 1_000_000_000)

    return change


@pytest.fixture(scope="module")
def minutes():
    """Minutes of the last hours, each the first of five."""
    width = Resolution.MIN5.value.width_ms
    return iter(range(now_ms() // width * width - 100 * width, now_ms(), width))


@pytest.fixture
def minute(minutes):
    """A minute that no other of these tests writes to."""
    return next(minutes)


def samples(minute, count):
    """Of two series, as many each."""
    times = np.tile(minute + np.arange(count) * 1000, 2)
    ids = np.array([[1 << 32, 1], [1 << 32, 2]], np.uint64)
    return Samples(ids, np.array([0, count, 2 * count]), times, times.astype(np.float64))


def counts(store, level, minute):
    parts = store.read_rollups(level, LANE, minute, minute + 1)
    return [rolled.columns["count"].tolist() for part in parts for _, rolled in part]


@pytest.fixture
def writers(session, config):
    kept = replace(config.storage_classes[-1], digests=False)
    return BlockStore(session, config.shards, kept), Rebuilder(session, config.shards, [kept], now_ms)


def test_a_rebuild_wins_over_what_it_has_read(writers, minute, change_host):
    store, rebuilder = writers
    store.write_raw(LANE, minute, ON_TIME, samples(minute, 3))
    rebuilder.build(Resolution.MIN1, LANE, minute)
    change_host()
    store.write_raw(LANE, minute, late_part(0, 1, 2), samples(minute, 7))
    for level in (Resolution.MIN1, Resolution.MIN5):
        assert rebuilder.rebuild(level, LANE, minute) is Outcome.CHANGED
        assert counts(store, level, minute) == [[7, 7]]
        assert rebuilder.rebuild(level, LANE, minute) is Outcome.UNCHANGED


def test_a_minute_that_is_closed_again_after_a_failure_is_as_it_was_closed_last(writers, minute, change_host):
    store, _ = writers
    for count in (3, 5):
        closed = samples(minute, count)
        store.write_raw(LANE, minute, ON_TIME, closed)
        store.write_rollup(Resolution.MIN1, LANE, minute, aggregate(closed, minute))
        change_host()
    assert np.diff(store.read_raw(LANE, minute).offsets).tolist() == [5, 5]
    assert counts(store, Resolution.MIN1, minute) == [[5, 5]]


def test_a_bucket_that_is_built_again_after_a_failure_has_what_came_meanwhile(writers, minute, change_host):
    store, rebuilder = writers
    for count in (3, 5):
        store.write_rollup(Resolution.MIN1, LANE, minute, aggregate(samples(minute, count), minute))
        rebuilder.build(Resolution.MIN5, LANE, minute)
        change_host()
    assert counts(store, Resolution.MIN5, minute) == [[5, 5]]


def test_what_a_minute_that_is_closed_again_holds_is_noted_for_the_audit(session, minute, change_host):
    noted = StoredBatches(session)
    for count in (3, 5):
        noted.write(LANE, minute, ON_TIME, [(0, offset, 1) for offset in range(count)])
        change_host()
    assert noted.read(LANE, [minute]).offsets.tolist() == [0, 1, 2, 3, 4]


def test_progress_never_goes_back(session, change_host):
    first, second = ProgressStore(session), ProgressStore(session)
    lane = 1000 + now_ms() % 1_000_000
    place = {"label": Resolution.MIN1.value.label, "lane": lane}
    # as the versions before wrote it, by the clock
    session.execute(
        "INSERT INTO rollup_progress (resolution, lane, sealed_to) VALUES (%(label)s, %(lane)s, 60000)", place
    )
    assert first.read(Resolution.MIN1)[lane] == 60_000
    change_host()
    second.write(Resolution.MIN1, lane, 180_000)
    first.write(Resolution.MIN1, lane, 120_000)
    assert first.read(Resolution.MIN1)[lane] == 180_000
    second.write(Resolution.MIN1, lane, 240_000)
    assert first.read(Resolution.MIN1)[lane] == 240_000


def test_a_mark_that_is_stored_while_its_bucket_is_built_goes_on_waiting(session, minute, change_host):
    job, replay = MarkStore(session), MarkStore(session)
    asked = Mark(Resolution.MIN1, minute, complete=True, origin="replay")
    job.write(LANE, Mark(Resolution.MIN1, minute))
    building = job.waiting(LANE, asked)
    change_host()
    replay.write(LANE, asked)
    job.done(LANE, building, Outcome.CHANGED)
    assert job.waiting(LANE, asked) == asked
    job.done(LANE, job.waiting(LANE, asked), Outcome.CHANGED)
    assert job.waiting(LANE, asked) is None


def test_a_mark_that_is_stored_after_one_was_done_waits(session, minute, change_host):
    job, replay = MarkStore(session), MarkStore(session)
    mark = Mark(Resolution.MIN1, minute)
    job.write(LANE, mark)
    job.done(LANE, job.waiting(LANE, mark), Outcome.UNCHANGED)
    change_host()
    replay.write(LANE, mark)
    assert job.waiting(LANE, mark) == mark
