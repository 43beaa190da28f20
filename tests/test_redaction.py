"""Nothing that people are shown, or that is logged, holds the password of a URL."""

import logging
import socket

import pytest
import yaml

from streamgauge import cli
from streamgauge.clients.no_redirects import get_json
from streamgauge.config import Config, Notify, Redis
from streamgauge.config import Gateway as Settings
from streamgauge.gateway.http.app import Gateway
from streamgauge.local.servers.service import address
from streamgauge.query.client import QueryFailed, ask
from streamgauge.redaction import redacted, without_secrets
from streamgauge.yaml_file import InvalidFile, load
from tests.support.gateway_client import Client
from tests.support.http_server import json_response, serving

SECRET = "hunter2%40"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://ann:pw@host:1/path", "http://ann:<secret>@host:1/path"),
        ("redis://:pw@host/0", "redis://:<secret>@host/0"),
        ("rediss://host/0?db=1&password=pw&x=2", "rediss://host/0?db=1&password=<secret>&x=2"),
        # what comes before the last @ is the password
        ("https://ann:p@w:x@host", "https://ann:<secret>@host"),
        (
            "a http://u:p@h, then 'http://v:q@i/' fails",
            "a http://u:<secret>@h, then 'http://v:<secret>@i/' fails",
        ),
        ("http://ann:it's@host", "http://ann:<secret>@host"),
        ("http://ann:p<q@host", "http://ann:<secret>@host"),
        ("http://ann@host/", "http://ann@host/"),
        ("http://host:9090/a:b@c", "http://host:9090/a:b@c"),
        ("http://host/?to=a:b@c", "http://host/?to=a:b@c"),
        ("ann:pw@host", "ann:pw@host"),
        ("http://[::1]:9480/x", "http://[::1]:9480/x"),
        ("", ""),
    ],
)
def test_passwords_of_urls_are_hidden_and_nothing_else_is(text, shown):
    assert redacted(text) == shown
    assert redacted(shown) == shown


def test_values_of_secret_keys_are_hidden_wherever_they_are():
    content = {"a": [{"password": "x", "tls_secret": "y", "token_file": "z"}], "password": "", "n": 1}
    assert without_secrets(content) == {
        "a": [{"password": "<secret>", "tls_secret": "<secret>", "token_file": "z"}],
        "password": "",
        "n": 1,
    }


@pytest.fixture
def nobody():
    """A URL with a password at which nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://ann:{SECRET}@127.0.0.1:{held.getsockname()[1]}"


def test_the_gateway_shows_no_password_of_its_configuration_nor_in_errors_and_logs(nobody, caplog):
    config = Config(
        gateway=Settings(collectors=(nobody,)),
        redis=Redis(url=f"redis://:{SECRET}@127.0.0.1:6379/0"),
        notify=Notify(alertmanagers=(nobody,)),
    )
    client = Client(Gateway(config, reader=None))
    cli._log()
    with caplog.at_level(logging.INFO):
        answers = [
            client.get(f"/api/v1/{path}").text
            for path in (
                "status/config",
                "status/flags",
                "alertmanagers",
                "targets",
                "metadata",
                "scrape_pools",
            )
        ]
    assert all(SECRET not in each for each in [*answers, caplog.text])
    assert all("<secret>" in each for each in answers)
    shown = yaml.safe_load(client.get("/api/v1/status/config").json()["data"]["yaml"])
    assert shown["gateway"]["collectors"] == [nobody.replace(SECRET, "<secret>")]


def test_requests_with_a_password_are_not_logged(caplog):
    answer = json_response({"status": "success", "data": {"activeTargets": []}})
    cli._log()
    with serving(lambda _: answer) as url, caplog.at_level(logging.INFO):
        url = url.replace("://", f"://ann:{SECRET}@")
        client = Client(Gateway(Config(gateway=Settings(collectors=(url,))), reader=None))
        assert client.get("/api/v1/targets").status_code == 200
    assert SECRET not in caplog.text


def test_the_command_line_shows_no_password(nobody):
    with pytest.raises(QueryFailed) as failed:
        ask(nobody, "/api/v1/query", {"query": "1"}, 5)
    assert "://ann:<secret>@" in str(failed.value)
    with pytest.raises(OSError, match="<secret>") as refused:
        get_json(f"http://ann:{SECRET}@127.0.0.1")
    assert SECRET not in str(refused.value)
    with pytest.raises(ValueError, match="<secret>"):
        address(f"redis://:{SECRET}@host")


def test_a_faulty_file_shows_none_either(tmp_path):
    path = tmp_path / "streamgauge.yml"
    path.write_text(f"gateway:\n  collectors: ['http://ann:{SECRET}@host'\n  x: 1\n")
    with pytest.raises(InvalidFile) as refused:
        load(path, Config)
    assert SECRET not in str(refused.value)
