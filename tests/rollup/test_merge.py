"""Windows merged are the window of all their samples."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streamgauge.rollup.aggregates import COLUMNS, aggregate, merge
from streamgauge.series.samples import Samples, between

START = 1_763_892_000_000
MINUTE = 60_000

_values = st.one_of(
    st.floats(-1e6, 1e6), st.integers(-5, 5).map(float), st.sampled_from([float("nan"), float("inf"), -0.0])
)
_series = st.dictionaries(st.integers(0, 5 * MINUTE // 500 - 1), _values, min_size=1, max_size=40)


def _samples(series):
    counts = [len(one) for one in series]
    return Samples(
        np.array([[number, number] for number in range(len(series))], np.uint64),
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        np.array([START + at * 500 for one in series for at in sorted(one)], np.int64),
        np.array([one[at] for one in series for at in sorted(one)], np.float64),
    )


def _minutes(samples):
    starts = range(START, START + 5 * MINUTE, MINUTE)
    return [(start, aggregate(between(samples, start, start + MINUTE - 1), start)) for start in starts]


@given(st.lists(_series, min_size=1, max_size=4))
def test_five_minutes_merged_equal_the_five_minutes_at_once(series):
    samples = _samples(series)
    merged, whole = merge(_minutes(samples), START), aggregate(samples, START)
    np.testing.assert_array_equal(merged.ids, whole.ids)
    for name in COLUMNS:
        np.testing.assert_allclose(
            merged.columns[name], whole.columns[name], rtol=1e-9, atol=1e-4, err_msg=name
        )
        assert merged.columns[name].dtype == COLUMNS[name]


@given(st.lists(_series, min_size=1, max_size=4), st.permutations(range(5)))
def test_the_order_of_the_windows_does_not_matter(series, order):
    windows = _minutes(_samples(series))
    expected = merge(windows, START)
    shuffled = merge([windows[at] for at in order], START)
    for name in COLUMNS:
        assert shuffled.columns[name].tobytes() == expected.columns[name].tobytes()


def test_a_reset_between_two_windows_is_counted():
    samples = _samples([{0: 10.0, 100: 30.0, 130: 5.0, 200: 7.0, 250: 1.0}])
    merged = merge(_minutes(samples), START)
    assert merged.columns["resets"].tolist() == [2]
    assert merged.columns["reset_total"].tolist() == [37.0]
    increase = merged.columns["last"] - merged.columns["first"] + merged.columns["reset_total"]
    assert increase.tolist() == [20.0 + 5.0 + 2.0 + 1.0]


def test_squares_of_large_values_do_not_cancel():
    samples = _samples([{at: 1e9 + at % 2 for at in range(0, 600, 2)} | {1: 1e9 + 1}])
    merged = merge(_minutes(samples), START)
    values = samples.values
    np.testing.assert_allclose(merged.columns["squares"], [np.var(values) * len(values)], rtol=1e-6)


def test_nothing_merges_to_nothing():
    assert len(merge([], START).ids) == 0


@given(st.lists(_series, min_size=1, max_size=4))
def test_percentiles_of_few_values_merged_are_those_of_all_at_once(series):
    samples = _samples(series)
    merged, whole = merge(_minutes(samples), START), aggregate(samples, START)
    np.testing.assert_allclose(
        merged.quantiles([0.0, 0.5, 0.95, 0.99, 1.0]),
        whole.quantiles([0.0, 0.5, 0.95, 0.99, 1.0]),
        rtol=1e-12,
    )
    bare = aggregate(samples, START, with_digests=False)
    assert bare.digests is None
    assert merge([(START, bare)], START).digests is None
