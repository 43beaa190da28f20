"""What Grafana's data source for Prometheus asks, asked of the gateway and of a real Prometheus with the same samples.

The requests are those that Grafana sends for the test of a data source, Explore, dashboards with variables and
annotations, and its alert list: their forms, headers, times on whole steps, and durations such as 1m0s.
"""

import json
import math
import sys
import time
from typing import NamedTuple
from urllib.parse import urlencode

import pytest

from integration.support.commands import require
from integration.support.served import serve
from streamgauge.local.supervision.home import ROOT
from streamgauge.series.labels import parse

sys.path.insert(0, str(ROOT / "tests" / "oracle"))
from prometheus_server import Prometheus, binary

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
GRAFANA = {"User-Agent": "Grafana/12.3.0", "Accept-Encoding": "gzip", "X-Grafana-User": "ann", **FORM}
PANEL = {"X-Dashboard-Uid": "hosts", "X-Panel-Id": "4"}
STEP_S = 15


class Recorded(NamedTuple):
    """A request; $start, $end and $now stand for times in s."""

    path: str
    form: dict[str, str]
    method: str = "POST"
    is_panel: bool = False


def _panel(query: str, step: int = STEP_S) -> Recorded:
    form = {"query": query, "start": "$start", "end": "$end", "step": str(step)}
    return Recorded("/api/v1/query_range", form, is_panel=True)


def _listed(path: str, **form: str) -> Recorded:
    return Recorded(path, {"start": "$start", "end": "$end", **form}, "GET")


RECORDED = {
    "the test of a data source": Recorded("/api/v1/query", {"query": "1+1", "time": "$now"}),
    "the names of metrics": _listed("/api/v1/label/__name__/values", limit="40000"),
    "the names of labels": Recorded("/api/v1/labels", {"start": "$start", "end": "$end", "limit": "40000"}),
    "the names of labels of a metric": Recorded(
        "/api/v1/labels", {"start": "$start", "end": "$end", "match[]": "temperature"}
    ),
    "values of a label in the builder": _listed(
        "/api/v1/label/zone/values", **{"match[]": '{__name__="temperature",job="mill"}', "limit": "40000"}
    ),
    "exploring over time": _panel("temperature"),
    "exploring now": Recorded("/api/v1/query", {"query": "temperature", "time": "$end"}),
    "exploring what there is not": _panel('temperature{job="no such"}'),
    "exemplars": Recorded(
        "/api/v1/query_exemplars", {"query": "temperature", "start": "$start", "end": "$end"}
    ),
    "laying a query out": Recorded("/api/v1/format_query", {"query": "sum by(job)(rate(temperature[5m]))"}),
    "a variable of values": _listed("/api/v1/label/instance/values", **{"match[]": "temperature"}),
    "a variable of series": _listed("/api/v1/series", **{"match[]": 'pressure{instance=~"host-1.*"}'}),
    "a variable of results": Recorded(
        "/api/v1/query", {"query": "count by (zone) (temperature)", "time": "$end"}
    ),
    "a panel of rates": _panel('sum by (zone) (rate(temperature{instance=~"host-1|host-2|host-3"}[1m0s]))'),
    "a panel of the highest": _panel("topk(3, max by (instance) (max_over_time(pressure[1m0s])))"),
    "a panel of shares": _panel("temperature / on (instance) pressure", 30),
    "a panel of percentiles": _panel("quantile(0.95, avg_over_time(temperature[1m0s]))", 60),
    "a table": Recorded(
        "/api/v1/query", {"query": "sort_desc(sum by (job) (temperature))", "time": "$end"}, is_panel=True
    ),
    "a panel of a whole range": Recorded(
        "/api/v1/query", {"query": "avg by (job) (avg_over_time(temperature[480s]))", "time": "$end"}
    ),
    "a panel of what has gone": _panel("gone or absent(gone)"),
    "annotations": _panel('ALERTS{alertstate="firing"}', 60),
    "a panel whose query is faulty": _panel("sum by (zone (temperature)"),
    "a panel of too many points": Recorded(
        "/api/v1/query_range", {"query": "temperature", "start": "0", "end": "$end", "step": "15"}
    ),
}


