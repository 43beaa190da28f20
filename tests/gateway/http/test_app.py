"""What the gateway answers before it reads anything: its reader is never reached here."""

import pytest

from streamgauge.config import Config
from streamgauge.config import Gateway as Settings
from streamgauge.gateway.http.answering import MAX_BODY_BYTES
from streamgauge.gateway.http.app import Gateway
from tests.support.gateway_client import Client
from tests.support.memory_reader import MemoryReader


@pytest.fixture(scope="module")
def client():
    return Client(Gateway(Config(gateway=Settings(max_points=500)), reader=None))


@pytest.mark.parametrize(
    ("path", "parameters", "error"),
    [
        (
            "query",
            {"query": "up{"},
            'invalid parameter "query": 1:4: parse error: unexpected end of input inside braces',
        ),
        (
            "query",
            {},
            'invalid parameter "query": unknown position: parse error: no expression found in input',
        ),
        (
            "query",
            {"query": "up", "time": "now"},
            """invalid parameter "time": invalid time value for 'time': cannot parse "now" to a valid timestamp""",
        ),
        (
            "query",
            {"query": "up", "timeout": "0s"},
            'invalid parameter "timeout": timeout must be positive, got 0s',
        ),
        ("query_range", {"query": "up"}, 'invalid parameter "start": cannot parse "" to a valid timestamp'),
        (
            "query_range",
            {"query": "up", "start": "0", "end": "501", "step": "1"},
            "exceeded maximum resolution of 500 points per timeseries. "
            "Try decreasing the query resolution (?step=XX)",
        ),
        (
            "query_range",
            {"query": "up[5m]", "start": "0", "end": "1", "step": "1"},
            'invalid parameter "query": invalid expression type "range vector" for range query, '
            "must be Scalar or instant Vector",
        ),
        ("series", {}, "no match[] parameter provided"),
        (
            "series",
            {"match[]": "up["},
            'invalid parameter "match[]": 1:3: parse error: unexpected "["',
        ),
        (
            "series",
            {"match[]": "up offset 5m"},
            'invalid parameter "match[]": 1:4: parse error: unexpected <offset>',
        ),
        ("labels", {"limit": "-1"}, 'invalid parameter "limit": limit must be non-negative'),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_bad_parameters_are_refused(client, method, path, parameters, error):
    place = {"params" if method == "GET" else "data": parameters}
    response = client.request(method, f"/api/v1/{path}", **place)
    assert response.status_code == 400
    document = response.json()
    assert document["status"] == "error"
    assert document["errorType"] == "bad_data"
    assert document["error"].startswith(error)


def test_what_is_not_supported_is_named():
    client = Client(Gateway(Config(), MemoryReader([])))
    response = client.get("/api/v1/query", params={"query": "info(up)"})
    assert response.status_code == 422
    assert response.json() == {
        "status": "error",
        "errorType": "execution",
        "error": "function info() works on info metrics, which are not supported",
    }


@pytest.mark.parametrize(
    ("query", "data"),
    [
        ("time() + 1", {"resultType": "scalar", "result": [60, "61"]}),
        ('"text"', {"resultType": "string", "result": [60, "text"]}),
        (
            "vector(2) ^ 3",
            {"resultType": "vector", "result": [{"metric": {}, "value": [60, "8"]}]},
        ),
        (
            "vector(time())[2m:1m]",
            {
                "resultType": "matrix",
                "result": [{"metric": {}, "values": [[0, "0"], [60, "60"]]}],
            },
        ),
    ],
)
def test_an_instant_query_gives_every_type(client, query, data):
    document = client.get("/api/v1/query", params={"query": query, "time": "60"}).json()
    assert document == {"status": "success", "data": data}


def test_a_range_query_gives_a_point_a_step(client):
    parameters = {"query": "vector(time()) < 3", "start": "1", "end": "4", "step": "1"}
    document = client.get("/api/v1/query_range", params=parameters).json()
    values = [[1, "1"], [2, "2"]]
    assert document["data"] == {"resultType": "matrix", "result": [{"metric": {}, "values": values}]}


def test_a_scalar_in_a_range_query_is_a_series(client):
    parameters = {"query": "1", "start": "1", "end": "2", "step": "1"}
    document = client.get("/api/v1/query_range", params=parameters).json()
    assert document["data"]["result"] == [{"metric": {}, "values": [[1, "1"], [2, "1"]]}]


def test_remarks_come_with_the_answer(client):
    parameters = {"query": "sort(vector(time()))", "start": "1", "end": "2", "step": "1"}
    document = client.get("/api/v1/query_range", params=parameters).json()
    assert document["warnings"] == [
        "PromQL warning: sort is ineffective for range queries since results are always ordered by labels "
        "(1:1)"
    ]
    query = "histogram_quantile(2, vector(1))"
    warnings = client.get("/api/v1/query", params={"query": query}).json()["warnings"]
    assert "PromQL warning: quantile value should be between 0 and 1, got 2 (1:20)" in warnings


def test_a_limit_cuts_the_answer(client):
    query = 'vector(1) or label_replace(vector(2), "a", "b", "", "")'
    document = client.get("/api/v1/query", params={"query": query, "limit": "1"}).json()
    assert [series["metric"] for series in document["data"]["result"]] == [{}]
    assert document["warnings"] == ["results truncated due to limit"]


@pytest.fixture(scope="module")
def three_series():
    points = [(at, at / 1000) for at in range(0, 100_000, 10_000)]
    series = [({"__name__": "hits_total", "host": host * 50}, points) for host in "abc"]
    return Client(Gateway(Config(), MemoryReader(series)))


@pytest.mark.parametrize("limit", ["0", "1", "2", "3", "4", "999999999999"])
@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("query", {"query": "hits_total[50s]", "time": "90"}),
        ("query", {"query": "hits_total[50s:10s]", "time": "90"}),
        ("query", {"query": "hits_total", "time": "90"}),
        ("query", {"query": "sort_desc(hits_total)", "time": "90"}),
        ("query_range", {"query": "hits_total", "start": "0", "end": "90", "step": "10"}),
        ("query_range", {"query": "rate(hits_total[20s])", "start": "0", "end": "90", "step": "10"}),
        ("query_range", {"query": "1", "start": "0", "end": "90", "step": "10"}),
    ],
)
def test_a_limit_leaves_the_first_series_as_they_are(three_series, path, parameters, limit):
    whole = three_series.get(f"/api/v1/{path}", params=parameters).json()
    cut = three_series.get(f"/api/v1/{path}", params=parameters | {"limit": limit}).json()
    series = whole["data"]["result"]
    most = int(limit) or len(series)
    assert cut["data"]["result"] == series[:most]
    assert cut.get("warnings", []) == ["results truncated due to limit"] * (len(series) > most)


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("-(" * 49 + "1" + ")" * 49, "-1"),
        ("abs(" * 98 + "vector(1)" + ")" * 98, "1"),
        ("sum(" * 98 + "vector(1)" + ")" * 98, "1"),
        ("1 + " * 199 + "1", "200"),
        ("vector(1) ^ " * 98 + "vector(2)", "1"),
        ("vector(2) or " * 198 + "vector(1)", "2"),
    ],
)
def test_a_query_that_nests_as_deep_as_allowed_is_answered(client, query, value):
    data = client.get("/api/v1/query", params={"query": query}).json()["data"]
    points = [data["result"]] if data["resultType"] == "scalar" else [row["value"] for row in data["result"]]
    assert [found for _, found in points] == [value]
    assert client.get("/api/v1/format_query", params={"query": query}).status_code == 200


