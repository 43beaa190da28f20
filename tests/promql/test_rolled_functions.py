"""Functions of ranges over rollups give what they give over the samples, where ranges are whole windows."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.tables import QUANTILES, ROLLUP_COLUMNS
from streamgauge.promql.data.labels import from_canonical
from streamgauge.promql.data.query import Level, Limits, Query, choose
from streamgauge.promql.engine.evaluator import evaluate
from streamgauge.promql.functions import rolled_functions
from streamgauge.promql.functions.rolled_functions import NEEDED, Rolled
from streamgauge.promql.plan.lanes import execute
from streamgauge.promql.syntax.parser import parse
from streamgauge.series import ids, labels
from streamgauge.series.id_kernels import rows_of
from streamgauge.series.samples import Samples, between, take
from streamgauge.store.blocks.rollups import by_series, of_samples

START = 1_763_892_000_000
MINUTE = 60_000
WANTED = [*ROLLUP_COLUMNS, *QUANTILES, "digest"]
MINUTES = 40

_value = st.one_of(st.integers(0, 50).map(float), st.floats(-100, 100))
_series = st.dictionaries(st.integers(0, MINUTES * 6 - 1), _value, min_size=1, max_size=60)


def _samples(series):
    """The samples of every series 500 ms after multiples of 10 s, and the canonical labels."""
    rows = sorted(
        (ids.series_id(data), data, samples)
        for data, samples in (
            (labels.canonical({"__name__": "x", "n": str(n)}), one) for n, one in enumerate(series)
        )
    )
    counts = [len(samples) for *_, samples in rows]
    return [data for _, data, _ in rows], Samples(
        ids.from_bytes(b"".join(identity for identity, *_ in rows)),
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        np.array([START + at * 10_000 + 500 for *_, one in rows for at in sorted(one)], np.int64),
        np.array([one[at] for *_, one in rows for at in sorted(one)], np.float64),
    )


class Held:
    """Samples in memory."""

    def __init__(self, canonical, samples):
        self._held = canonical, samples

    def fetch(self, *_):
        return self._held


def _rolled(canonical, samples, ends, width, coarse_until, resolution):
    """Minutes, and five minutes up to a time."""
    rows = []
    for minute in range(START, START + MINUTES * MINUTE, MINUTE):
        if minute >= coarse_until:
            rows.append(of_samples(between(samples, minute, minute + MINUTE - 1), minute, WANTED))
    for start in range(START, coarse_until, 5 * MINUTE):
        wide = of_samples(between(samples, start, start + 5 * MINUTE - 1), start, WANTED)
        rows.append(wide._replace(width=5 * MINUTE))
    return Rolled(from_canonical(canonical), by_series(rows, WANTED), ends, width, resolution)


def _by_series(vector):
    """{(series, step): value} of what is present."""
    return {
        (labels_of["n"], step): vector.values[row, step]
        for row, labels_of in enumerate(vector.labels.rows())
        for step in np.flatnonzero(vector.present[row]).tolist()
    }


def _both(series, name, range_minutes, coarse_until=START, resolution=MINUTE):
    """What the function gives over rollups, and over samples."""
    canonical, samples = _samples(series)
    query = Query(START, START + MINUTES * MINUTE, 5 * MINUTE)
    text = f"{name}({'0.9, ' if name == 'quantile_over_time' else ''}x[{range_minutes}m])"
    ends = query.grid.times
    rolled = _rolled(canonical, samples, ends, range_minutes * MINUTE, coarse_until, resolution)
    found = rolled_functions.apply(name, rolled, np.full(len(ends), 0.9), Limits())
    if name == "absent_over_time":
        return _by_series(found).keys(), None
    if name == "present_over_time":
        found = dataclasses.replace(found, values=found.present.astype(float))
    raw = evaluate(parse(text), query, Held(canonical, samples), Limits(), text)
    return _by_series(found), _by_series(raw.value)


@pytest.mark.parametrize("name", sorted(NEEDED.keys() - {"absent_over_time"}))
@settings(max_examples=15, deadline=None)
@given(series=st.lists(_series, min_size=1, max_size=3), minutes=st.sampled_from([5, 10, 20]))
def test_ranges_of_whole_windows_give_what_the_samples_give(name, series, minutes):
    found, expected = _both(series, name, minutes)
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-7)


@pytest.mark.parametrize("name", sorted(NEEDED.keys() - {"absent_over_time"}))
@settings(max_examples=8, deadline=None)
@given(series=st.lists(_series, min_size=1, max_size=2))
def test_windows_of_two_widths_are_one_series(name, series):
    found, expected = _both(series, name, 10, coarse_until=START + 20 * MINUTE, resolution=5 * MINUTE)
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-7)


def test_a_reset_between_two_windows_is_made_up_for():
    counter = {at: float(at % 50) for at in range(MINUTES * 6)}
    found, expected = _both([counter], "increase", 10)
    assert found == pytest.approx(expected)
    assert max(found.values()) > 50


def test_a_range_narrower_than_a_window_is_widened_and_scaled():
    counter = {at: 1000.0 + at for at in range(MINUTES * 6)}
    wide = START + MINUTES * MINUTE
    rates, _ = _both([counter], "rate", 1, coarse_until=wide, resolution=5 * MINUTE)
    assert list(rates.values()) == pytest.approx([0.1] * len(rates))
    assert len(rates) == MINUTES // 5
    sums, _ = _both(
        [dict.fromkeys(counter, 2.0)], "sum_over_time", 1, coarse_until=wide, resolution=5 * MINUTE
    )
    assert list(sums.values()) == pytest.approx([12.0] * len(sums))


def test_the_deviation_of_large_values_does_not_cancel():
    values = {at: 1e9 + at % 2 for at in range(MINUTES * 6)}
    found, _ = _both([values], "stddev_over_time", 10)
    assert list(found.values()) == pytest.approx([0.5] * len(found), rel=1e-6)


LEVELS = [
    Level(0, START - 86_400_000),
    Level(MINUTE, START - 7 * 86_400_000),
    Level(5 * MINUTE, START - 30 * 86_400_000),
    Level(60 * MINUTE, START - 365 * 86_400_000),
    Level(1440 * MINUTE, START - 1095 * 86_400_000),
]


@pytest.mark.parametrize(
    ("days_back", "step_s", "range_s", "width_minutes"),
    [
        (0.04, 15, 0, 0),
        (0.04, 15, 300, 0),
        (0.04, 60, 300, 1),
        (0.5, 60, 60, 0),
        (6, 60, 0, 1),
        (20, 60, 300, 5),
        (30, 2700, 0, 60),
        (30, 2700, 300, 5),
        (30, 1800, 3600, 5),
        (60, 1800, 300, 60),
        (300, 86_400, 0, 1440),
        (2000, 60, 0, 1440),
    ],
)
def test_the_coarsest_level_that_the_steps_and_the_range_allow_is_read(
    days_back, step_s, range_s, width_minutes
):
    start = START - int(days_back * 86_400_000)
    assert choose(LEVELS, step_s * 1000, start, range_s * 1000) == width_minutes * MINUTE


def test_an_instant_query_reads_samples_or_a_hundredth_of_its_range():
    assert choose(LEVELS, 0, START) == 0
    assert choose(LEVELS, 0, START, 300_000) == 0
    assert choose(LEVELS, 0, START, 30 * 86_400_000) == 60 * MINUTE
    assert choose([], 0, START, 86_400_000) == 0


class HeldRollups(Held):
    """The same series as minutes, where samples are no longer kept."""

    levels = (Level(0, START + 10**9), Level(MINUTE, 0))

    def rollups(self, _, start_ms, end_ms, width, wanted):
        assert width == MINUTE
        canonical, samples = self._held
        rows = [
            of_samples(between(samples, minute, minute + MINUTE - 1), minute, wanted)
            for minute in range(START, START + MINUTES * MINUTE, MINUTE)
            if start_ms <= minute <= end_ms
        ]
        found = by_series(rows, wanted)
        which = [canonical[row] for row in rows_of(samples.ids, found.ids)]
        return which, found


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "x offset 5m",
        "sum(x)",
        "sum by (n) (rate(x[10m]))",
        "avg_over_time(x[10m]) > 3",
        "max_over_time(x[5m] offset 10m)",
        "quantile_over_time(0.5, x[10m]) + on(n) count_over_time(x[10m])",
        "quantile_over_time(scalar(count(x)) / 10, x[10m])",
        "max_over_time(sum(x)[20m:5m])",
        "increase(x[10m] @ end())",
        "absent_over_time(x[5m])",
        "deriv(x[10m])",
    ],
)
def test_whole_queries_over_rollups_give_what_samples_give(text):
    counters = [{at: float(at * (n + 1) % 300) for at in range(5, MINUTES * 6, 6)} for n in range(3)]
    canonical, samples = _samples(counters)
    query = Query(START + 20 * MINUTE, START + MINUTES * MINUTE, 5 * MINUTE)
    over_samples = evaluate(parse(text), query, Held(canonical, samples), Limits(), text)
    over_rollups = evaluate(parse(text), query, HeldRollups(canonical, samples), Limits(), text)
    assert _by_labels(over_rollups.value) == pytest.approx(_by_labels(over_samples.value))
    lanes = [HeldRollups(canonical[n : n + 1], take(samples, np.array([n]))) for n in range(3)]
    by_lanes = execute(parse(text), query, lanes, Limits(), text)
    assert _by_labels(by_lanes.value) == pytest.approx(_by_labels(over_rollups.value))


class HeldAtLevels(Held):
    """The same series in windows of every level, where samples are no longer kept."""

    levels = (Level(0, START + 10**9), *(Level(width * MINUTE, 0) for width in (1, 5, 60)))

    def rollups(self, _, start_ms, end_ms, width, wanted):
        canonical, samples = self._held
        windows = np.unique(samples.timestamps - samples.timestamps % width)
        rows = [
            of_samples(between(samples, window, window + width - 1), window, wanted)._replace(width=width)
            for window in windows[(start_ms <= windows) & (windows <= end_ms)].tolist()
        ]
        found = by_series(rows, wanted)
        return [canonical[row] for row in rows_of(samples.ids, found.ids)], found


@pytest.mark.parametrize("name", sorted(NEEDED.keys() - {"absent_over_time"}))
@settings(max_examples=15, deadline=None)
@given(
    # of sixteen hours; some series begin within the last one
    series=st.lists(
        st.dictionaries(st.integers(5400, 5759) | st.integers(0, 5759), _value, min_size=1, max_size=40),
        min_size=1,
        max_size=3,
    ),
    # the first is read in minutes, the last two in windows of five minutes and of an hour
    range_minutes=st.sampled_from([150, 790, 823, 15 * 60, 4 * 24 * 60]),
    minute=st.integers(901, 960),
)
def test_an_instant_query_counts_what_ended_within_its_range_to_the_minute(
    name, series, range_minutes, minute
):
    text = f"{name}({'0.9, ' if name == 'quantile_over_time' else ''}x[{range_minutes}m])"
    canonical, samples = _samples(series)
    query = Query(START + minute * MINUTE, START + minute * MINUTE)
    over_samples = evaluate(parse(text), query, Within(canonical, samples), Limits(), text)
    found = evaluate(parse(text), query, HeldAtLevels(canonical, samples), Limits(), text)
    expected = _by_labels(over_samples.value)
    if name in ("rate", "increase", "delta"):
        # samples do not tell where the range has none; both extrapolate to half a gap beyond those that there are
        assert _by_labels(found.value).keys() == expected.keys()
        return
    assert _by_labels(found.value) == pytest.approx(expected, rel=1e-9, abs=1e-7)


class Within(Held):
    """The samples of the times that are asked for."""

    def fetch(self, _, start_ms, end_ms):
        canonical, samples = self._held
        found = between(samples, start_ms, end_ms)
        return [canonical[row] for row in rows_of(samples.ids, found.ids)], found


@pytest.mark.parametrize(("range_minutes", "windows"), [(180, 3), (119, 2), (30, 1), (200 * 60, 16)])
def test_where_nothing_finer_is_kept_a_range_counts_no_more_windows_than_it_has_room_for(
    range_minutes, windows
):
    canonical, samples = _samples([dict.fromkeys(range(5760), 1.0)])
    at = START + 16 * 60 * MINUTE - 15 * MINUTE
    source = HeldAtLevels(canonical, samples)
    source.levels = (source.levels[0], source.levels[-1])
    [found] = _by_labels(
        evaluate(parse(f"count_over_time(x[{range_minutes}m])"), Query(at, at), source).value
    ).values()
    assert found <= windows * 360


def test_a_young_series_shows_in_a_long_range_though_the_window_it_is_in_goes_on():
    canonical, samples = _samples([dict.fromkeys(range(20 * 6), 1.0)])
    at = START + 20 * MINUTE
    source = HeldAtLevels(canonical, samples)
    found = evaluate(parse("sum_over_time(x[3d])"), Query(at, at), source)
    assert list(_by_labels(found.value).values()) == [120.0]
    # minutes and windows of five are kept for less time than the range is long
    source.levels = (
        *source.levels[:1],
        *(level._replace(oldest=at - 86_400_000) for level in source.levels[1:3]),
    )
    source.levels = (*source.levels, Level(60 * MINUTE, 0))
    found = evaluate(parse("sum_over_time(x[30d])"), Query(at, at), source)
    assert list(_by_labels(found.value).values()) == [120.0]


def test_a_selector_that_looks_back_beyond_the_samples_that_are_kept_finds_what_has_ended():
    canonical, samples = _samples([{0: 1.0, 30: 7.0}])
    at = START + 4 * 60 * MINUTE
    source = HeldAtLevels(canonical, samples)
    source.levels = (Level(0, at - 60 * MINUTE), *source.levels[1:])
    usual = evaluate(parse("x"), Query(at, at), source)
    assert usual.value.labels.count == 0
    found = evaluate(parse("x"), Query(at, at, lookback=24 * 60 * MINUTE), source)
    assert list(_by_labels(found.value).values()) == [7.0]


class HeldRecently(HeldRollups):
    """Samples are kept of the second half only."""

    levels = (Level(0, START + MINUTES // 2 * MINUTE), Level(MINUTE, 0))

    def fetch(self, _, start_ms, end_ms):
        canonical, samples = self._held
        found = between(samples, max(start_ms, self.levels[0].oldest), end_ms)
        return [canonical[row] for row in rows_of(samples.ids, found.ids)], found


@pytest.mark.parametrize(
    "text", ["count_over_time(x[20m])", "deriv(x[20m])", "max_over_time(x[20m] offset 5m)"]
)
def test_a_range_that_begins_before_the_samples_that_are_kept_is_whole(text):
    canonical, samples = _samples([{at: float(-at) for at in range(5, MINUTES * 6, 6)}])
    query = Query(START + 30 * MINUTE, START + 35 * MINUTE, MINUTE)
    whole = evaluate(parse(text), query, Held(canonical, samples), Limits(), text)
    found = evaluate(parse(text), query, HeldRecently(canonical, samples), Limits(), text)
    assert _by_labels(found.value) == pytest.approx(_by_labels(whole.value))


def _by_labels(vector):
    return {
        (tuple(sorted(labels_of.items())), step): vector.values[row, step]
        for row, labels_of in enumerate(vector.labels.rows())
        for step in np.flatnonzero(vector.present[row]).tolist()
    }
