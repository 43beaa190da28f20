import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgauge.rollup import tdigest
from streamgauge.rollup.tdigest_rounding import round_means
from streamgauge.series.digest_shape import MAX_CENTROIDS, MAX_COUNT, cell_weights
from streamgauge.series.digests import Digests, concat, take
from tests.support.digest_rows import FEW, ROWS, digests_of, same

QS = np.array([-0.1, 0.0, 0.01, 0.25, 0.5, 0.9, 0.95, 0.99, 1.0, 1.1, np.nan])


def of_one(digests, number):
    return take(digests, np.array([number]))


def unknown(digests):
    return np.full(len(digests.exact), np.nan)


def quantile_over_time(values, q):
    """The rule of Prometheus, promql/quantile.go."""
    ordered = sorted(values, key=lambda value: -np.inf if np.isnan(value) else value)
    ordered = sorted((v for v in values if np.isnan(v)), key=str) + sorted(
        v for v in ordered if not np.isnan(v)
    )
    if not ordered or np.isnan(q):
        return np.nan
    if q < 0 or q > 1:
        return -np.inf if q < 0 else np.inf
    rank = q * (len(ordered) - 1)
    lower = int(np.floor(rank))
    upper = min(lower + 1, len(ordered) - 1)
    with np.errstate(invalid="ignore", over="ignore"):
        return np.float64(ordered[lower]) * (1 - (rank - lower)) + np.float64(ordered[upper]) * (rank - lower)


def well_formed(digests):
    for number in range(len(digests.exact)):
        one = of_one(digests, number)
        assert len(one.means) <= MAX_CENTROIDS
        assert (one.weights > 0).all()
        assert not np.isnan(one.means[1:]).any()
        numbers = one.means[~np.isnan(one.means)]
        assert not (np.signbit(numbers) & (numbers == 0)).any()
        if one.exact[0]:
            assert (numbers[1:] > numbers[:-1]).all()
        else:
            assert (numbers[1:] >= numbers[:-1]).all()


@given(st.lists(FEW, max_size=5))
def test_an_exact_digest_answers_as_quantile_over_time(rows):
    digests = digests_of(rows)
    well_formed(digests)
    assert digests.exact.all()
    found = tdigest.quantiles(digests, unknown(digests), unknown(digests), QS)
    expected = [[quantile_over_time(row, q) for q in QS] for row in rows]
    np.testing.assert_array_equal(found, np.array(expected).reshape(found.shape))


@given(ROWS)
def test_weights_add_up_and_a_digest_is_exact_while_its_distinct_values_fit(rows):
    digests = digests_of(rows)
    well_formed(digests)
    for number, row in enumerate(rows):
        one = of_one(digests, number)
        distinct = len(np.unique(np.array(row, np.float64)))
        assert one.weights.sum() == len(row)
        assert one.exact[0] == (distinct <= MAX_CENTROIDS)


def test_a_constant_bucket_is_one_exact_centroid():
    digests = digests_of([[7.5] * 5000, [-0.0, 0.0]])
    assert digests.means.tolist() == [7.5, 0.0]
    assert digests.weights.tolist() == [5000, 2]
    assert digests.exact.tolist() == [True, True]


def test_special_values_are_centroids_of_their_own():
    row = [np.nan, -np.inf, np.inf, np.nan, *range(200)]
    digests = digests_of([row])
    assert not digests.exact[0]
    assert np.isnan(digests.means[0])
    assert digests.means[[1, -1]].tolist() == [-np.inf, np.inf]
    assert digests.weights[[0, 1, -1]].tolist() == [2, 1, 1]
    assert np.isfinite(digests.means[2:-1]).all()
    found = tdigest.quantiles(
        digests, np.array([-np.inf]), np.array([np.inf]), np.array([0.0, 2.1 / 203, 1.0])
    )
    assert np.isnan(found[0, 0])
    assert found[0, 1:].tolist() == [-np.inf, np.inf]


@given(ROWS, st.data())
def test_a_merge_does_not_depend_on_the_order_of_its_parts(rows, data):
    digests = digests_of(rows)
    groups = np.array(
        data.draw(st.lists(st.integers(0, 2), min_size=len(rows), max_size=len(rows))), np.int64
    )
    merged = tdigest.merge(digests, groups, 3)
    well_formed(merged)
    shuffled = np.array(data.draw(st.permutations(range(len(rows)))), np.int64)
    assert same(tdigest.merge(take(digests, shuffled), groups[shuffled], 3), merged)
    totals = [sum(len(row) for row, group in zip(rows, groups, strict=True) if group == g) for g in range(3)]
    assert [of_one(merged, g).weights.sum() for g in range(3)] == totals


@given(st.lists(FEW, min_size=1, max_size=4))
def test_merging_exact_digests_is_building_from_all_their_values(rows):
    merged = tdigest.merge(digests_of(rows), np.zeros(len(rows), np.int64), 1)
    assert same(merged, digests_of([[value for row in rows for value in row]]))


@given(ROWS)
def test_one_part_alone_stays_as_it_is(rows):
    digests = digests_of([*rows, []])
    groups = np.arange(len(rows) + 1)
    groups[-1] = 0
    merged = tdigest.merge(digests, groups, len(rows) + 1)
    assert same(merged, digests)


