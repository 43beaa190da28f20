"""What the gateway says of itself, and of what is in the index."""

import pytest
import yaml

from streamgauge.config import Config, Notify, Redis
from streamgauge.gateway.api import cardinality as counting
from streamgauge.gateway.http.app import Gateway
from streamgauge.series.labels import canonical
from tests.support.gateway_client import Client


@pytest.fixture(scope="module")
def client():
    config = Config(
        redis=Redis(url="redis://:hush@127.0.0.1:6379/0"),
        notify=Notify(alertmanagers=("http://me:hush@127.0.0.1:9093/am/", "http://127.0.0.1:9094")),
    )
    return Client(Gateway(config, reader=None))


def test_no_password_is_shown(client):
    for path in ("status/config", "status/flags", "alertmanagers"):
        response = client.get(f"/api/v1/{path}")
        assert response.status_code == 200
        assert "hush" not in response.text
    shown = yaml.safe_load(client.get("/api/v1/status/config").json()["data"]["yaml"])
    assert shown["gateway"]["listen"] == "127.0.0.1:9480"
    assert Config(**shown).gateway == Config().gateway


def test_the_alertmanagers_are_those_of_the_bridge(client):
    data = client.get("/api/v1/alertmanagers").json()["data"]
    assert data["droppedAlertmanagers"] == []
    urls = [each["url"] for each in data["activeAlertmanagers"]]
    assert urls[0].endswith("@127.0.0.1:9093/am/api/v2/alerts")
    assert urls[1] == "http://127.0.0.1:9094/api/v2/alerts"


def test_flags_are_texts(client):
    flags = client.get("/api/v1/status/flags").json()["data"]
    assert flags["gateway.max_points"] == "11000"
    assert flags["storage.tsdb.retention.time"] == "3y"
    assert all(isinstance(value, str) for value in flags.values())


class Index:
    """Series by lane, which are counted when they are read."""

    def __init__(self, lanes):
        self.lanes = lanes
        self.reads = 0

    @property
    def index(self):
        return self

    def lane(self, lane, _start, _end, _reading):
        self.reads += 1
        # an index has a series once in each period
        return [(data, data) for data in self.lanes[lane] * 2]


def series(lane, count):
    return [
        canonical({"__name__": name, "host": f"h{lane}-{number}", "job": "é"})
        for number in range(count)
        for name in ("up", *(["load"] if number % 2 else []))
    ]


@pytest.fixture
def status():
    def asked(lanes, path="/api/v1/status/tsdb"):
        config = Config.model_validate({"layout": {"lanes": len(lanes)}, "kafka": {"partitions": 1}})
        client = Client(Gateway(config, Index(lanes)))
        return client.get(path).json()

    return asked


def test_metrics_labels_and_pairs_are_counted(status):
    document = status([series(0, 4), series(1, 2)])
    data = document["data"]
    assert "warnings" not in document
    assert data["headStats"]["numSeries"] == 9
    assert data["headStats"]["numLabelPairs"] == 9
    assert data["seriesCountByMetricName"] == [{"name": "up", "value": 6}, {"name": "load", "value": 3}]
    assert data["labelValueCountByLabelName"] == [
        {"name": "host", "value": 6},
        {"name": "__name__", "value": 2},
        {"name": "job", "value": 1},
    ]
    assert data["memoryInBytesByLabelName"] == [
        {"name": "__name__", "value": 6 * 12 + 3 * 14},
        {"name": "host", "value": 9 * 10},
        {"name": "job", "value": 9 * 7},
    ]
    assert data["seriesCountByLabelValuePair"][0] == {"name": "job=é", "value": 9}


def test_the_limit_is_of_each_list(status):
    data = status([series(0, 20)], "/api/v1/status/tsdb?limit=2")["data"]
    assert [len(part) for part in data.values()] == [5, 2, 2, 2, 2]
    assert len(status([series(0, 20)])["data"]["seriesCountByLabelValuePair"]) == 10


@pytest.mark.parametrize(
    ("limit", "error"),
    [
        ("0", "limit must be a positive number"),
        ("x", "limit must be a positive number"),
        ("10001", "limit must not exceed 10000"),
    ],
)
def test_a_limit_out_of_bounds_is_refused(status, limit, error):
    assert status([[]], f"/api/v1/status/tsdb?limit={limit}")["error"] == error


def test_of_a_large_index_some_lanes_stand_for_all(status, monkeypatch):
    monkeypatch.setattr(counting, "MAX_SERIES", 8)
    lanes = [series(lane, 4) for lane in range(4)]
    document = status(lanes)
    assert document["data"]["headStats"]["numSeries"] == 24
    assert document["data"]["seriesCountByMetricName"][0] == {"name": "up", "value": 16}
    assert document["warnings"][0].startswith("counted in 2 of 4 lanes")


def test_an_empty_index_has_nothing(status):
    assert status([[], []])["data"]["seriesCountByMetricName"] == []


def test_a_count_is_answered_again_for_a_while():
    index = Index([series(0, 1)])
    client = Client(
        Gateway(Config.model_validate({"layout": {"lanes": 1}, "kafka": {"partitions": 1}}), index)
    )
    first = client.get("/api/v1/status/tsdb").json()
    assert client.get("/api/v1/status/tsdb?limit=1").json()["data"]["headStats"]["numSeries"] == 1
    assert (first["status"], index.reads) == ("success", 1)
