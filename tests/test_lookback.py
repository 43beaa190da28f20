import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streamgauge.promql.lookback import at_steps, without_stale
from streamgauge.series.samples import STALE, STALE_BITS, Samples, between

VALUE = st.sampled_from([0.0, 1.5, -2.0, float("inf"), float("nan"), STALE])
ROWS = st.lists(st.dictionaries(st.integers(-50, 150), VALUE, min_size=1, max_size=12), max_size=5)


def _samples(rows):
    ordered = [sorted(row.items()) for row in rows]
    return Samples(
        np.array([(9, number) for number in range(len(rows))], np.uint64).reshape(-1, 2),
        np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64),
        np.array([time for row in ordered for time, _ in row], np.int64),
        np.array([value for row in ordered for _, value in row], np.float64),
    )


def _plain(samples):
    """By the low half of the id, (time, bits) of each sample."""
    bits = samples.values.view(np.uint64).tolist()
    times = samples.timestamps.tolist()
    return {
        int(samples.ids[row, 1]): list(
            zip(
                times[samples.offsets[row] : samples.offsets[row + 1]],
                bits[samples.offsets[row] : samples.offsets[row + 1]],
                strict=True,
            )
        )
        for row in range(len(samples.ids))
    }


@given(ROWS, st.integers(-60, 160), st.integers(1, 40), st.integers(1, 30), st.integers(1, 60))
def test_a_step_shows_the_last_sample_in_the_lookback(rows, first, step, count, lookback):
    samples = _samples(rows)
    expected = {}
    for series, row in _plain(samples).items():
        for time in range(first, first + step * count, step):
            seen = [(at, bits) for at, bits in row if time - lookback < at <= time]
            if seen and seen[-1][1] != STALE_BITS:
                expected.setdefault(series, []).append((time, seen[-1][1]))
    assert _plain(at_steps(samples, first, step, count, lookback)) == expected


@given(ROWS)
def test_a_range_has_no_stale_markers(rows):
    samples = _samples(rows)
    expected = {
        series: kept
        for series, row in _plain(samples).items()
        if (kept := [(time, bits) for time, bits in row if bits != STALE_BITS])
    }
    assert _plain(without_stale(samples)) == expected


@given(ROWS, st.integers(-60, 160), st.integers(-5, 100))
def test_a_cut_keeps_both_ends(rows, start, width):
    samples = _samples(rows)
    expected = {
        series: kept
        for series, row in _plain(samples).items()
        if (kept := [(time, bits) for time, bits in row if start <= time <= start + width])
    }
    assert _plain(between(samples, start, start + width)) == expected
