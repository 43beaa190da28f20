import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import limits
from schemas.batches import batch
from streamgauge.collect.incoming.ages import Ages
from streamgauge.collect.incoming.faults import SampleFault
from streamgauge.collect.incoming.refusals import Refusals
from streamgauge.collect.incoming.rows import MAX_BATCHES, Rows, admit, within_batches
from streamgauge.collect.incoming.series_table import SeriesTable
from streamgauge.collect.producing import batcher
from streamgauge.config import Config
from streamgauge.series.labels import canonical
from streamgauge.series.samples import STALE, wins

LANES = 4
NOW = 1_800_000_000_000
AGES = Ages(Config().storage_classes, Config().class_rules)
points = st.tuples(st.integers(0, 30), st.integers(NOW - 200_000, NOW), st.sampled_from([1.0, -2.0, STALE]))


def rows_of(table, samples):
    ordinals = [table.intern(canonical({"__name__": f"m{n % 3}", "n": str(n)})) for n, _, _ in samples]
    return Rows(
        np.array(ordinals, np.int64),
        np.ones(len(samples), np.int64),
        np.array([at for _, at, _ in samples], np.int64),
        np.array([value for _, _, value in samples], np.float64),
    )


def read_back(outgoing):
    """Every sample of the batches, each batch checked as the jobs check it."""
    found = {}
    for out in outgoing:
        decoded = batch.decode(out.value, out.lane, batch.minute_of(out.newest), LANES, labels=True)
        samples = decoded.samples
        assert out.series == len(samples.ids) <= limits.MAX_BATCH_SERIES
        assert out.samples == len(samples.timestamps)
        assert out.newest == samples.timestamps.max()
        for row, labels in enumerate(decoded.labels.to_pylist()):
            for place in range(samples.offsets[row], samples.offsets[row + 1]):
                key = labels, int(samples.timestamps[place])
                assert key not in found
                found[key] = int(samples.values[place : place + 1].view(np.uint64)[0])
    return found


@given(st.lists(st.lists(points, max_size=60), min_size=1, max_size=3))
def test_batches_hold_every_sample_once_by_lane_and_minute(parts):
    table = SeriesTable(LANES, 1000)
    expected = {}
    rows = [rows_of(table, part) for part in parts]
    for part in rows:
        for ordinal, at, value in zip(
            part.ordinals, part.timestamps, part.values.view(np.uint64), strict=True
        ):
            key = table.canonical(int(ordinal)), int(at)
            if key not in expected or wins(value, np.uint64(expected[key])):
                expected[key] = int(value)
    assert read_back(batcher.batches(table, rows)) == expected


def test_a_lane_with_many_series_is_cut_into_even_batches():
    table = SeriesTable(1, 10_000)
    rows = rows_of(table, [(n, NOW, 1.0) for n in range(2500)])
    sizes = [out.series for out in batcher.batches(table, [rows])]
    assert sum(sizes) == 2500
    assert max(sizes) == 834


def test_a_batch_of_long_labels_is_cut_by_its_bytes():
    table = SeriesTable(1, 10_000)
    long = [table.intern(canonical({"__name__": "m", "n": f"{n:06}" * 9000})) for n in range(100)]
    one = np.ones(100, np.int64)
    rows = Rows(np.array(long), one, one * NOW, one * 1.0)
    outgoing = list(batcher.batches(table, [rows]))
    assert sum(out.series for out in outgoing) == 100
    assert max(out.series for out in outgoing) * 54_000 <= limits.MAX_BATCH_BYTES


def test_samples_more_than_a_minute_ahead_are_left_out():
    table = SeriesTable(LANES, 100)
    times = [NOW + 60_001, NOW + 60_000, 0, NOW + 70_000, -5]
    rows = rows_of(table, [(n, at, 1.0) for n, at in enumerate(times)])
    refusals = Refusals()
    good = admit(rows, table, NOW, AGES, refusals)
    assert good.timestamps.tolist() == [NOW + 60_000]
    assert good.ordinals.tolist() == [1]
    assert [(each.reason, each.samples, each.first_timestamp) for each in refusals] == [
        (SampleFault.FUTURE, 2, NOW + 60_001),
        (SampleFault.BEFORE_EPOCH, 2, 0),
    ]
    assert "'n': '0'" in str(next(iter(refusals)))


def test_admitted_rows_keep_their_runs():
    table = SeriesTable(LANES, 100)
    ordinals = rows_of(table, [(0, NOW, 0.0), (1, NOW, 0.0)]).ordinals
    rows = Rows(ordinals, np.array([2, 1]), np.array([NOW, NOW + 99_999, NOW]), np.array([1.0, 2.0, 3.0]))
    good = admit(rows, table, NOW, AGES, Refusals())
    assert good.counts.tolist() == [1, 1]
    assert good.values.tolist() == [1.0, 3.0]


@pytest.mark.parametrize("more", [0, 1, 5])
def test_of_a_request_for_too_many_batches_the_newest_samples_are_taken(more):
    table = SeriesTable(LANES, 100)
    one = table.intern(canonical({"__name__": "m"}))
    count = MAX_BATCHES + more
    times = NOW - 60_000 * np.arange(count)
    rows = Rows(np.array([one]), np.array([count]), times, times.astype(np.float64))
    refusals = Refusals()
    good = within_batches(rows, table, refusals)
    assert (len(good.timestamps), good.counts.tolist()) == (MAX_BATCHES, [MAX_BATCHES])
    assert good.timestamps.min() == NOW - 60_000 * (MAX_BATCHES - 1)
    expected = [(SampleFault.SCATTERED, more, int(times[MAX_BATCHES]))] if more else []
    assert [(each.reason, each.samples, each.first_timestamp) for each in refusals] == expected


def test_lanes_of_one_minute_are_batches_of_their_own():
    table = SeriesTable(LANES, 100)
    rows = rows_of(table, [(n % 30, NOW - 60_000 * (n // 30), 1.0) for n in range(MAX_BATCHES + 30)])
    refusals = Refusals()
    good = within_batches(rows, table, refusals)
    minutes = {(int(table.lanes[ordinal]), at // 60_000) for ordinal, at, *_ in zip(*good[::2], strict=True)}
    assert not refusals
    assert len(minutes) < MAX_BATCHES


@pytest.mark.parametrize("count", [0, 1])
def test_a_table_is_full_at_its_bound(count):
    table = SeriesTable(LANES, count + 1)
    for n in range(count):
        table.intern(canonical({"__name__": f"m{n}"}))
    assert not table.full
    table.intern(canonical({"__name__": "one_more"}))
    assert table.full
