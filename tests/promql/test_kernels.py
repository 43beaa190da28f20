"""Every function of a range against a few lines of plain Python, one window at a time."""

import math
import statistics
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streamgauge.promql.data.query import Query
from streamgauge.promql.engine.evaluator import evaluate
from streamgauge.promql.syntax.parser import parse
from streamgauge.series.samples import STALE
from tests.promql.language import Memory

NUMBER = st.integers(-20, 20).map(float) | st.sampled_from([0.5, -0.0, 1e9, math.inf, -math.inf, math.nan])
FINITE = st.integers(-20, 20).map(float) | st.sampled_from([0.5, 1e6, 0.1])
TIMES = st.integers(-40, 200)


def rows(values):
    samples = st.dictionaries(TIMES, values | st.just(STALE), max_size=20)
    return st.lists(samples, max_size=4)


QUERIES = st.tuples(st.integers(0, 100), st.integers(1, 60), st.integers(1, 6), st.integers(1, 80))
NAN = math.nan


def is_stale(value):
    return np.float64(value).view(np.uint64) == np.float64(STALE).view(np.uint64)


def windows(row, query):
    """The samples of each step's window, in s."""
    first, step, count, width = query
    ends = [first + step * number for number in range(count)]
    kept = sorted((time, value) for time, value in row.items() if not is_stale(value))
    return [(end, [one for one in kept if end - width < one[0] <= end]) for end in ends]


def found(text, row, query, expected):
    """Check one series of a range query against a function of (end, window)."""
    first, step, count, width = query
    memory = Memory()
    memory.add({"__name__": "x_total"}, {time * 1000: value for time, value in row.items()})
    last = first + step * (count - 1)
    asked = Query(first * 1000, last * 1000, step * 1000)
    value = evaluate(parse(text.replace("RANGE", f"x_total[{width}s]")), asked, memory).value
    points = [expected(end, window) if window else None for end, window in windows(row, query)]
    if not value.labels.count:
        assert points == [None] * count
        return
    [numbers], [present] = value.values.tolist(), value.present.tolist()
    assert present == [point is not None for point in points]
    for number, point in zip(numbers, points, strict=True):
        if point is not None:
            assert same(number, point), (number, point)


def same(number, point):
    both_nan = math.isnan(number) and math.isnan(point)
    return both_nan or math.isclose(number, point, rel_tol=1e-9, abs_tol=1e-9)


def numbers_of(window):
    return [value for _, value in window]


def largest(values, sign=1):
    known = [value for value in values if not math.isnan(value)]
    return sign * max(sign * value for value in known) if known else NAN


def quantile(q, values):
    ranked = sorted(values, key=lambda value: (not math.isnan(value), value))
    rank = q * (len(ranked) - 1)
    low = math.floor(rank)
    weight = rank - low
    if not weight:
        return ranked[low]
    high = min(low + 1, len(ranked) - 1)
    return float(np.float64(ranked[low]) * (1 - weight) + np.float64(ranked[high]) * weight)


def time_of(values, window, sign):
    best = largest(values, sign)
    if math.isnan(best):
        return window[-1][0]
    return max(time for time, value in window if value == best)


def pairs(values):
    return list(pairwise(values))


OF_NUMBERS = {
    "count_over_time": lambda _, window: len(window),
    "present_over_time": lambda _, __: 1,
    "first_over_time": lambda _, window: window[0][1],
    "last_over_time": lambda _, window: window[-1][1],
    "ts_of_first_over_time": lambda _, window: window[0][0],
    "ts_of_last_over_time": lambda _, window: window[-1][0],
    "max_over_time": lambda _, window: largest(numbers_of(window)),
    "min_over_time": lambda _, window: largest(numbers_of(window), -1),
    "ts_of_max_over_time": lambda _, window: time_of(numbers_of(window), window, 1),
    "ts_of_min_over_time": lambda _, window: time_of(numbers_of(window), window, -1),
    "resets": lambda _, window: sum(new < old for old, new in pairs(numbers_of(window))),
    "changes": lambda _, window: sum(
        new != old and not (math.isnan(new) and math.isnan(old)) for old, new in pairs(numbers_of(window))
    ),
}


