"""The gateway's API and that of real Prometheus over the same samples: status, types and words of answers."""

import json
from urllib.parse import urlencode

import pytest
from same_samples import NOW_S, both_of

from streamgauge.promql.functions_table import FUNCTIONS

QUERIES = [
    "1",
    "-1.5e300",
    "+Inf",
    '"text"',
    "up",
    'up{a="b",c!="d",e=~"f.*",g!~"h"}',
    '{"a.b", "c d"="x"}',
    '{__name__="up"}',
    '{__name__=~"up|down"}',
    "up offset 5m",
    "up offset -5m",
    "up @ 12.3456",
    "up @ start() offset 1d",
    "up @ end()",
    "rate(up[5m])",
    "rate(up[5m] @ end() offset 1h)",
    "rate(up[5m] anchored)",
    "up smoothed",
    "up[5m:]",
    "up[5m:30s] offset 1m @ 5",
    "(up)",
    "-up",
    "+(up)",
    "sum(up)",
    "sum by () (up)",
    "sum by (a, b) (up)",
    "avg without (c) (up)",
    "topk(3, up)",
    'count_values by (x) ("v", up)',
    "a + b",
    "1 + 2 ^ 3",
    "a + on () b",
    "a > bool 1",
    "a * on (x) group_left (y) b",
    "a / ignoring (x, z) group_right () b",
    "a + fill (0) b",
    "a - fill_left (1) fill_right (2) b",
    "a and b or c unless on (x) d",
    'label_replace(up, "a", "$1", "b", "(.*)")',
    "time()",
    "rate(up[step()])",
    "rate(up[2 * step() + 1m])",
    "up offset -range()",
    "rate(up[max_of(step(), 5m)])",
    "5m",
]
FAULTY = ["", "sum(", "up{", "up[5m", "foo(up)", "rate(up)", "up offset", "1 or 2", "sum by (x"]


@pytest.fixture(scope="module")
def both(oracle, tmp_path_factory):
    with both_of(oracle, tmp_path_factory.mktemp("api")) as pair:
        yield pair


def ask(both, path, **parameters):
    """The status and document of both."""
    target = f"/api/v1/{path}?{urlencode(parameters, doseq=True)}"
    theirs, text = both[0]._ask("GET", target)
    found = both[1].get(target)
    return (theirs, _document(text)), (found.status_code, _document(found.content))


def _document(text):
    return json.loads(text) if text else None


@pytest.mark.parametrize("query", QUERIES)
def test_a_tree_is_as_prometheus_has_it(both, query):
    theirs, ours = ask(both, "parse_query", query=query)
    assert _normal(ours) == _normal(theirs)


def _normal(content):
    """Without the order of matchers and the parentheses in durations, which our trees do not keep."""
    if isinstance(content, dict):
        found = {key: _normal(value) for key, value in content.items() if key != "wrapped"}
        if "matchers" in found:
            found["matchers"].sort(key=lambda each: sorted(each.items()))
        return found
    return list(map(_normal, content)) if isinstance(content, list | tuple) else content


def test_every_function_has_its_signature(both):
    for function in FUNCTIONS.values():
        values = {"vector": "up", "matrix": "up[5m]", "scalar": "1", "string": '"a"'}
        arguments = ", ".join(values[kind.value] for kind in function.args)
        if function.name == "info":
            arguments = 'up, {a="b"}'
        theirs, ours = ask(both, "parse_query", query=f"{function.name}({arguments})")
        assert ours == theirs, function.name


@pytest.mark.parametrize("query", FAULTY)
@pytest.mark.parametrize("path", ["parse_query", "format_query", "query", "query_exemplars"])
def test_what_is_no_query_is_refused_in_the_same_words(both, path, query):
    theirs, ours = ask(both, path, query=query)
    assert ours == theirs


