"""Rows that are too large are cut, against the real Cassandra: what is read is whole whatever was stored before."""

import random
import time

import numpy as np
import pyarrow as pa
import pytest

from schemas.batches import batch
from schemas.blocks.codec import ON_TIME, late_part
from schemas.blocks.row_directory import DIRECTORY_FORMAT
from schemas.limits import MAX_ROW_BYTES
from schemas.tables import Resolution
from sinks.cassandra import cut_rows
from sinks.cassandra.minutes import MinuteStore
from sinks.cassandra.rebuild import Outcome, Rebuilder
from sinks.cassandra.write_blocks import BlockStore
from streamgauge.config import Storage
from streamgauge.rollup.aggregates import COLUMNS, aggregate, merge
from streamgauge.rollup.pending_batches import PendingBatch
from streamgauge.series.samples import Samples, concat, take
from streamgauge.store import schema
from streamgauge.store.blocks.read_blocks import BlockReader
from streamgauge.store.reading import ReadContext
from streamgauge.store.session import connect
from streamgauge.times import now_ms

KEYSPACE = "cut_rows_test"
MINUTE_MS = 60_000
LANE = 3
NAMES = [name for name in COLUMNS if name not in ("first_time", "last_time")]
MANY = 200_000


class Lost(Exception):
    """The writer has died."""


class Dying:
    """A session whose writer dies before one of its writes."""

    def __init__(self, session, writes):
        self._session = session
        self._left = writes

    def __getattr__(self, name):
        return getattr(self._session, name)

    def execute_async(self, statement, row):
        if self._left == 0:
            raise Lost
        self._left -= 1
        return self._session.execute_async(statement, row)


@pytest.fixture(scope="module")
def config(stack):
    cassandra = stack.config.cassandra.model_copy(update={"keyspace": KEYSPACE})
    own = stack.config.model_copy(update={"cassandra": cassandra, "storage": Storage()})
    admin = connect(own.cassandra, keyspace=False, timeout_s=60)
    admin.execute(f"DROP KEYSPACE IF EXISTS {KEYSPACE}")
    admin.cluster.shutdown()
    schema.apply(own)
    return own


@pytest.fixture(scope="module")
def session(config):
    opened = connect(config.cassandra, timeout_s=30)
    yield opened
    opened.cluster.shutdown()


@pytest.fixture(scope="module")
def bucket():
    """The start of a 5-minute bucket that is kept, some time ago."""
    width = 5 * MINUTE_MS
    return int(time.time() * 1000) // width * width - 12 * width


def _samples(numbers, times, rng, lanes):
    """Series that share the hashes of their names and of their labels, so all bits of the id that place them."""
    ids = np.empty((len(numbers), 2), np.uint64)
    ids[:, 0] = 7 << 32 | (5 * lanes + LANE)
    ids[:, 1] = np.array(sorted(numbers), np.uint64) * np.uint64(0x1357_9BDF)
    total = len(numbers) * len(times)
    return Samples(
        ids,
        np.arange(len(numbers) + 1) * len(times),
        np.tile(np.array(sorted(times), np.int64), len(numbers)),
        np.array([rng.choice((1.0, rng.random())) for _ in range(total)]),
    )


def _assert_equal(found, expected):
    assert found.ids.tobytes() == expected.ids.tobytes()
    for name in COLUMNS:
        assert found.columns[name].tobytes() == expected.columns[name].tobytes()
    assert found.digests.means.tobytes() == expected.digests.means.tobytes()


def _read(session, config, ids, level, start):
    """What a query reads of a window, by series; a series that comes twice fails."""
    reader, reading = BlockReader(session, config.shards, config.storage_classes), ReadContext()
    rows = reader.rollups(ids, level, {LANE: (start, start)}, NAMES, reading)
    assert not reading.damages
    found = {}
    for row in rows:
        for at, identity in enumerate(row.ids.tolist()):
            assert tuple(identity) not in found
            found[tuple(identity)] = tuple(row.columns[name][at] for name in NAMES)
    return found


def _rows(store, level, start):
    """The rows of a window, whose series are in one part each."""
    parts = list(store.read_rollups(level, LANE, start, start + 1))
    ids = np.concatenate([rolled.ids for part in parts for _, rolled in part])
    assert len(np.unique(ids, axis=0)) == len(ids)
    return [row for part in parts for row in part]


def _by_series(rolled):
    return {
        tuple(identity): tuple(rolled.columns[name][at] for name in NAMES)
        for at, identity in enumerate(rolled.ids.tolist())
    }


