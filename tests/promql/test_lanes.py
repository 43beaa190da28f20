"""Plans and their execution by lanes; that they give what the engine gives is in tests/oracle/test_by_lanes.py."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgauge.promql.data.faults import InvalidQuery, QueryFault
from streamgauge.promql.data.query import Limits, Query
from streamgauge.promql.engine.evaluator import evaluate
from streamgauge.promql.plan.lanes import NotByLanes, execute, run_lane
from streamgauge.promql.plan.plan_text import explain
from streamgauge.promql.plan.planner import plan
from streamgauge.promql.syntax.parser import parse
from tests.promql.language import Memory

EXPLAINED = [
    ("a", "gather\n  each lane ships its series of: a"),
    ("1 + time()", "1 + time()"),
    (
        "sum by (job) (rate(a[5m]) / b)",
        "merge sum by (job) (_)\n  each lane ships sum, lost, count of: rate(a[5m]) / b",
    ),
    (
        "sum(a / on (job) b)",
        "sum(_)\n"
        "  _ / on (job) _\n"
        "    gather\n      each lane ships its series of: a\n"
        "    gather\n      each lane ships its series of: b",
    ),
    (
        "sum({job='x'} / b)",
        "sum(_)\n"
        "  _ / _\n"
        '    gather\n      each lane ships its series of: {job="x"}\n'
        "    gather\n      each lane ships its series of: b",
    ),
    (
        "topk(scalar(sum(a)), a)",
        "topk(_, _)\n"
        "  scalar(_)\n"
        "    merge sum(_)\n      each lane ships sum, lost, count of: a\n"
        "  gather\n    each lane ships its series of: a",
    ),
    (
        "histogram_quantile(0.9, sum by (le) (rate(a[5m])))",
        "histogram_quantile(0.9, _)\n"
        "  merge sum by (le) (_)\n    each lane ships sum, lost, count of: rate(a[5m])",
    ),
    (
        "sum(label_replace(a, 'n', 'x', '', ''))",
        'sum(_)\n  gather\n    each lane ships its series of: label_replace(a, "n", "x", "", "")',
    ),
    (
        "label_replace(a, 'n', 'x', '', '') > 1",
        '_ > 1\n  gather\n    each lane ships its series of: label_replace(a, "n", "x", "", "")',
    ),
    ("abs(label_join(a, 'n', ''))", 'gather\n  each lane ships its series of: abs(label_join(a, "n", ""))'),
    (
        "max_over_time(avg(a)[1h:1m])",
        "max_over_time(_)\n  _[1h:1m]\n    merge avg(_)\n      each lane ships sum, lost, count of: a",
    ),
    ("sum(max_over_time(a[1h:1m]) > 1)", None),
    ("topk(2, a @ start() offset 1m or a)", None),
    ("stddev(limit_ratio(0.5, a))", None),
    ("count_values('v', clamp(a, 0, 1) unless b)", None),
    (
        "absent_over_time(a[5m])",
        "merge absent_over_time(_)\n  each lane ships presence of: last_over_time(a[5m])",
    ),
    (
        "clamp_max(a, scalar(b))",
        "clamp_max(_, _)\n"
        "  gather\n    each lane ships its series of: a\n"
        "  scalar(_)\n    gather\n      each lane ships its series of: b",
    ),
    (
        "quantile_over_time(scalar(b), a[5m])",
        "quantile_over_time(_, _)\n"
        "  scalar(_)\n    gather\n      each lane ships its series of: b\n"
        "  gather\n    each lane ships its samples of: a[5m]",
    ),
]


@pytest.mark.parametrize(("text", "tree"), EXPLAINED)
def test_a_plan_is_explained(text, tree):
    found = explain(plan(parse(text)))
    if tree is None:
        assert found.startswith("merge ")
        assert found.count("\n") == 1
    else:
        assert found == tree


def lanes(count, **values):
    """Series of one sample at 0 by the value of their label n, series i in lane i mod count."""
    found = [Memory() for _ in range(count)]
    for name, numbers in values.items():
        for at, number in enumerate(numbers):
            found[at % count].add({"__name__": name, "n": str(at)}, {0: number})
    return found


@given(st.lists(st.floats(allow_nan=False, max_value=1e300, min_value=-1e300), min_size=1), st.integers(1, 9))
def test_the_lanes_decide_nothing_about_a_sum(values, count):
    [whole] = lanes(1, a=values)
    exact, size = math.fsum(values), sum(abs(value) for value in values)
    at_once = evaluate(parse("sum(a)"), Query(0, 0), whole).value.values.item()
    by_lanes = execute(parse("sum(a)"), Query(0, 0), lanes(count, a=values)).value.values.item()
    for found in (at_once, by_lanes):
        assert math.isclose(found, exact, rel_tol=1e-12, abs_tol=1e-25 * size)


def test_a_mean_whose_sum_is_infinite_is_merged():
    values = [1.7e308, 1.5e308, 1.6e308, 1.2e308, 1.1e308]
    for count in range(1, 6):
        [[found]] = execute(parse("avg(a)"), Query(0, 0), lanes(count, a=values)).value.values.tolist()
        assert math.isclose(found, 1.42e308, rel_tol=1e-12)


def test_series_and_samples_are_limited_over_all_lanes():
    sources = lanes(4, a=[1.0] * 8, b=[2.0])
    for limits, reason in (
        (Limits(max_series=7), QueryFault.TOO_MANY_SERIES),
        (Limits(max_samples=8), QueryFault.TOO_MANY_SAMPLES),
    ):
        with pytest.raises(InvalidQuery) as refusal:
            execute(parse("sum(a) + sum(b)"), Query(0, 0), sources, limits)
        assert refusal.value.reason is reason
    limits = Limits(max_series=8, max_samples=9)
    assert execute(parse("sum(a) + sum(b)"), Query(0, 0), sources, limits).value.values.item() == 10
    assert limits.samples == 9


def test_labels_that_functions_drop_take_another_plan():
    sources = [Memory(), Memory()]
    sources[0].add({"__name__": "a", "n": "1", "__type__": "gauge"}, {0: 1.0})
    sources[1].add({"__name__": "b", "n": "1"}, {0: 2.0})
    with pytest.raises(NotByLanes):
        run_lane(plan(parse("-a + b")), Query(0, 0), sources[0], Limits())
    assert execute(parse("-a + b"), Query(0, 0), sources).value.values.tolist() == [[1.0]]
    assert explain(plan(parse("-a + b"), metadata_labels=True)).count("gather") == 2