def test_a_query_is_laid_out_for_people(client):
    query = (
        "sum(rate(requests_total{handler='/api/v1/query',code=~'5..'}[5m]))by(job)"
        "/sum(rate(requests_total[5m]))by(job)"
    )
    lines = [
        '  sum by (job) (rate(requests_total{code=~"5..",handler="/api/v1/query"}[5m]))',
        "/",
        "  sum by (job) (rate(requests_total[5m]))",
    ]
    document = client.get("/api/v1/format_query", params={"query": query}).json()
    assert document == {"status": "success", "data": "\n".join(lines)}


def test_a_query_that_is_none_cannot_be_laid_out(client):
    response = client.get("/api/v1/format_query", params={"query": "sum("})
    assert response.status_code == 400
    assert response.json()["error"] == (
        'invalid parameter "query": 1:5: parse error: unclosed left parenthesis'
    )


def test_a_form_may_not_be_huge(client):
    response = client.request("POST", "/api/v1/query", content=b"query=" + b"x" * MAX_BODY_BYTES)
    assert response.status_code == 400
    assert "bytes" in response.json()["error"]


def test_a_parameter_comes_back_whatever_it_holds(client):
    response = client.get("/api/v1/query?query=up&time=%ff%00%22\N{SNOWMAN}")
    assert response.status_code == 400
    assert response.json()["errorType"] == "bad_data"


def test_an_unexpected_failure_is_an_internal_error(client, caplog):
    response = client.get("/api/v1/query", params={"query": "up"})
    assert response.status_code == 500
    assert response.json()["errorType"] == "internal"
    assert "request failed" in caplog.text


def test_the_build_is_of_prometheus_api(client):
    document = client.get("/api/v1/status/buildinfo").json()
    assert document["status"] == "success"
    assert document["data"]["version"].startswith("3.")


def test_health_needs_no_store(client):
    assert client.get("/-/healthy").status_code == 200
