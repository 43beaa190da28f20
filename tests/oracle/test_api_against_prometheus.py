"""The gateway's API and that of real Prometheus over the same samples: status, types and words of answers."""

import json
from urllib.parse import urlencode

import pytest

from streamgauge.promql.syntax.functions_table import FUNCTIONS
from tests.oracle.same_samples import NOW_S, both_of

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


EXPRESSIONS = {
    "vector": "hits_total",
    "matrix": "hits_total[30s]",
    "subquery": "hits_total[30s:10s]",
    "scalar": "1.5",
    "string": '"text"',
    "no series": "none",
    "ended series": "gone",
    "samples before its end": "gone[10m]",
    "NaN and infinities": "special",
    "groups": "sum by (host) (hits_total)",
    "sorted": "sort_desc(hits_total)",
    "best": "topk(2, hits_total)",
    "several metrics": '{__name__=~".+"}',
    "filtered": "hits_total > 100",
}
START, END = str(NOW_S - 60), str(NOW_S)
OF_ANY = [
    {},
    *({"limit": text} for text in ("0", "1", "2", "3", "4", "999999999999", "", "1.5", "-1")),
    *({"stats": text} for text in ("", "true", "all")),
    *({"lookback_delta": text} for text in ("", "10s", "5m", "0", "0s", "-1", "-1s", "1", "1h")),
    *({"timeout": text} for text in ("", "1m", "30", "-1s")),
    {"explain": "1"},
    {"limit": "1", "stats": "all", "lookback_delta": "1m"},
]
OF_INSTANT = [{"time": text} for text in (f"{END}.5", "2020-01-01T00:00:00Z", "1e3", "-1", "0", "x")]
OF_RANGE = [
    *({"step": text} for text in ("10s", "1m", "0.5", "", "x", "7", "-1")),
    {"start": str(NOW_S - 30.5)},
    {"end": START},
    {"start": "2020-01-01T00:00:00Z", "end": "2020-01-01T00:01:00Z"},
    {"end": "x"},
]


@pytest.mark.parametrize("query", EXPRESSIONS.values(), ids=EXPRESSIONS)
def test_every_parameter_of_a_query_does_what_it_does_there(both, query):
    for parameters in OF_ANY + OF_INSTANT:
        given = {"query": query, "time": END} | parameters
        _same_but_for_order(both, "query", given, in_order=query.startswith(("sort", "topk")))
    for parameters in OF_ANY + OF_RANGE:
        given = {"query": query, "start": START, "end": END, "step": "10"} | parameters
        _same_but_for_order(both, "query_range", given, in_order=True)


MATCHES = [None, "hits_total", ["hits_total", "big"], "none", '{job="web"}', '{__name__=~".+"}', "gone"]
OF_LISTS = [{}, *({"limit": text} for text in ("0", "1", "2", "3", "999999999999", "", "x", "1.5"))]
OF_LISTS += [{"start": START}, {"start": START, "end": END}, {"start": "x"}]


@pytest.mark.parametrize("match", MATCHES, ids=str)
@pytest.mark.parametrize(
    "path", ["series", "labels", "label/host/values", "label/__name__/values", "label/none/values"]
)
def test_every_parameter_of_a_list_does_what_it_does_there(both, path, match):
    for parameters in OF_LISTS:
        given = parameters if match is None else {"match[]": match} | parameters
        _same_but_for_order(both, path, given, in_order=False)


@pytest.mark.parametrize("query", EXPRESSIONS.values(), ids=EXPRESSIONS)
@pytest.mark.parametrize("path", ["format_query", "query_exemplars"])
def test_what_an_endpoint_does_not_know_changes_nothing(both, path, query):
    for parameters in ({}, {"start": START, "end": END}, {"limit": "1"}, {"stats": "all"}):
        theirs, ours = ask(both, path, query=query, **parameters)
        assert ours == theirs, parameters


def _same_but_for_order(both, path, parameters, in_order):
    """The same answer; without an order, which is that of arrival there, a limit leaves as many of the same series."""
    (status, theirs), (own_status, ours) = ask(both, path, **parameters)
    assert own_status == status, (parameters, ours, theirs)
    for document in (theirs, ours):
        if "warnings" in document:
            # out of a map there
            document["warnings"].sort()
    if isinstance(theirs["data"] if status == 200 else None, dict):
        theirs["data"].pop("stats", None)
        ours.pop("explain", None)
    if in_order or status != 200:
        assert ours == theirs, parameters
        return
    found, expected = _items(ours), _items(theirs)
    assert len(found) == len(expected), parameters
    assert ours | {"data": None} == theirs | {"data": None}, parameters
    if "warnings" in theirs:
        _, (_, whole) = ask(
            both, path, **{name: text for name, text in parameters.items() if name != "limit"}
        )
        assert set(found) <= set(_items(whole)), parameters
    else:
        assert found == expected, parameters


def _items(document):
    """What is listed, as sorted texts."""
    data = document["data"]
    listed = data["result"] if isinstance(data, dict) else data
    return sorted(map(json.dumps, listed))


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