@pytest.fixture(scope="module")
def gateway(stack, tmp_path_factory):
    """A gateway over samples of the last minutes."""
    with serve(stack, tmp_path_factory.mktemp("grafana"), "grafana_test") as running:
        yield running


@pytest.fixture(scope="module")
def prometheus(gateway, tmp_path_factory):
    """One that holds the same samples."""
    program = binary()
    require(program, "there is no Prometheus: `make oracle` builds one")
    with Prometheus(program, tmp_path_factory.mktemp("prometheus")) as running:
        running.load(
            [(parse(labels), sorted(samples.items())) for labels, samples in gateway.population.truth.items()]
        )
        yield running


def _form(gateway, recorded):
    start = math.ceil(gateway.start / 60_000) * 60 + 60
    times = {"$start": start, "$end": start + 480, "$now": f"{time.time():.3f}"}
    return {name: str(times.get(value, value)) for name, value in recorded.form.items()}


def _ask_gateway(gateway, recorded, form):
    headers = GRAFANA | (PANEL if recorded.is_panel else {})
    place = {"params": form} if recorded.method == "GET" else {"data": form}
    answer = gateway.http.request(recorded.method, recorded.path, headers=headers, **place)
    return answer.status_code, answer.json()


def _ask_prometheus(prometheus, recorded, form):
    text = urlencode(form)
    if recorded.method == "GET":
        status, content = prometheus._ask("GET", f"{recorded.path}?{text}")
    else:
        status, content = prometheus._ask("POST", recorded.path, text.encode(), FORM)
    return status, json.loads(content)


def _series(data):
    """The points of each series by its labels; those of a scalar have none."""
    if data["resultType"] == "scalar":
        return {(): dict([data["result"]])}
    found = {
        tuple(sorted(one["metric"].items())): dict(one.get("values") or [one["value"]])
        for one in data["result"]
    }
    assert len(found) == len(data["result"])
    return found


def _assert_same(ours, theirs):
    if not isinstance(theirs, dict) or "result" not in theirs:
        assert ours == theirs
        return
    assert ours["resultType"] == theirs["resultType"]
    found, expected = _series(ours), _series(theirs)
    assert found.keys() == expected.keys()
    for labels, points in expected.items():
        numbers = {at: float(value) for at, value in points.items()}
        assert {at: float(value) for at, value in found[labels].items()} == pytest.approx(
            numbers, rel=1e-9, nan_ok=True
        )


@pytest.mark.parametrize("name", RECORDED)
def test_the_answer_is_that_of_prometheus(gateway, prometheus, name):
    recorded = RECORDED[name]
    form = _form(gateway, recorded)
    status, ours = _ask_gateway(gateway, recorded, form)
    wanted, theirs = _ask_prometheus(prometheus, recorded, form)
    assert status == wanted, ours
    assert ours["status"] == theirs["status"]
    assert ours.get("errorType") == theirs.get("errorType")
    if status == 200:
        _assert_same(ours["data"], theirs["data"])
        assert ours.get("warnings", []) == theirs.get("warnings", [])


def test_a_second_look_at_a_dashboard_is_the_same(gateway):
    for name, recorded in RECORDED.items():
        if recorded.is_panel:
            form = _form(gateway, recorded)
            assert _ask_gateway(gateway, recorded, form) == _ask_gateway(gateway, recorded, form), name


def test_what_grafana_reads_of_the_server_has_its_form(gateway, prometheus):
    for path in ("/api/v1/status/buildinfo", "/api/v1/rules", "/api/v1/alerts"):
        recorded = Recorded(path, {}, "GET")
        (status, ours), (_, theirs) = (
            _ask_gateway(gateway, recorded, {}),
            _ask_prometheus(prometheus, recorded, {}),
        )
        assert (status, ours["status"]) == (200, "success")
        assert theirs["data"].keys() <= ours["data"].keys()
        for key, value in theirs["data"].items():
            assert type(ours["data"][key]) is type(value)
