"""What scripts of other origins may ask, as Prometheus lets them."""

import pytest
import yaml
from pydantic import ValidationError

from streamgauge.config import Config
from streamgauge.config import Gateway as Settings
from streamgauge.gateway.http.app import Gateway
from tests.support.gateway_client import Client
from tests.support.memory_reader import MemoryReader

ORIGIN = {"origin": "https://dash.example"}
SHARED = {
    "access-control-allow-headers": "Accept, Authorization, Content-Type, Origin",
    "access-control-allow-methods": "GET, POST, OPTIONS",
    "access-control-expose-headers": "Date",
}


def client(**settings):
    return Client(Gateway(Config(gateway=Settings(**settings)), MemoryReader([])))


def shared(response):
    return {name: value for name, value in response.headers.items() if name.startswith("access-control-")}


@pytest.mark.parametrize("path", ["query?query=1", "query?query=(", "nothing", "labels", "status/buildinfo"])
def test_every_origin_may_read_every_answer_of_the_api(path):
    answer = client().get(f"/api/v1/{path}", headers=ORIGIN)
    assert shared(answer) == SHARED | {"access-control-allow-origin": "*"}
    assert "Origin" in answer.headers["vary"]
    # who names no origin is no browser
    answer = client().get(f"/api/v1/{path}")
    assert shared(answer) == {}
    assert "Origin" in answer.headers["vary"]


@pytest.mark.parametrize("path", ["/", "/metrics", "/-/healthy"])
def test_what_is_not_the_api_says_nothing(path):
    assert shared(client().get(path, headers=ORIGIN)) == {}


@pytest.mark.parametrize("path", ["query", "query_range", "nothing", "status/config"])
def test_a_browser_is_told_before_it_asks(path, tmp_path):
    users = tmp_path / "users.yml"
    users.write_text(yaml.safe_dump({"users": {}}))
    for settings in ({}, {"users_file": users}):
        answer = client(**settings).request("OPTIONS", f"/api/v1/{path}", headers=ORIGIN)
        assert (answer.status_code, answer.content) == (204, b"")
        assert shared(answer) == SHARED | {"access-control-allow-origin": "*"}


def test_a_refusal_of_who_does_not_show_who_they_are_can_be_read_too(tmp_path):
    users = tmp_path / "users.yml"
    users.write_text(yaml.safe_dump({"users": {}}))
    answer = client(users_file=users).get("/api/v1/query?query=1", headers=ORIGIN)
    assert answer.status_code == 401
    assert answer.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize(
    ("origin", "is_allowed"),
    [
        ("https://dash.example", True),
        ("https://a.dash.example", True),
        ("https://dash.example.evil", False),
        ("http://dash.example", False),
        ("null", False),
        ("", False),
    ],
)
def test_origins_that_match_as_a_whole_are_allowed_each_by_its_name(origin, is_allowed):
    asked = client(cors_origin=r"https://(.*\.)?dash\.example")
    for method in ("GET", "OPTIONS"):
        answer = asked.request(method, "/api/v1/labels", headers={"origin": origin})
        allowed = {"access-control-allow-origin": origin} if is_allowed else {}
        assert shared(answer) == (SHARED | allowed if origin else {})


def test_what_is_no_regex_is_refused():
    with pytest.raises(ValidationError, match="invalid regex"):
        Settings(cors_origin="(")
