import time

import pytest

from integration.support.served import MINUTES, serve
from integration.support.stored import wait_for
from schemas.units import MINUTE_MS
from streamgauge.series.ids import lane_of, series_id
from streamgauge.series.labels import canonical, parse


@pytest.fixture(scope="module")
def served(stack, tmp_path_factory):
    with serve(stack, tmp_path_factory.mktemp("gateway"), "gateway_test") as running:
        yield running


def _pairs(found):
    return {
        canonical(one["metric"]): {round(at * 1000): float(value) for at, value in one["values"]}
        for one in found
    }


def test_raw_samples_come_back_equal(served):
    time_s = served.end / 1000 + 5
    data = served.ask("query", query='{__name__=~"temperature|pressure"}[15m]', time=str(time_s))
    assert data["resultType"] == "matrix"
    assert _pairs(data["result"]) == served.truth("temperature") | served.truth("pressure")


def test_a_range_query_shows_the_last_sample_at_each_step(served):
    start, end = served.start - 30_000, served.end + 30_000
    data = served.ask("query_range", query="temperature", start=start / 1000, end=end / 1000, step="7s")
    expected = {}
    for labels, samples in served.truth("temperature").items():
        for at in range(start, end + 1, 7000):
            seen = [time for time in samples if at - 300_000 < time <= at]
            if seen:
                expected.setdefault(labels, {})[at] = samples[max(seen)]
    assert _pairs(data["result"]) == expected
    order = [sorted(one["metric"].items()) for one in data["result"]]
    assert order == sorted(order)


def test_an_offset_moves_the_samples_not_their_steps(served):
    at = served.start + 5 * MINUTE_MS
    now, past, future = (
        served.ask("query", query=f'temperature{{instance="host-0"}} {offset}', time=str(at / 1000))["result"]
        for offset in ("", "offset 95s", "offset -95s")
    )
    truth = next(samples for data, samples in served.truth("temperature").items() if b"host-0\xff" in data)
    for found, looked_at in ((now, at), (past, at - 95_000), (future, at + 95_000)):
        assert [one["value"] for one in found] == [
            [at / 1000, f"{truth[max(time for time in truth if time <= looked_at)]:g}"]
        ]


@pytest.mark.parametrize("function", ["sum_over_time", "max_over_time", "count_over_time", "last_over_time"])
def test_ranges_of_whole_minutes_come_from_rollups_and_the_head_as_from_samples(served, function):
    """At steps of a minute: minutes that are sealed from their rollups, those that are not from the head."""
    start, end = served.start + 4 * MINUTE_MS, served.start + MINUTES * MINUTE_MS
    query = f"{function}(temperature[2m])"
    # samples at a range's very edge belong to it, and to the window after it
    data = served.ask("query_range", query=query, start=start / 1000, end=end / 1000, step="60s")
    reduce = {"sum": sum, "max": max, "count": len, "last": lambda values: values[-1]}[function.split("_")[0]]
    expected = {}
    for labels, samples in served.truth("temperature").items():
        shown = _shown(parse(labels), with_name=function == "last_over_time")
        for at in range(start, end + 1, MINUTE_MS):
            inside = [samples[time] for time in sorted(samples) if at - 2 * MINUTE_MS <= time < at]
            if inside:
                expected.setdefault(shown, {})[at] = pytest.approx(reduce(inside))
    assert {
        _shown(one["metric"], with_name=True): {round(at * 1000): float(value) for at, value in one["values"]}
        for one in data["result"]
    } == expected


def _shown(labels, with_name):
    return frozenset((name, value) for name, value in labels.items() if with_name or name != "__name__")


def test_a_stale_marker_ends_a_series(served):
    before, after = served.end - 31_000, served.end - 29_000
    assert len(served.ask("query", query="gone", time=str(before / 1000))["result"]) == 1
    assert served.ask("query", query="gone", time=str(after / 1000))["result"] == []
    assert len(served.ask("query", query="gone[5m]", time=str(after / 1000))["result"][0]["values"]) == 1


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_series_labels_and_values_are_listed(served, method):
    def ask(path, **parameters):
        place = {"params" if method == "GET" else "data": parameters}
        return served.http.request(method, f"/api/v1/{path}", **place).json()

    assert ask("labels")["data"] == ["__name__", "instance", "job", "zone"]
    assert ask("labels", **{"match[]": "gone"})["data"] == ["__name__"]
    assert ask("label/zone/values")["data"] == ["été"]
    assert ask("label/U____name__/values")["data"] == []
    assert ask("label/__name__/values", **{"match[]": ['{job="mill"}', "gone"]})["data"] == [
        "gone",
        "pressure",
        "temperature",
    ]
    assert ask("label/instance/values", limit="2") == {
        "status": "success",
        "data": ["host-0", "host-1"],
        "warnings": ["results truncated due to limit"],
    }
    assert ask("series", **{"match[]": ['pressure{instance="host-7"}', '{instance=~"host-7",zone!=""}']}) == {
        "status": "success",
        "data": [
            {"__name__": "pressure", "instance": "host-7", "job": "mill"},
            {"__name__": "temperature", "instance": "host-7", "job": "mill", "zone": "été"},
        ],
    }


def test_a_sample_that_is_stored_after_a_query_shows(served):
    labels = canonical({"__name__": "fresh", "instance": "new"})
    now = int(time.time() * 1000)
    assert served.ask("query", query="fresh")["result"] == []
    lane = lane_of(series_id(labels), served.lanes)
    served.population.push(
        {labels: {now: 42.0}}, {lane: served.sealed[lane]} if lane in served.sealed else {}
    )
    found = []

    def shows():
        found[:] = served.ask("query", query="fresh")["result"]
        return bool(found)

    # what a query remembers is a second old at most
    wait_for(shows, 10)
    assert found[0]["value"][1] == "42"


def test_damage_is_a_warning_and_a_count(served):
    minute = served.end // MINUTE_MS * MINUTE_MS
    served.session.execute(
        'INSERT INTO metrics_head (lane, minute, partition, "offset", payload) VALUES (0, %s, 9, 9, %s)',
        (minute, b"not arrow"),
    )
    document = {}

    def warns():
        document.update(served.http.get("/api/v1/query?query=temperature[10m]").json())
        return "warnings" in document

    wait_for(warns, 10)
    assert document["status"] == "success"
    assert f"metrics_head lane=0 minute={minute} partition=9 offset=9: not_arrow" in document["warnings"][0]
    assert 'damaged_rows_total{reason="not_arrow"}' in served.http.get("/metrics").text


def test_limits_are_refusals_with_their_kind(served):
    response = served.http.get("/api/v1/query", params={"query": "temperature", "timeout": "1ms"})
    assert (response.status_code, response.json()["errorType"]) == (503, "timeout")
    assert 'reason="timeout"' in served.http.get("/metrics").text
