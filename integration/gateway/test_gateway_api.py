"""What the gateway serves beside queries, over real Cassandra, with users and TLS, and a real collector to ask."""

import re
import ssl
import subprocess

import cramjam
import httpx
import pytest
import yaml

from integration.support.served import serve
from integration.support.stored import wait_for
from schemas.protobuf import field, fields, integer, varint
from streamgauge.config.gateway import Cost, Tls
from streamgauge.gateway.auth.secrets import PasswordHash, new_token, token_hash
from streamgauge.series.labels import parse

pytestmark = pytest.mark.usefixtures("own_collector")
PASSWORD = "pass:word"


@pytest.fixture(scope="module")
def tokens():
    return {"tenant": new_token(), "admin": new_token()}


@pytest.fixture(scope="module")
def served(stack, tmp_path_factory, tokens):
    folder = tmp_path_factory.mktemp("api")
    subprocess.run(
        [
            *(
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
            ),
            *("-keyout", folder / "key.pem", "-out", folder / "cert.pem", "-days", "2"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"),
        ],
        check=True,
        capture_output=True,
    )
    users = {
        "tenant": {"tokens": [token_hash(tokens["tenant"])], "match": '{instance=~"host-[0-4]"}'},
        "admin": {"tokens": [token_hash(tokens["admin"])], "password": PasswordHash.of(PASSWORD).text},
    }
    (folder / "users.yml").write_text(yaml.safe_dump({"users": users}))
    with serve(
        stack,
        folder,
        "gateway_api_test",
        client={
            "verify": ssl.create_default_context(cafile=folder / "cert.pem"),
            "auth": ("admin", PASSWORD),
        },
        users_file=folder / "users.yml",
        tls=Tls(cert_file=folder / "cert.pem", key_file=folder / "key.pem"),
        refuse_above=Cost(samples=100_000),
    ) as running:
        yield running


def get(served, path, token=None, **parameters):
    headers = {"authorization": f"Bearer {token}"} if token else {}
    auth = None if token else httpx.USE_CLIENT_DEFAULT
    return served.http.get(path, params=parameters, headers=headers, auth=auth)


def test_only_over_tls_and_only_for_users(served):
    plain = str(served.http.base_url).replace("https", "http")
    with pytest.raises(httpx.HTTPError):
        httpx.get(f"{plain}/-/healthy", timeout=5)
    refused = served.http.get("/api/v1/query?query=1", auth=None)
    assert (refused.status_code, refused.json()["errorType"]) == (401, "unauthorized")
    assert served.ask("query", query="1")["result"][1] == "1"


def test_a_tenant_sees_the_own_series(served, tokens):
    token = tokens["tenant"]
    at = served.end / 1000
    found = get(served, "/api/v1/query", token, query="count by (job) (temperature)", time=at).json()
    assert [one["value"][1] for one in found["data"]["result"]] == ["5"]
    values = get(served, "/api/v1/label/instance/values", token).json()["data"]
    assert values == [f"host-{number}" for number in range(5)]
    counted = get(served, "/api/v1/status/tsdb", token).json()["data"]
    assert counted["headStats"]["numSeries"] == 10
    everything = get(served, "/api/v1/status/tsdb").json()
    assert "warnings" not in everything
    assert everything["data"]["headStats"]["numSeries"] == len(served.population.truth)
    assert {"name": "temperature", "value": 30} in everything["data"]["seriesCountByMetricName"]
    assert get(served, "/api/v1/status/config", token).status_code == 403


def test_the_newest_samples_are_federated(served, tokens):
    text = get(served, "/federate", tokens["tenant"], **{"match[]": '{job="mill"}'}).text
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert len(lines) == 10
    newest = {
        (labels["__name__"], labels["instance"]): (max(samples), samples[max(samples)])
        for labels, samples in ((parse(data), samples) for data, samples in served.population.truth.items())
        if labels["__name__"] != "gone"
    }
    for line in lines:
        series, value, at = line.rsplit(" ", 2)
        name, instance = series.split("{")[0], series.split('instance="')[1].split('"')[0]
        assert (int(at), pytest.approx(float(value))) == newest[name, instance]


def test_samples_are_read_from_afar(served):
    matcher = field(3, field(2, b"__name__") + field(3, b"temperature"))
    # the samples of each host come some ms later than those of the one before
    end = served.end + 1000
    query = field(1, b"\x08" + varint(served.start) + b"\x10" + varint(end) + matcher)
    found = served.http.post("/api/v1/read", content=bytes(cramjam.snappy.compress_raw(query)))
    assert found.status_code == 200
    result = dict(fields(bytes(cramjam.snappy.decompress_raw(found.content))))[1]
    read = {}
    for _, series in fields(result):
        labels, samples = {}, {}
        for number, content in fields(series):
            parts = dict(fields(content))
            if number == 1:
                labels[parts[1].decode()] = parts[2].decode()
            else:
                samples[integer(parts[2])] = parts.get(1, bytes(8))
        read[labels["instance"]] = samples
    truth = {parse(data)["instance"]: samples for data, samples in served.truth("temperature").items()}
    assert {name: sorted(samples) for name, samples in read.items()} == {
        name: sorted(samples) for name, samples in truth.items()
    }


def test_the_collectors_say_what_is_scraped_and_what_metrics_are(served):
    document = get(served, "/api/v1/targets").json()
    assert "warnings" not in document
    assert document["data"]["droppedTargets"] == []
    assert get(served, "/api/v1/metadata").status_code == 200


def test_a_query_that_would_cost_too_much_is_refused_with_the_estimate(served):
    at = served.end / 1000
    refused = get(served, "/api/v1/query", query="temperature[30d]", time=at)
    assert (refused.status_code, refused.json()["errorType"]) == (422, "cost_limit")
    assert "30 series" in refused.json()["error"]
    estimate = get(served, "/api/v1/query_cost", query="temperature[10m]", time=at).json()["data"]["estimate"]
    assert (estimate["seriesTouched"], estimate["samplesRead"]) == (30, 30 * 40)


def test_what_is_kept_for_one_is_not_given_to_another(served, tokens):
    times = {"start": served.start / 1000, "end": served.end / 1000, "match[]": "pressure"}
    hits = []
    for _ in range(2):
        for token, count in ((None, 30), (tokens["tenant"], 5)):
            names = get(served, "/api/v1/label/instance/values", token, **times).json()["data"]
            series = get(served, "/api/v1/series", token, **times).json()["data"]
            assert (len(names), len(series)) == (count, count)
        text = served.http.get("/metrics").text
        found = re.search(r'cache_lookups_total\{cache="lists",result="hit"\} (\d+)', text)
        hits.append(int(found[1]) if found else 0)
    # of the second round all is answered from Redis
    assert hits[1] - hits[0] == 4


def test_a_query_ends_when_its_client_goes_away(served):
    asked = {"query": "quantile_over_time(0.5, vector(1)[10d:1s])", "start": 0, "end": 10_000, "step": 1}
    for _ in range(5):
        with pytest.raises(httpx.TimeoutException):
            served.http.get("/api/v1/query_range", params=asked, timeout=0.5)
    # one that went on would have come to its end, with another status
    gone = 'requests_total{code="499",handler="/api/v1/query_range"} 5.0'
    wait_for(lambda: gone in served.http.get("/metrics").text, 60)
    assert served.ask("query", query="1")["result"][1] == "1"