@pytest.mark.parametrize("name", OF_NUMBERS)
@given(rows(NUMBER), QUERIES)
def test_a_function_of_any_numbers(name, series, query):
    for row in series:
        found(f"{name}(RANGE)", row, query, OF_NUMBERS[name])


@pytest.mark.filterwarnings("ignore:invalid value encountered")
@given(rows(NUMBER), QUERIES, st.sampled_from([0, 0.1, 0.5, 0.99, 1]))
@example([{0: math.inf, 1: 1.0}], (5, 1, 1, 10), 0)
def test_a_quantile(series, query, q):
    for row in series:
        found(
            f"quantile_over_time({q}, RANGE)",
            row,
            query,
            lambda _, window: quantile(q, numbers_of(window)),
        )


def mad(values):
    middle = quantile(0.5, values)
    return quantile(0.5, [abs(value - middle) for value in values])


OF_FINITE = {
    "sum_over_time": lambda _, window: math.fsum(numbers_of(window)),
    "avg_over_time": lambda _, window: statistics.fmean(numbers_of(window)),
    "stdvar_over_time": lambda _, window: statistics.pvariance(numbers_of(window)),
    "stddev_over_time": lambda _, window: statistics.pstdev(numbers_of(window)),
    "mad_over_time": lambda _, window: mad(numbers_of(window)),
    "idelta": lambda _, window: window[-1][1] - window[-2][1] if len(window) > 1 else None,
}


@pytest.mark.parametrize("name", OF_FINITE)
@given(rows(FINITE), QUERIES)
def test_a_function_of_finite_numbers(name, series, query):
    for row in series:
        found(f"{name}(RANGE)", row, query, OF_FINITE[name])


def extrapolated(end, window, width, counter, per_second):
    if len(window) < 2:
        return None
    (first, low), (last, high) = window[0], window[-1]
    change = high - low
    if counter:
        change += sum(old for old, new in pairs(numbers_of(window)) if new < old)
    sampled = last - first
    gap = sampled / (len(window) - 1)
    before, behind = first - (end - width), end - last
    before = gap / 2 if before >= gap * 1.1 else before
    behind = gap / 2 if behind >= gap * 1.1 else behind
    if counter and change > 0 and low >= 0:
        before = min(before, sampled * low / change)
    return change * (sampled + before + behind) / sampled / (width if per_second else 1)


@pytest.mark.parametrize(
    ("name", "counter", "per_second"),
    [("rate", True, True), ("increase", True, False), ("delta", False, False)],
)
@given(rows(FINITE), QUERIES)
def test_an_extrapolated_difference(name, counter, per_second, series, query):
    for row in series:
        found(
            f"{name}(RANGE)",
            row,
            query,
            lambda end, window: extrapolated(end, window, query[3], counter, per_second),
        )


@given(rows(FINITE), QUERIES)
def test_the_rate_of_the_last_two(series, query):
    def expected(_, window):
        if len(window) < 2:
            return None
        (before, old), (last, new) = window[-2:]
        return (new - old if new >= old else new) / (last - before)

    for row in series:
        found("irate(RANGE)", row, query, expected)


def line(window, origin):
    times, values = np.array([time - origin for time, _ in window], float), np.array(numbers_of(window))
    rise, base = np.polyfit(times, values, 1)
    return float(rise), float(base)


@given(rows(st.integers(-20, 20).map(float)), QUERIES, st.integers(-50, 50))
def test_a_line_through_the_samples(series, query, ahead):
    def predicted(end, window):
        if len(window) < 2:
            return None
        rise, base = line(window, end)
        return rise * ahead + base

    for row in series:
        found(
            "deriv(RANGE)", row, query, lambda end, window: line(window, end)[0] if len(window) > 1 else None
        )
        found(f"predict_linear(RANGE, {ahead})", row, query, predicted)


@given(rows(FINITE), QUERIES)
def test_double_exponential_smoothing(series, query):
    def expected(_, window):
        values = numbers_of(window)
        if len(values) < 2:
            return None
        level, rise = values[0], values[1] - values[0]
        for value in values[1:]:
            new = 0.3 * value + 0.7 * (level + rise)
            rise, level = 0.6 * (new - level) + 0.4 * rise, new
        return level

    for row in series:
        found("double_exponential_smoothing(RANGE, 0.3, 0.6)", row, query, expected)
