"""What holds for whole queries, whatever the data."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamgauge.promql.data import query as query_module
from streamgauge.promql.data.faults import InvalidQuery, QueryFault
from streamgauge.promql.data.query import Limits, Query
from streamgauge.promql.engine.evaluator import evaluate
from streamgauge.promql.syntax.parser import parse
from streamgauge.promql.warm import warm
from streamgauge.series.samples import STALE
from tests.promql.language import Memory

VALUE = st.integers(-5, 50).map(float) | st.sampled_from([math.nan, STALE, math.inf])
SERIES = st.dictionaries(
    st.tuples(st.sampled_from("ab"), st.sampled_from("12"), st.sampled_from("xy")),
    st.dictionaries(st.integers(-60, 300), VALUE, min_size=1, max_size=25),
    max_size=8,
)
QUERIES = [
    "a",
    "a offset 7s",
    "a @ 100",
    "rate(a[30s])",
    "sum by (n) (rate(a[40s]))",
    "max_over_time(a[45s])",
    "quantile_over_time(0.9, a[30s])",
    "quantile(0.5, a)",
    "avg without (m) (a)",
    "topk(2, a)",
    "bottomk by (n) (1, a)",
    "count_values('v', a)",
    "a + on(n, m) b",
    "a > 3 or b",
    "a unless on(n) b",
    "a / on(n, m) group_left b",
    "histogram_quantile(0.5, label_replace(a, 'le', '$1', 'n', '(.)'))",
    "sum_over_time(a[40s:7s])",
    "absent(a)",
    "absent_over_time(a[20s])",
    "timestamp(a) - time()",
    "a smoothed",
    "increase(a[30s] anchored)",
    "increase(a[30s] smoothed)",
    "predict_linear(a[30s], 10)",
    "vector(scalar(a)) + time()",
    "label_join(a, 'n', '-', 'm', 'n')",
    "sort(a) * 2",
]


def memory(series):
    source = Memory()
    for (name, n, m), samples in series.items():
        labels = {"__name__": name, "n": n, "m": m}
        source.add(labels, {time * 1000: value for time, value in samples.items()})
    return source


def points(text, source, start, end, step, lookback=50):
    """By labels and time in s, the bits of each value of a query."""
    query = Query(start * 1000, end * 1000, step * 1000, lookback * 1000)
    result = evaluate(parse(text), query, source)
    found = result.value
    times = (result.times // 1000).tolist()
    return {
        (tuple(labels.items()), times[at]): found.values[row, at].view(np.uint64).item()
        for row, labels in enumerate(found.labels.rows())
        for at in np.flatnonzero(found.present[row]).tolist()
    }


@pytest.mark.parametrize("text", QUERIES)
@settings(max_examples=25)
@given(SERIES, st.integers(0, 60), st.integers(1, 40), st.integers(2, 9), st.data())
def test_a_range_query_gives_the_same_points_in_parts(text, series, start, step, count, data):
    source = memory(series)
    cut = data.draw(st.integers(1, count - 1))
    middle, end = start + step * cut, start + step * (count - 1)
    whole = points(text, source, start, end, step)
    parts = points(text, source, start, middle - step, step) | points(text, source, middle, end, step)
    assert parts == whole


@pytest.mark.parametrize("text", QUERIES)
@settings(max_examples=15)
@given(SERIES, st.integers(0, 60), st.integers(1, 40), st.integers(1, 5))
def test_an_instant_query_gives_the_point_of_the_range_query(text, series, start, step, count):
    source = memory(series)
    whole = points(text, source, start, start + step * (count - 1), step)
    each = {}
    for time in range(start, start + step * count, step):
        each |= points(text, source, time, time, 1)
    assert each == whole


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(max_samples=5), QueryFault.TOO_MANY_SAMPLES),
        (Limits(max_series=1), QueryFault.TOO_MANY_SERIES),
        (Limits(max_steps=10), QueryFault.TOO_MANY_STEPS),
        (Limits(max_bytes=40), QueryFault.TOO_MUCH_MEMORY),
        (Limits(expired=lambda: True), QueryFault.TIMEOUT),
    ],
)
def test_a_limit_refuses_with_its_reason(limits, reason):
    source = memory({("a", "1", "x"): {0: 1.0, 5: 2.0}, ("a", "2", "x"): {0: 1.0}})
    with pytest.raises(InvalidQuery) as refusal:
        evaluate(parse("a"), Query(0, 10_000, 1000), source, limits)
    assert refusal.value.reason is reason


def test_the_steps_of_a_subquery_are_limited_too():
    with pytest.raises(InvalidQuery) as refusal:
        evaluate(parse("sum_over_time(vector(1)[1y:1ms])"), Query(0, 0), Memory(), Limits(max_samples=1e6))
    assert refusal.value.reason is QueryFault.TOO_MANY_SAMPLES


def test_memory_is_that_of_what_is_alive_at_once():
    source = memory({("a", str(number), "x"): {0: 1.0} for number in range(100)})
    [whole] = peaks(source, "a")
    # samples of 16 bytes and a vector of ten steps, 9 bytes each
    assert whole == 100 * 16 + 1000 * 9
    # both sides, and the result of their operation
    assert peaks(source, "a + a", "a + a + a + a", "a + (a + (a + a))") == [27_000, 27_000, 45_000]
    # what is summed is gone when the next one comes
    assert peaks(source, "sum(a) + sum(a) + sum(a)")[0] < whole + 500
    with pytest.raises(InvalidQuery, match=r"would take about 0 MiB .* more than the 0 MiB allowed"):
        evaluate(parse("a + a"), Query(0, 9000, 1000), source, Limits(max_bytes=20_000))


def peaks(source, *texts):
    found = []
    for text in texts:
        limits = Limits()
        evaluate(parse(text), Query(0, 9000, 1000), source, limits)
        found.append(limits.peak)
    return found


def test_values_that_become_labels_are_limited():
    source = memory({("a", str(number), "x"): {at: float(at) for at in range(40)} for number in range(20)})
    with pytest.raises(InvalidQuery) as refusal:
        evaluate(parse("count_values('v', a)"), Query(0, 39_000, 1000), source, Limits(max_samples=5000))
    assert refusal.value.reason is QueryFault.TOO_MANY_SAMPLES


def test_samples_are_counted():
    source = memory({("a", "1", "x"): {0: 1.0, 5: 2.0}, ("a", "2", "x"): {0: 1.0}})
    limits = Limits()
    evaluate(parse("a + a"), Query(5000, 5000), source, limits)
    assert limits.samples == 6


@pytest.mark.parametrize(
    "text",
    [
        "a",
        "rate(a[1m])",
        "sum(a)",
        "avg(a)",
        "max(a)",
        "stddev(a)",
        "quantile(0.5, a)",
        "topk(2, a)",
        "histogram_quantile(0.5, label_replace(a, 'le', '$1', 'n', '(.*)'))",
        "histogram_fraction(0, 1, label_replace(a, 'le', '$1', 'n', '(.*)'))",
    ],
)
def test_the_time_is_looked_at_within_the_work_of_kernels(monkeypatch, text):
    looks = []
    source = memory({("a", str(number), "x"): {0: 1.0} for number in range(50)})

    def expired():
        looks.append(None)
        return False

    evaluate(parse(text), Query(0, 9000, 1000), source, Limits(expired=expired))
    few = len(looks)
    monkeypatch.setattr(query_module, "CHUNK_COST", 100)
    evaluate(parse(text), Query(0, 9000, 1000), source, Limits(expired=expired))
    assert len(looks) - few > few + 3


@pytest.mark.parametrize("text", ["sum_over_time(a[9s])", "quantile_over_time(0.3, a[9s])", "rate(a[9s])"])
def test_the_time_is_looked_at_between_the_windows_of_one_series(monkeypatch, text):
    looks = []
    source = memory({("a", "x", "x"): {at: at**1.5 for at in range(0, 60_000, 500)}})
    asked = parse(text), Query(0, 60_000, 1000), source
    whole = evaluate(*asked).value
    monkeypatch.setattr(query_module, "CHUNK_COST", 50)
    parts = evaluate(*asked, Limits(expired=lambda: bool(looks.append(None)))).value
    assert len(looks) > 5
    assert np.array_equal(whole.values, parts.values, equal_nan=True)
    assert np.array_equal(whole.present, parts.present)


def test_a_long_chain_of_operators_is_evaluated():
    result = evaluate(parse(" + ".join(["1"] * 150)), Query(0, 0), Memory())
    assert result.value.tolist() == [150.0]


def test_deep_nesting_is_evaluated():
    text = "abs(" * 90 + "vector(-1)" + ")" * 90
    assert evaluate(parse(text), Query(0, 0), Memory()).value.values.tolist() == [[1.0]]


def test_a_query_without_steps_has_no_points():
    assert evaluate(parse("vector(1)"), Query(10, 0, 1), Memory()).value.labels.count == 0


def test_every_kernel_can_be_called_beforehand():
    warm()
