"""With the real clock: from a push to an answer of the gateway."""

import time

import httpx
import pytest

from integration.support.stored import wait_for
from integration.support.workload import MINUTE_MS, Client, Workload
from streamgauge.series import ids, labels

pytestmark = pytest.mark.usefixtures("own_collector")


@pytest.fixture(scope="module")
def gateway(config):
    with httpx.Client(base_url=f"http://{config.gateway.listen}", timeout=30) as client:
        yield client


def _result(gateway, query, **parameters):
    answer = gateway.get("/api/v1/query", params={"query": query, **parameters})
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]["result"]


def test_a_pushed_sample_shows_before_its_minute_is_closed(config, gateway):
    sample = {"metric": "room_temperature", "labels": {"room": "lab"}, "value": 21.5}
    pushed = httpx.post(f"http://{config.collector.listen}/api/v1/push", json=sample)
    assert pushed.status_code == 204, pushed.text
    wait_for(lambda: bool(_result(gateway, 'room_temperature{room="lab"}')), 30)
    [series] = _result(gateway, 'room_temperature{room="lab"}')
    assert series["metric"] == {"__name__": "room_temperature", "room": "lab"}
    assert series["value"][1] == "21.5"


def test_ten_minutes_of_200_series_come_back_sample_for_sample(config, gateway):
    now = int(time.time() * 1000)
    work = Workload("live", (now - 10 * MINUTE_MS) // 5000 * 5000)
    client = Client(config.collector.listen)
    for _, request in work.requests():
        client.push_until_taken(request)
    client.close()
    sets = {ids.series_id(labels.canonical(one)): one for one in work.label_sets()}
    expected = {sets[identity]["host"]: samples for identity, samples in work.expected.items()}

    def found():
        result = _result(gateway, "live[11m]", time=(work.end + 1) / 1000)
        return {
            series["metric"]["host"]: {round(at * 1000): float(value) for at, value in series["values"]}
            for series in result
        }

    wait_for(lambda: found() == expected, 120)


def test_a_range_query_has_a_point_a_step(gateway):
    end = time.time()
    answer = gateway.get(
        "/api/v1/query_range",
        params={"query": 'room_temperature{room=~"l.b"}', "start": end - 60, "end": end, "step": 1},
    )
    [series] = answer.json()["data"]["result"]
    assert {value for _, value in series["values"]} == {"21.5"}


def test_the_whole_language_is_evaluated(gateway):
    query = "sum by (room) (max_over_time(room_temperature[1m:1s])) * 2"
    [series] = gateway.get("/api/v1/query", params={"query": query}).json()["data"]["result"]
    assert (series["metric"], series["value"][1]) == ({"room": "lab"}, "43")


def test_what_is_not_supported_says_so(gateway):
    answer = gateway.get("/api/v1/query", params={"query": "histogram_count(room_temperature)"})
    assert answer.status_code == 422
    assert answer.json()["errorType"] == "execution"


def test_labels_and_series_are_listed(gateway):
    wait_for(lambda: "room" in gateway.get("/api/v1/labels").json()["data"], 30)
    assert "lab" in gateway.get("/api/v1/label/room/values").json()["data"]
    [series] = gateway.get("/api/v1/series", params={"match[]": "room_temperature"}).json()["data"]
    assert series == {"__name__": "room_temperature", "room": "lab"}
