"""Aggregation and matching against the obvious way to do it: one step at a time, in dicts."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgauge.promql.data.faults import InvalidQuery
from streamgauge.promql.data.query import Query
from streamgauge.promql.engine.evaluator import evaluate
from streamgauge.promql.syntax.parser import parse
from tests.promql.language import Memory

VALUE = st.integers(-9, 9).map(float)
SIDE = st.dictionaries(
    st.tuples(st.sampled_from("12"), st.sampled_from("xy"), st.sampled_from("pq")),
    st.lists(VALUE | st.none(), min_size=4, max_size=4),
    max_size=6,
)
STEPS = range(4)


def asked(text, **sides):
    """By step the labels and value of every series, or None if a query fails."""
    memory = Memory()
    for name, side in sides.items():
        for (n, m, k), values in side.items():
            samples = {step * 1000: value for step, value in enumerate(values) if value is not None}
            memory.add({"__name__": name, "n": n, "m": m, "k": k}, samples)
    try:
        found = evaluate(parse(text), Query(0, 3000, 1000, 1), memory).value
    except InvalidQuery:
        return None
    return [
        {
            frozenset(labels.items()): found.values[row, step]
            for row, labels in enumerate(found.labels.rows())
            if found.present[row, step]
        }
        for step in STEPS
    ]


def at(side, step):
    return {key: values[step] for key, values in side.items() if values[step] is not None}


def labels(n=None, m=None, k=None):
    return frozenset((name, value) for name, value in (("n", n), ("m", m), ("k", k)) if value)


@given(SIDE, SIDE)
def test_one_to_one_matching(left, right):
    expected = []
    for step in STEPS:
        many, one, results = at(left, step), at(right, step), {}
        sides = [[key[:2] for key in side] for side in (many, one)]
        if many and len(set(sides[1])) < len(sides[1]):
            expected = None
            break
        other = {key[:2]: value for key, value in one.items()}
        for (n, m, _), value in many.items():
            if (n, m) not in other:
                continue
            if labels(n, m) in results:
                results = None
                break
            results[labels(n, m)] = value - other[n, m]
        if results is None:
            expected = None
            break
        expected.append(results)
    assert asked("l - on(n, m) r", l=left, r=right) == expected


@given(SIDE, SIDE)
def test_many_to_one_matching(left, right):
    expected = []
    for step in STEPS:
        many, one = at(left, step), at(right, step)
        if many and len({key[0] for key in one}) < len(one):
            expected = None
            break
        other = {key[0]: (key[1], value) for key, value in one.items()}
        expected.append({})
        for (n, _, k), value in many.items():
            if n in other:
                result = labels(n, other[n][0], k)
                if result in expected[-1]:
                    expected = None
                    break
                expected[-1][result] = value - other[n][1]
        if expected is None:
            break
    assert asked("l - on(n) group_left(m) r", l=left, r=right) == expected


@pytest.mark.parametrize("op", ["and", "unless", "or"])
@given(SIDE, SIDE)
def test_set_operators(op, left, right):
    expected = []
    for step in STEPS:
        first, second = at(left, step), at(right, step)
        seen = {key[:2] for key in second}
        kept = {
            key: value for key, value in first.items() if op == "or" or (key[:2] in seen) == (op == "and")
        }
        results = {labels(*key) | {("__name__", "l")}: value for key, value in kept.items()}
        if op == "or":
            seen = {key[:2] for key in first}
            results |= {
                labels(*key) | {("__name__", "r")}: value
                for key, value in second.items()
                if key[:2] not in seen
            }
        expected.append(results)
    assert asked(f"l {op} on(n, m) r", l=left, r=right) == expected


AGGREGATIONS = {
    "sum": math.fsum,
    "avg": np.mean,
    "min": min,
    "max": max,
    "count": len,
    "group": lambda _: 1.0,
    "stddev": np.std,
    "stdvar": np.var,
}


@pytest.mark.parametrize("op", AGGREGATIONS)
@given(SIDE)
def test_aggregations(op, side):
    found = asked(f"{op} by (n) (l)", l=side)
    for step in STEPS:
        groups = {}
        for (n, _, __), value in at(side, step).items():
            groups.setdefault(labels(n), []).append(value)
        assert found[step].keys() == groups.keys()
        for key, values in groups.items():
            assert math.isclose(found[step][key], AGGREGATIONS[op](values), abs_tol=1e-9)


@pytest.mark.parametrize(("op", "sign"), [("topk", 1), ("bottomk", -1)])
@given(SIDE, st.integers(0, 4))
def test_the_best_of_each_group(op, sign, side, limit):
    found = asked(f"{op} by (n) ({limit}, l)", l=side)
    for step in STEPS:
        groups = {}
        for key, value in at(side, step).items():
            groups.setdefault(key[0], []).append(value)
        best = [
            value
            for values in groups.values()
            for value in sorted(values, key=lambda value: -sign * value)[:limit]
        ]
        assert sorted(found[step].values()) == sorted(best)
        everything = {labels(*key) | {("__name__", "l")}: value for key, value in at(side, step).items()}
        assert found[step].items() <= everything.items()
