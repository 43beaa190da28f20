"""No row is larger than its limits, whatever its series hold; and nothing is lost where it is cut."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.blocks import codec, row_directory
from schemas.blocks.codec import MAX_SAMPLES, decode_raw
from schemas.blocks.row_directory import DIRECTORY_FORMAT
from schemas.limits import MAX_ROW_BYTES
from sinks.cassandra import cut_rows
from sinks.cassandra.cut_rows import counts_of, cut, decode_rollup, raw_blocks, stored_rows
from streamgauge.rollup.aggregates import aggregate
from streamgauge.series.samples import Samples, concat, take

MINUTE = 1_763_892_000_000
SMALL = 700


def _samples(series, each, values, seed=0):
    """Series of one metric with so many samples each, at times of their own."""
    rng = np.random.default_rng(seed)
    ids = np.full((series, 2), 7 << 32, np.uint64)
    ids[:, 0] |= np.sort(rng.choice(1 << 24, series, replace=False)).astype(np.uint64) * np.uint64(8)
    ids[:, 1] = rng.integers(0, 1 << 63, series)
    times = np.sort(rng.choice(60_000, each, replace=False))
    return Samples(
        ids,
        np.arange(series + 1) * each,
        np.tile(MINUTE + times, series),
        values(rng, series * each),
    )


def _random(rng, count):
    return rng.integers(0, 1 << 63, count).astype(np.uint64).view(np.float64)


def _same(one, two):
    return all(ours.tobytes() == theirs.tobytes() for ours, theirs in zip(one, two, strict=True))


def _size(row):
    return sum(len(blob) for blob in row if isinstance(blob, bytes))


def _raw_size(block):
    return len(block.ids) + len(block.timestamps) + len(block.samples)


@pytest.mark.parametrize(("series", "each"), [(200_000, 1), (30_000, 12), (20, 60_000)])
@pytest.mark.parametrize("values", [_random, lambda _, count: np.zeros(count)], ids=["worst", "constant"])
def test_a_raw_row_has_at_most_so_many_bytes_and_samples_and_all_are_there(series, each, values):
    samples = _samples(series, each, values)
    found = raw_blocks(samples, MINUTE)
    assert max(map(_raw_size, found)) <= MAX_ROW_BYTES
    decoded = [decode_raw(block, MINUTE, 60_000) for block in found]
    assert max(len(part.values) for part in decoded) <= MAX_SAMPLES
    assert _same(concat(decoded), samples)


def test_a_rollup_row_has_at_most_so_many_bytes_and_all_are_there():
    rolled = aggregate(_samples(20_000, 20, _random), MINUTE)
    rows = stored_rows(rolled, 1, 3)
    directory = rows.pop(1)
    assert directory[0] == DIRECTORY_FORMAT
    assert max(map(_size, rows.values())) <= MAX_ROW_BYTES
    pieces = row_directory.decode(directory[1])
    assert [piece.slice for piece in pieces] == list(rows)
    parts = [decode_rollup(rows[piece.slice]) for piece in pieces]
    for piece, part in zip(pieces, parts, strict=True):
        assert piece.ids.rows(part.ids) == slice(0, len(part.ids))
    assert np.concatenate([part.ids for part in parts]).tobytes() == rolled.ids.tobytes()
    for name, column in rolled.columns.items():
        assert np.concatenate([part.columns[name] for part in parts]).tobytes() == column.tobytes()


def test_what_fits_is_one_row_as_ever():
    rolled = aggregate(_samples(2000, 6, _random), MINUTE)
    rows = stored_rows(rolled, 2, 3)
    assert list(rows) == [2]
    assert counts_of(rows[2])[0].tobytes() == rolled.ids.tobytes()


@given(st.integers(1, 60), st.integers(0, 100), st.data())
@settings(max_examples=40, deadline=None)
def test_where_is_cut_follows_from_the_series_alone_and_what_did_not_change_stays(series, seed, data):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cut_rows, "MAX_ROW_BYTES", SMALL)
        samples = _samples(series, 3, _random, seed)
        gone = data.draw(st.integers(0, series - 1))
        fewer = take(samples, np.delete(np.arange(series), gone))
        before = stored_rows(aggregate(fewer, MINUTE), 0, 1) if series > 1 else {}
        after = stored_rows(aggregate(samples, MINUTE), 0, 1)
        assert after == stored_rows(aggregate(samples, MINUTE), 0, 1)
        assert all(_size(row) <= SMALL for row in after.values() if row[0] != DIRECTORY_FORMAT)
        # one series more touches the piece that it is in, what this is cut into, and the directory
        holds = [row for row in after.values() if row[0] != DIRECTORY_FORMAT and row not in before.values()]
        assert len(holds) <= 2 or before == {}


def test_series_that_share_all_but_their_last_bits_are_cut_as_any_others():
    ids = np.full((5000, 2), 1 << 40, np.uint64)
    ids[:, 1] = np.arange(5000)
    found = list(cut(ids, lambda begin, end: end - begin, lambda count: count * MAX_ROW_BYTES // 100))
    assert sum(count for _, count in found) == 5000
    assert max(count for _, count in found) <= 100
    assert len(found) < 5000 // 25


def test_a_single_series_that_does_not_fit_is_an_error():
    with pytest.raises(ValueError, match="one series alone"):
        list(cut(np.zeros((1, 2), np.uint64), lambda *_: 1, lambda _: MAX_ROW_BYTES + 1))


def test_a_series_with_all_that_a_minute_can_hold_fits():
    samples = _samples(1, 60_000, _random)
    (block,) = raw_blocks(samples, MINUTE)
    assert _raw_size(block) <= MAX_ROW_BYTES // 3
    assert len(codec.encode_ids(samples.ids)) < 100
    (row,) = stored_rows(aggregate(samples, MINUTE), 0, 1).values()
    assert _size(row) <= 4096
