import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streamgauge.rollup.aggregates import aggregate
from streamgauge.series.samples import STALE, STALE_BITS, Samples

START = 1_763_892_000_000


def _one(values):
    values = np.array(values, np.float64)
    size = len(values)
    return aggregate(
        Samples(
            np.array([[1, 2]], np.uint64),
            np.array([0, size]),
            START + np.arange(size, dtype=np.int64) * 100,
            values,
        ),
        START,
    )


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=80))
def test_aggregates_equal_numpy(values):
    columns = {name: column[0] for name, column in _one(values).columns.items()}
    assert columns["count"] == len(values)
    np.testing.assert_allclose(columns["sum"], np.sum(values), rtol=1e-12, atol=1e-6)
    assert (columns["min"], columns["max"]) == (min(values), max(values))
    assert (columns["first"], columns["last"]) == (values[0], values[-1])
    assert columns["last_time"] == (len(values) - 1) * 100
    np.testing.assert_allclose(columns["squares"], np.var(values) * len(values), rtol=1e-9, atol=1e-3)
    falls = np.flatnonzero(np.diff(values) < 0)
    assert columns["resets"] == len(falls)
    np.testing.assert_allclose(columns["reset_total"], np.sum(np.array(values)[falls]), rtol=1e-12, atol=1e-6)


def test_stale_markers_count_in_nothing():
    rolled = _one([STALE, 3.0, STALE])
    assert rolled.columns["count"].tolist() == [1]
    assert rolled.columns["first_time"].tolist() == [100]
    assert rolled.columns["last"].tolist() == [3.0]
    assert len(_one([STALE, STALE]).ids) == 0
    assert np.float64(STALE).view(np.uint64) == STALE_BITS


def test_nan_loses_to_numbers_in_min_and_max_and_makes_the_sum_nan():
    rolled = _one([np.nan, 2.0, -1.0, np.nan]).columns
    assert (rolled["min"][0], rolled["max"][0]) == (-1.0, 2.0)
    assert np.isnan(rolled["sum"][0])
    assert np.isnan(_one([np.nan]).columns["min"][0])


def test_infinities_stay():
    rolled = _one([np.inf, 1.0]).columns
    assert rolled["sum"][0] == np.inf
    assert np.isnan(_one([np.inf, -np.inf]).columns["sum"][0])