@pytest.mark.parametrize("seed", range(12))
def test_a_writer_that_dies_at_any_write_leaves_each_series_as_it_was_or_as_it_will_be(
    session, config, bucket, monkeypatch, seed
):
    rng = random.Random(seed)
    minute = bucket + 10 * 5 * MINUTE_MS + seed * MINUTE_MS
    [kept] = config.storage_classes
    store = BlockStore(session, config.shards, kept)
    everything, states, written = [], [], False
    for step in range(7):
        times = {minute + rng.randrange(60) * 1000 for _ in range(rng.randint(1, 3))}
        some = _samples(rng.sample(range(60), rng.randint(1, 25)), times, rng, config.shards.lanes)
        everything = concat([everything, some]) if step else some
        store.write_raw(LANE, minute, late_part(0, step, step), some)
        states.append(_by_series(aggregate(everything, minute)))
        # rows shrink too, for what is exact takes more bytes than what is not
        monkeypatch.setattr(cut_rows, "MAX_ROW_BYTES", rng.choice((500, 900, 2500, 40_000)))
        dies = rng.random() < 0.6
        writer = Dying(session, rng.randint(0, 8) if dies else -1)
        rebuilder = Rebuilder(writer, config.shards, [kept], now_ms)
        try:
            rebuilder.rebuild(Resolution.MIN1, LANE, minute)
        except Lost:
            found = _read(session, config, everything.ids, Resolution.MIN1, minute)
            for identity, values in found.items():
                assert values in [state.get(identity) for state in states]
            assert not written or found.keys() >= states[written - 1].keys()
            continue
        written = len(states)
        assert _read(session, config, everything.ids, Resolution.MIN1, minute) == states[-1]
        rows = _rows(store, Resolution.MIN1, minute)
        _assert_equal(merge(rows, minute), merge([(minute, aggregate(everything, minute))], minute))
    rebuilder = Rebuilder(session, config.shards, [kept], now_ms)
    assert rebuilder.rebuild(Resolution.MIN1, LANE, minute) in (Outcome.CHANGED, Outcome.UNCHANGED)
    # whatever was there before, what means something is what a first build stores
    assert store.read_rollup_rows(Resolution.MIN1, LANE, minute) == store.rollup_rows(
        aggregate(everything, minute)
    )
    assert rebuilder.rebuild(Resolution.MIN1, LANE, minute) is Outcome.UNCHANGED


def test_pieces_of_other_windows_do_not_bring_back_what_a_window_no_longer_names(
    session, config, bucket, monkeypatch
):
    minutes = [bucket - (20 - number) * MINUTE_MS for number in range(3)]
    [kept] = config.storage_classes
    store = BlockStore(session, config.shards, kept)
    expected = {}
    monkeypatch.setattr(cut_rows, "MAX_ROW_BYTES", 900)
    for minute in minutes:
        # the same values, so that all are cut in the same places
        samples = _samples(range(40), [minute], random.Random(2), config.shards.lanes)
        expected[minute] = aggregate(samples, minute)
        store.write_rollup(Resolution.MIN1, LANE, minute, expected[minute])
    monkeypatch.undo()
    again = _samples(range(40), [minutes[1], minutes[1] + 1], random.Random(3), config.shards.lanes)
    expected[minutes[1]] = aggregate(again, minutes[1])
    store.write_rollup(Resolution.MIN1, LANE, minutes[1], expected[minutes[1]])
    reader, reading = BlockReader(session, config.shards, config.storage_classes), ReadContext()
    for _ in ("read", "kept"):
        spans = {LANE: (minutes[0], minutes[-1])}
        rows = reader.rollups(again.ids, Resolution.MIN1, spans, ["sum"], reading)
        found = sorted(
            (start, tuple(identity), value)
            for row in rows
            for start, identity, value in zip(
                row.window_start.tolist(), row.ids.tolist(), row.columns["sum"], strict=True
            )
        )
        assert found == [
            (minute, tuple(identity), value)
            for minute, rolled in expected.items()
            for identity, value in zip(rolled.ids.tolist(), rolled.columns["sum"], strict=True)
        ]
    assert not reading.damages
    for minute, rolled in expected.items():
        rows = _rows(store, Resolution.MIN1, minute)
        _assert_equal(merge(rows, minute), merge([(minute, rolled)], minute))
    Rebuilder(session, config.shards, [kept], now_ms).build(Resolution.MIN5, LANE, minutes[0])
    built = merge(list(expected.items()), minutes[0])
    assert store.read_rollup_rows(Resolution.MIN5, LANE, minutes[0]) == store.rollup_rows(built)


@pytest.mark.parametrize(("number", "before", "after"), [(0, 900, 40_000), (1, 40_000, 900), (2, 900, 900)])
def test_a_bucket_that_would_lose_samples_stays_however_it_is_cut(
    session, config, bucket, monkeypatch, number, before, after
):
    minute = bucket - (30 + number) * MINUTE_MS
    [kept] = config.storage_classes
    store = BlockStore(session, config.shards, kept)
    samples = _samples(range(40), [minute], random.Random(4), config.shards.lanes)
    monkeypatch.setattr(cut_rows, "MAX_ROW_BYTES", before)
    store.write_rollup(Resolution.MIN1, LANE, minute, aggregate(samples, minute))
    store.write_raw(LANE, minute, ON_TIME, take(samples, np.delete(np.arange(40), 17)))
    monkeypatch.setattr(cut_rows, "MAX_ROW_BYTES", after)
    rebuilder = Rebuilder(session, config.shards, [kept], now_ms)
    assert rebuilder.rebuild(Resolution.MIN1, LANE, minute) is Outcome.SHRUNK
    found = _read(session, config, samples.ids, Resolution.MIN1, minute)
    assert found == _by_series(aggregate(samples, minute))
    store.write_raw(LANE, minute, late_part(0, 1, 1), samples)
    is_same = before == after
    assert rebuilder.rebuild(Resolution.MIN1, LANE, minute) is (
        Outcome.UNCHANGED if is_same else Outcome.CHANGED
    )


