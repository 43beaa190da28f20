import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.blocks import digests
from schemas.blocks.blobs import BlockFault, InvalidBlock
from streamgauge.rollup import tdigest, tdigest_kernels
from streamgauge.series.digest_shape import MAX_CENTROIDS, MAX_COUNT
from streamgauge.series.digests import Digests, take
from tests.support.digest_rows import ROWS, digests_of, same

MEANS = st.lists(st.floats(allow_nan=False), unique=True, max_size=30).map(sorted)
WEIGHTS = st.lists(st.one_of(st.integers(1, 3), st.integers(1, 2**48)), min_size=30, max_size=30)
ANY = st.lists(st.tuples(MEANS, WEIGHTS, st.booleans(), st.booleans()), max_size=5)


def any_digests(rows):
    """Digests as nothing here makes them: any means with any weights, exact or not."""
    means = [[np.nan] * nan + [mean + 0.0 for mean in row] for row, _, _, nan in rows]
    sizes = [len(row) for row in means]
    return Digests(
        np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)]).astype(np.int64),
        np.array([mean for row in means for mean in row], np.float64),
        np.array(
            [weight for row, size in zip(rows, sizes, strict=True) for weight in (row[1] * 2)[:size]],
            np.int64,
        ),
        np.array([exact for _, _, exact, _ in rows], np.bool_),
    )


@given(ROWS)
def test_digests_come_back_bit_for_bit(rows):
    built = digests_of(rows)
    merged = tdigest.merge(built, np.arange(len(rows)) // 2, (len(rows) + 1) // 2)
    for each in (built, merged):
        assert same(digests.decode(digests.encode(each), len(each.exact)), each)


@given(ANY)
def test_digests_of_any_shape_come_back_bit_for_bit(rows):
    each = any_digests(rows)
    assert same(digests.decode(digests.encode(each), len(rows)), each)


@given(ROWS, st.data())
def test_some_rows_alone_are_those_rows(rows, data):
    each = digests_of(rows)
    picked = sorted(data.draw(st.sets(st.sampled_from(range(len(rows)))))) if rows else []
    picked = np.array(picked, np.int64)
    assert same(digests.decode(digests.encode(each), len(rows), picked), take(each, picked))


def test_the_bytes_of_digests_are_the_same_for_ever(golden):
    each = digests_of(
        [
            [],
            [42.0] * 6,
            [1.25, -0.5, 1.25, 1e6],
            [np.pi, np.e, -1e-300],
            [np.nan, np.nan, -np.inf, np.inf, 7.0],
            np.sqrt(np.arange(2000)),
            [np.inf, *(np.arange(500) ** 3).tolist()],
        ]
    )
    today = digests.encode(each)
    stored = golden("digests-v1.bin", today)
    assert stored == today
    assert same(digests.decode(stored, 7), each)


def test_a_digest_that_is_not_exact_takes_12_bits_a_centroid():
    values = np.random.default_rng(5).normal(size=100 * 3600)
    built = tdigest.build(np.arange(0, len(values) + 1, 3600), values)
    assert len(digests.encode(built)) < 1.75 * len(built.means)


def test_a_constant_takes_few_bytes():
    assert len(digests.encode(digests_of([[1234.5] * 60] * 100))) <= 8 * 100


@pytest.mark.parametrize("series", [0, 2, 1000])
def test_another_number_of_series_is_refused(series):
    with pytest.raises(InvalidBlock):
        digests.decode(digests.encode(digests_of([[1.0, 2.5], [3.0], [0.1]])), series)


def test_an_unknown_format_is_refused():
    for blob in (b"", b"\x01\x00", b"\x02\x00\x00\x00\x00"):
        with pytest.raises(InvalidBlock) as refused:
            digests.decode(blob, 0)
        assert refused.value.reason is BlockFault.UNKNOWN_FORMAT


def refused_or_well_formed(blob, series):
    try:
        found = digests.decode(blob, series)
    except InvalidBlock:
        return
    assert len(found.means) <= len(blob)
    assert (found.weights > 0).all()
    for number in range(series):
        one = take(found, np.array([number]))
        numbers = one.means[1:] if len(one.means) and np.isnan(one.means[0]) else one.means
        with np.errstate(invalid="ignore"):
            gaps = np.diff(numbers)
        assert (gaps > 0 if one.exact[0] else gaps >= 0).all()
        assert one.weights.sum() <= MAX_COUNT
    assert same(digests.decode(digests.encode(found), series), found)


@given(st.one_of(ROWS.map(digests_of), ANY.map(any_digests)), st.data())
@settings(max_examples=500)
def test_damaged_digests_are_digests_or_refused(each, data):
    damaged = bytearray(digests.encode(each))
    for _ in range(data.draw(st.integers(1, 3))):
        kind = data.draw(st.sampled_from(["change", "cut", "insert"]))
        at = data.draw(st.integers(0, max(len(damaged) - 1, 0)))
        if kind == "cut":
            del damaged[at : at + data.draw(st.integers(1, 3))]
        elif kind == "insert" or not damaged:
            damaged.insert(at, data.draw(st.integers(0, 255)))
        else:
            damaged[at] = data.draw(st.integers(0, 255))
    refused_or_well_formed(bytes(damaged), len(each.exact))


@given(st.binary(max_size=80), st.integers(0, 4), st.integers(0, 40))
@settings(max_examples=500)
def test_any_bytes_are_digests_or_refused(body, series, counts):
    refused_or_well_formed(b"\x01" + counts.to_bytes(4, "little") + body, series)


@given(ANY, st.data())
def test_digests_of_any_shape_merge_into_the_room_that_is_made_for_them(rows, data):
    parts = any_digests(rows)
    groups = np.array(
        data.draw(st.lists(st.integers(0, 2), min_size=len(rows), max_size=len(rows))), np.int64
    )
    merged = tdigest.merge(parts, groups, 3)
    order, bounds = np.argsort(groups, kind="stable"), np.searchsorted(np.sort(groups), np.arange(4))
    assert merged.offsets[-1] <= tdigest_kernels.room(parts.offsets, parts.exact, order, bounds)
    totals = [
        int(parts.weights[np.repeat(groups, np.diff(parts.offsets)) == group].sum()) for group in range(3)
    ]
    assert [int(own.sum()) for own in np.split(merged.weights, merged.offsets[1:-1])] == totals


@pytest.mark.parametrize("exact", [True, False])
def test_a_digest_of_more_centroids_than_one_may_have_is_refused(exact):
    def digest(size):
        return Digests(
            np.array([0, size]), np.arange(float(size)), np.ones(size, np.int64), np.array([exact])
        )

    assert same(digests.decode(digests.encode(digest(MAX_CENTROIDS)), 1), digest(MAX_CENTROIDS))
    with pytest.raises(InvalidBlock) as refusal:
        digests.decode(digests.encode(digest(MAX_CENTROIDS + 1)), 1)
    assert refusal.value.reason is BlockFault.DAMAGED