SAME = [
    ("query_exemplars", {"query": "up"}),
    ("query_exemplars", {"query": "1"}),
    ("query_exemplars", {"query": "up", "start": "2", "end": "1"}),
    ("query_exemplars", {"query": "up", "start": "x"}),
    ("query", {"query": "up", "time": "x"}),
    ("query", {"query": "up", "timeout": "x"}),
    ("query", {"query": "up", "timeout": "0"}),
    ("query", {"query": "up", "limit": "x"}),
    ("query", {"query": "up", "limit": "-1"}),
    ("query", {"query": "hits_total", "time": str(NOW_S), "limit": "2"}),
    ("query", {"query": "up", "lookback_delta": "x"}),
    ("query", {"query": "hits_total + on() hits_total", "time": str(NOW_S)}),
    ("query", {"query": 'label_replace(hits_total, "host", "same", "", "")', "time": str(NOW_S)}),
    ("query", {"query": "rate(big[1m]) + quantile(2, big)", "time": str(NOW_S)}),
    ("query_range", {"query": "up"}),
    ("query_range", {"query": "up", "start": "1"}),
    ("query_range", {"query": "up", "start": "1", "end": "2"}),
    ("query_range", {"query": "up", "start": "1", "end": "2", "step": "0"}),
    ("query_range", {"query": "up", "start": "1", "end": "2", "step": "-1s"}),
    ("query_range", {"query": "up", "start": "2", "end": "1", "step": "1"}),
    ("query_range", {"query": "up", "start": "0", "end": "100000", "step": "1"}),
    ("query_range", {"query": "up[5m]", "start": "1", "end": "2", "step": "1"}),
    ("query_range", {"query": "sort(big)", "start": str(NOW_S - 20), "end": str(NOW_S), "step": "10"}),
    ("series", {}),
    ("series", {"match[]": "{}"}),
    ("series", {"match[]": "hits_total", "start": "x"}),
    ("series", {"match[]": ["hits_total", '{job="web"}']}),
    ("labels", {"limit": "-1"}),
    ("labels", {"match[]": "{"}),
    ("labels", {"match[]": '{a=~".*"}'}),
    ("labels", {"start": "x"}),
    ("labels", {}),
    ("labels", {"limit": "2"}),
    ("label/host/values", {"match[]": "{"}),
    ("label/host/values", {"match[]": "hits_total"}),
    ("label/host/values", {"end": "x"}),
    ("label/U__c_20_d/values", {}),
    ("label/U__c_zz_d/values", {}),
    ("label/no/values", {}),
    ("metadata", {"limit": "x"}),
    ("metadata", {"limit_per_metric": "x"}),
    ("status/tsdb", {"limit": "0"}),
    ("status/tsdb", {"limit": "99999"}),
]


@pytest.mark.parametrize(("path", "parameters"), SAME)
def test_the_same_request_has_the_same_answer(both, path, parameters):
    theirs, ours = ask(both, path, **parameters)
    assert ours == theirs


@pytest.mark.parametrize("match", ["up[", "sum(up)", "up offset 5m", "1", ""])
@pytest.mark.parametrize("path", ["series", "labels", "label/host/values"])
def test_what_is_no_selector_is_refused_in_other_words(both, path, match):
    (status, theirs), ours = ask(both, path, **{"match[]": match})
    assert (ours[0], ours[1]["errorType"]) == (status, theirs["errorType"])


SHAPES = [
    "status/tsdb",
    "status/runtimeinfo",
    "status/buildinfo",
    "status/flags",
    "status/config",
    "alertmanagers",
]


def _shape(content):
    if isinstance(content, dict):
        return {key: _shape(value) for key, value in content.items()}
    if isinstance(content, list):
        return [_shape(each) for each in content[:1]]
    return type(content).__name__


@pytest.mark.parametrize("path", SHAPES)
def test_what_it_says_of_itself_has_the_same_shape(both, path):
    theirs, ours = ask(both, path)
    assert ours[0] == theirs[0] == 200
    if path == "status/flags":
        assert {type(value) for value in ours[1]["data"].values()} == {str}
    else:
        assert _shape(ours[1]) == _shape(theirs[1])


def test_the_series_counted_are_those_that_prometheus_counts(both):
    theirs, ours = ask(both, "status/tsdb", limit="20")
    for name, expected in theirs[1]["data"].items():
        if name != "headStats":
            found = ours[1]["data"][name]
            assert sorted(map(str, found)) == sorted(map(str, expected)), name
    for name in ("numSeries", "numLabelPairs"):
        assert ours[1]["data"]["headStats"][name] == theirs[1]["data"]["headStats"][name]