def test_a_piece_that_is_gone_is_damage_and_not_fewer_series(session, config, bucket, monkeypatch):
    rng = random.Random(1)
    minute = bucket - 10 * MINUTE_MS
    [kept] = config.storage_classes
    store = BlockStore(session, config.shards, kept)
    monkeypatch.setattr(cut_rows, "MAX_ROW_BYTES", 900)
    samples = _samples(range(40), [minute], rng, config.shards.lanes)
    store.write_raw(LANE, minute, ON_TIME, samples)
    rolled = aggregate(samples, minute)
    store.write_rollup(Resolution.MIN1, LANE, minute, rolled)
    group, number = min(place for place in store.rollup_rows(rolled) if place[1] < 0)
    session.execute(
        f"DELETE FROM {kept.table(Resolution.MIN1)} WHERE lane = %s AND period = %s AND metric_group = %s "
        "AND slice = %s AND window_start = %s",
        (LANE, Resolution.MIN1.value.period(minute), group, number, minute),
    )
    reader, reading = BlockReader(session, config.shards, config.storage_classes), ReadContext()
    reader.rollups(samples.ids, Resolution.MIN1, {LANE: (minute, minute)}, ["sum"], reading)
    assert [damage.reason for damage in reading.damages] == ["damaged"]
    assert f"slice={number} " in reading.damages[0].row
    rebuilder = Rebuilder(session, config.shards, [kept], now_ms)
    start = minute - minute % (5 * MINUTE_MS)
    assert rebuilder.rebuild(Resolution.MIN5, LANE, start) is Outcome.DAMAGED
    assert rebuilder.rebuild(Resolution.MIN1, LANE, minute) is Outcome.CHANGED
    assert rebuilder.rebuild(Resolution.MIN5, LANE, start) is Outcome.CHANGED
    assert _read(session, config, samples.ids, Resolution.MIN1, minute) == _by_series(rolled)


def test_a_lane_with_200000_series_of_one_metric_is_rolled_up_and_read(session, config, bucket):
    lanes = config.shards.lanes
    rng = np.random.default_rng(7)
    ids = np.full((MANY, 2), 7 << 32 | (5 * lanes + LANE), np.uint64)
    ids[:, 1] = np.arange(MANY, dtype=np.uint64) * np.uint64(3)
    minutes = [bucket, bucket + MINUTE_MS]
    [kept] = config.storage_classes
    store = BlockStore(session, config.shards, kept)
    whole = []
    for minute in minutes:
        each = 3
        samples = Samples(
            ids,
            np.arange(MANY + 1) * each,
            np.tile(minute + np.arange(each) * 20_000, MANY),
            rng.integers(0, 1 << 62, MANY * each).astype(np.float64),
        )
        batches = [
            PendingBatch(0, at, batch.encode(take(samples, np.arange(at, at + 1000)), _labels(1000)))
            for at in range(0, MANY, 1000)
        ]
        written = MinuteStore(session, config).write_on_time(LANE, minute, batches)
        assert written == (MANY * each, 0)
        whole.append((minute, aggregate(samples, minute)))
    rebuilder = Rebuilder(session, config.shards, [kept], now_ms)
    rebuilder.build(Resolution.MIN5, LANE, bucket)
    for level, start, expected in (
        (Resolution.MIN1, *whole[0]),
        (Resolution.MIN5, bucket, merge(whole, bucket)),
    ):
        rows = store.read_rollup_rows(level, LANE, start)
        assert DIRECTORY_FORMAT in {row[0] for row in rows.values()}
        sizes = [sum(len(blob) for blob in row if isinstance(blob, bytes)) for row in rows.values()]
        assert MAX_ROW_BYTES // 8 < max(sizes) <= MAX_ROW_BYTES
        pieces = _rows(store, level, start)
        _assert_equal(merge(pieces, start), merge([(start, expected)], start))
        some = ids[:: MANY // 50]
        fifty = expected.rows(np.arange(0, MANY, MANY // 50))
        assert _read(session, config, some, level, start) == _by_series(fifty)
    assert rebuilder.rebuild(Resolution.MIN1, LANE, minutes[0]) is Outcome.UNCHANGED


def _labels(count):
    return pa.array([b""] * count, pa.binary())