def weights_by_rule(total):
    """The rule of `cell_weights` with plain Python numbers, for one half."""

    def share(q):
        return 2 * 7.416298709205487 / 100 * (q * (1 - q)) ** 0.75

    weights, below = [], 0
    while total > 2 * below:
        middle = (below + total * share(below / total) / 2) / total
        most = max(1, int(total * share(min(middle, 0.5)))) if below else 1
        if (below and total - 2 * below <= most) or total - 2 * below == 1:
            break
        weights.append(min(most, (total - 2 * below) // 2))
        below += weights[-1]
    rest = [total - 2 * below] if total > 2 * below else []
    return weights + rest + weights[::-1]


@given(st.one_of(st.integers(0, 5000), st.integers(0, MAX_COUNT)))
def test_weights_follow_from_the_count(total):
    out = np.zeros(MAX_CENTROIDS, np.int64)
    weights = out[: cell_weights(total, out)]
    assert weights.sum() == total
    assert (weights[:1] == 1).all()
    assert len(weights) <= 70
    np.testing.assert_allclose(weights, weights_by_rule(total), rtol=1e-9, atol=1.01)


def test_means_are_those_of_the_values_between_two_ranks():
    values = np.random.default_rng(3).normal(10, 3, 2000)
    digests = digests_of([values])
    cuts = np.concatenate([[0], np.cumsum(digests.weights)])
    ordered = np.sort(values)
    plain = [ordered[a:b].mean() for a, b in itertools.pairwise(cuts)]
    gaps = np.diff(plain)
    assert (np.abs(digests.means - plain)[1:] <= gaps / 256 + np.min(gaps) / 128).all()


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=60))
def test_rounded_means_rise_and_stay_near(values):
    means = np.sort(values) + 0.0
    rounded = means.copy()
    round_means(rounded)
    assert np.isfinite(rounded).all()
    assert (np.diff(rounded) >= 0).all()
    beside = np.maximum(np.abs(means[1:]), np.abs(means[:-1]))
    with np.errstate(over="ignore"):
        gaps = np.diff(means)
    off = np.abs(rounded - means)[1:]
    grid = np.min(gaps, where=gaps > 0, initial=np.inf) / 256 if gaps.any() else 0.0
    assert (off <= np.maximum(np.maximum.accumulate(gaps) / 255, beside / 2**46) + grid).all()


def test_an_outlier_does_not_take_the_others_with_it():
    digests = digests_of([np.append(np.arange(1, 1000) / 7, 2.0**64)])
    found = tdigest.quantiles(digests, np.array([1 / 7]), np.array([2.0**64]), np.array([0.1, 0.5, 0.9]))
    np.testing.assert_allclose(found[0], [100 / 7, 500 / 7, 900 / 7], rtol=0.02)


@pytest.mark.parametrize("levels", [(360,), (5, 12, 6)])
@pytest.mark.parametrize("name", ["random", "normal", "exponential", "lognormal"])
def test_merged_digests_answer_with_a_small_rank_error(name, levels):
    values = getattr(np.random.default_rng(4), name)(size=360 * 60)
    digests = tdigest.build(np.arange(0, len(values) + 1, 60), values)
    for parts in levels:
        groups = np.arange(len(digests.exact)) // parts
        digests = tdigest.merge(digests, groups, int(groups[-1]) + 1)
    qs = np.array([0.0, 0.001, 0.01, 0.5, 0.95, 0.99, 0.999, 1.0])
    found = tdigest.quantiles(digests, values.min(keepdims=True), values.max(keepdims=True), qs)[0]
    assert (found[[0, -1]] == [values.min(), values.max()]).all()
    ranks = np.searchsorted(np.sort(values), found) / len(values)
    assert np.abs(ranks - qs).max() < 0.001


@given(ROWS.filter(lambda rows: all(abs(v) < 1e300 or not np.isfinite(v) for row in rows for v in row)))
def test_quantiles_rise_and_stay_between_the_extremes(rows):
    digests = digests_of(rows)
    rows = [[value for value in row if np.isfinite(value)] for row in rows]
    low = np.array([min(row, default=np.nan) for row in rows])
    high = np.array([max(row, default=np.nan) for row in rows])
    qs = np.linspace(0, 1, 101)
    found = tdigest.quantiles(digests, low, high, qs)
    for number, answers in enumerate(found):
        numbers = answers[np.isfinite(answers)]
        if len(numbers) and not digests.exact[number]:
            slack = 1e-9 * max(abs(low[number]), abs(high[number]))
            assert (np.diff(numbers) >= -slack).all()
            assert low[number] - slack <= numbers[0]
            assert numbers[-1] <= high[number] + slack


@pytest.mark.parametrize("levels", [np.arange(150) * 0.1, np.sqrt(np.arange(150))])
def test_a_frequent_value_stays_as_it_is(levels):
    values = np.concatenate([levels, np.full(1000, levels[77]), np.full(300, levels[149])])
    digests = digests_of([values])
    assert not digests.exact[0]
    found = tdigest.quantiles(digests, np.array([0.0]), np.array([levels[149]]), np.array([0.4, 0.6, 0.9]))
    assert found[0].tolist() == [levels[77], levels[77], levels[149]]


def test_small_values_beside_many_zeros_are_not_rounded_away():
    values = np.concatenate([np.zeros(500), np.arange(1, 1001) * 1e-7])
    found = tdigest.quantiles(digests_of([values]), np.array([0.0]), np.array([1e-4]), np.array([0.2, 2 / 3]))
    assert found[0, 0] == 0.0
    np.testing.assert_allclose(found[0, 1], 5e-5, rtol=0.01)


def test_no_digest_at_all():
    none = concat([])
    assert isinstance(none, Digests)
    assert same(tdigest.merge(none, np.zeros(0, np.int64), 0), none)
    assert tdigest.quantiles(none, np.zeros(0), np.zeros(0), QS).shape == (0, len(QS))
    assert tdigest.merge(none, np.zeros(0, np.int64), 2).offsets.tolist() == [0, 0, 0]
