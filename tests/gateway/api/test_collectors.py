"""Targets and metadata at the gateway, from collectors that answer, answer badly, or are not there."""

import socket
from contextlib import contextmanager

import pytest
from werkzeug import Response

from streamgauge.config import Config
from streamgauge.config import Gateway as Settings
from streamgauge.gateway.api.collectors import urls_of
from streamgauge.gateway.http.app import Gateway
from tests.support.gateway_client import Client
from tests.support.http_server import json_response, serving


def entry(kind, explained):
    return {"type": kind, "help": explained, "unit": ""}


def target(pool, url):
    return {"scrapePool": pool, "scrapeUrl": url, "health": "up", "labels": {"job": pool}}


def said_of(host, family, named=True):
    return {
        "target": {"job": "node", "instance": host},
        **({"metric": family} if named else {}),
        **entry("gauge", ""),
    }


ANSWERS = [
    {
        "/api/v1/targets/metadata": [said_of("b", "up"), said_of("b", "x"), said_of("c", "up")],
        "/api/v1/targets": {"activeTargets": [target("node", "http://b"), target("app", "http://c")]},
        "/api/v1/metadata": {"up": [entry("gauge", "one")], "x": [entry("counter", "")]},
    },
    {
        "/api/v1/targets/metadata": [said_of("a", "a"), said_of("a", "up")],
        "/api/v1/targets": {"activeTargets": [target("node", "http://a")]},
        "/api/v1/metadata": {
            "up": [entry("gauge", "one"), entry("gauge", "two")],
            "a": [entry("unknown", "")],
        },
    },
]


@contextmanager
def collector(answers):
    """A collector of these answers by path; text is sent as it is."""

    def answer(request):
        data, metrics = answers.get(request.path), request.args.getlist("metric")
        if isinstance(data, dict) and metrics:
            data = {family: each for family, each in data.items() if family in metrics}
        if isinstance(data, list) and metrics:
            data = [
                said_of(each["target"]["instance"], "", named=False)
                for each in data
                if each["metric"] in metrics
            ]
        if data is None:
            return Response(status=404)
        return Response(data) if isinstance(data, str) else json_response({"status": "success", "data": data})

    with serving(answer) as url:
        yield url


def client(*urls):
    return Client(Gateway(Config(gateway=Settings(collectors=urls)), reader=None))


@pytest.fixture(scope="module")
def asked():
    with collector(ANSWERS[0]) as first, collector(ANSWERS[1]) as second:
        yield client(first + "/", second)


def test_the_targets_of_all_collectors_are_listed(asked):
    data = asked.get("/api/v1/targets").json()["data"]
    shown = [(one["scrapePool"], one["scrapeUrl"]) for one in data["activeTargets"]]
    assert shown == [("app", "http://c"), ("node", "http://a"), ("node", "http://b")]
    assert data["droppedTargets"] == []
    assert asked.get("/api/v1/scrape_pools").json()["data"] == {"scrapePools": ["app", "node"]}


@pytest.mark.parametrize(
    ("parameters", "count"),
    [
        ("scrapePool=node", 2),
        ("scrapePool=none", 0),
        ("state=dropped", 0),
        ("state=ANY", 3),
        ("state=active", 3),
    ],
)
def test_targets_are_chosen_by_pool_and_state(asked, parameters, count):
    assert len(asked.get(f"/api/v1/targets?{parameters}").json()["data"]["activeTargets"]) == count


def test_the_metadata_of_all_collectors_is_merged(asked):
    assert asked.get("/api/v1/metadata").json() == {
        "status": "success",
        "data": {
            "a": [entry("unknown", "")],
            "up": [entry("gauge", "one"), entry("gauge", "two")],
            "x": [entry("counter", "")],
        },
    }


@pytest.mark.parametrize(
    ("parameters", "shown"),
    [
        ("metric=up", {"up": 2}),
        ("metric=none", {}),
        ("limit=2", {"a": 1, "up": 2}),
        ("limit=0", {}),
        ("limit=-1", {"a": 1, "up": 2, "x": 1}),
        ("limit_per_metric=1", {"a": 1, "up": 1, "x": 1}),
        ("limit_per_metric=0", {"a": 1, "up": 2, "x": 1}),
    ],
)
def test_metadata_is_limited(asked, parameters, shown):
    data = asked.get(f"/api/v1/metadata?{parameters}").json()["data"]
    assert {family: len(entries) for family, entries in data.items()} == shown


@pytest.mark.parametrize(
    ("parameters", "shown"),
    [
        ({}, ["b up", "b x", "c up", "a a", "a up"]),
        ({"metric": "up"}, ["b", "c", "a"]),
        ({"metric": "none"}, []),
        ({"match_target": '{instance=~"a|c"}'}, ["c up", "a a", "a up"]),
        ({"match_target": '{instance="a"}', "metric": "up"}, ["a"]),
        ({"match_target": "{}", "limit": "0"}, []),
        # the list ends with the target that reaches the limit
        ({"limit": "1"}, ["b up", "b x"]),
        ({"limit": "2"}, ["b up", "b x"]),
        ({"limit": "3"}, ["b up", "b x", "c up"]),
        ({"limit": "-1"}, ["b up", "b x", "c up", "a a", "a up"]),
    ],
)
def test_the_metadata_of_targets_is_chosen_and_limited(asked, parameters, shown):
    found = asked.get("/api/v1/targets/metadata", params=parameters).json()["data"]
    assert [
        " ".join([each["target"]["instance"], *filter(None, [each.get("metric")])]) for each in found
    ] == shown
    assert all(
        {"type": each["type"], "help": each["help"], "unit": each["unit"]} == entry("gauge", "")
        for each in found
    )


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ("limit=x", "limit must be a number"),
        ("match_target=up[", 'invalid parameter "match_target": 1:3: parse error: unexpected "["'),
    ],
)
def test_what_chooses_no_targets_is_refused(asked, parameters, words):
    response = asked.get(f"/api/v1/targets/metadata?{parameters}")
    assert (response.status_code, response.json()["error"]) == (400, words)


@pytest.mark.parametrize("name", ["limit", "limit_per_metric"])
def test_a_limit_that_is_no_number_is_refused(asked, name):
    response = asked.get(f"/api/v1/metadata?{name}=x")
    assert (response.status_code, response.json()["error"]) == (400, f"{name} must be a number")


def test_collectors_that_do_not_answer_are_named():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        away = f"http://127.0.0.1:{probe.getsockname()[1]}"
    with collector(ANSWERS[0]) as well, collector({}) as lost, collector({"/api/v1/targets": "no"}) as broken:
        document = client(well, away, lost, broken).get("/api/v1/targets").json()
    assert len(document["data"]["activeTargets"]) == 2
    reasons = [warning.split(" does not answer: ") for warning in document["warnings"]]
    assert [named for named, _ in reasons] == [f"collector {url}" for url in (away, lost, broken)]
    assert [reason.split(":")[0] for _, reason in reasons] == [
        "ConnectError",
        "HTTP status 404",
        "JSONDecodeError",
    ]


@pytest.mark.parametrize("path", ["targets", "targets/metadata", "scrape_pools", "metadata"])
def test_without_any_collector_there_is_no_answer(path):
    with collector({}) as lost:
        response = client(lost).get(f"/api/v1/{path}")
    assert (response.status_code, response.json()["errorType"]) == (503, "unavailable")
    assert lost in response.json()["error"]


def test_the_collector_of_the_same_file_is_asked_by_default():
    assert urls_of(Config()) == ("http://127.0.0.1:9481",)
