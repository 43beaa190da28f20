"""Alerts as an Alertmanager takes them."""

import base64
import json
from contextlib import ExitStack

import pytest
from werkzeug import Response

from schemas import notified_messages
from schemas.notified_messages import Notified
from schemas.rule_messages import InvalidMessage
from streamgauge.notify.post import post, title
from streamgauge.notify.receiver import Alertmanager, SendFailed, Trouble
from tests.notify.changes import change
from tests.support.http_server import serving


def test_what_fires_ends_four_resend_delays_after_it_is_sent():
    fired = change(1_000, "firing", generator_url="http://g/graph", interval_ms=5000)
    assert post(fired, 600_500, 60_000, {"region": "eu", "instance": "other"}) == {
        "labels": {"alertname": "Down", "instance": "a", "region": "eu"},
        "annotations": {"summary": "a is down"},
        "startsAt": "1970-01-01T00:00:01.000Z",
        "endsAt": "1970-01-01T00:14:00.500Z",
        "generatorURL": "http://g/graph",
    }


def test_an_interval_longer_than_the_resend_delay_counts():
    assert (
        post(change(0, "firing", interval_ms=120_000), 0, 60_000, {})["endsAt"] == "1970-01-01T00:08:00.000Z"
    )


def test_what_is_resolved_ended_when_it_did_and_never_before_it_began():
    resolved = post(change(5_000, "resolved", starts_at=2_000), 900_000, 60_000, {})
    assert (resolved["startsAt"], resolved["endsAt"]) == (
        "1970-01-01T00:00:02.000Z",
        "1970-01-01T00:00:05.000Z",
    )
    odd = post(change(5_000, "resolved", starts_at=9_000), 900_000, 60_000, {})
    assert odd["startsAt"] == odd["endsAt"]
    assert "generatorURL" not in odd


def test_a_title_is_name_and_labels():
    assert title(change(1, "firing", "web:9100")) == 'Down{instance="web:9100"}'


def test_a_record_is_read_as_it_was_written(golden):
    record = Notified("id", 2000, [change(2000, "firing", "ü")], {"http://a": 1000, "http://b": -1})
    data = notified_messages.encode(record)
    assert notified_messages.decode(data) == record
    assert golden("notified-v1.json", data) == data


@pytest.mark.parametrize(
    "value", [b"", b"[]", b"{}", b"\xff", b'{"last_id":"a","last_tick":1,"changes":[{}],"seen":{}}']
)
def test_what_is_no_record_is_refused(value):
    with pytest.raises(InvalidMessage):
        notified_messages.decode(value)


def test_a_position_is_read_as_it_was_written():
    position = notified_messages.Position(7, 1_763_892_000_000)
    assert notified_messages.decode_position(notified_messages.encode_position(position)) == position
    assert notified_messages.decode_position(b'{"offset":7}') == (7, 0)
    for value in (b"", b"[]", b"{}", b'{"offset":null}', b'{"offset":1,"sent_at":"x"}'):
        with pytest.raises(InvalidMessage):
            notified_messages.decode_position(value)


class Server:
    """Answers every post with one code, and keeps what came."""

    def __init__(self, code):
        self.requests = []
        self._code = code

    def answer(self, request):
        self.requests.append((request.path, dict(request.headers), request.get_data()))
        return Response("said so", self._code)


@pytest.fixture
def serve():
    with ExitStack() as started:

        def start(code):
            server = Server(code)
            server.address = started.enter_context(serving(server.answer)).removeprefix("http://")
            return server

        yield start


def test_user_and_password_of_a_url_are_sent_and_shown_nowhere(serve):
    server = serve(200)
    receiver = Alertmanager(f"http://me:p%40ss@{server.address}/prefix/", None, 5)
    assert receiver.name == f"http://{server.address}/prefix"
    receiver.send([{"labels": {"a": "ü"}}])
    [(path, headers, body)] = server.requests
    assert path == "/prefix/api/v2/alerts"
    assert base64.b64decode(headers["Authorization"].removeprefix("Basic ")) == b"me:p@ss"
    assert json.loads(body) == [{"labels": {"a": "ü"}}]


def test_a_token_is_read_for_each_request(serve, tmp_path):
    server, file = serve(200), tmp_path / "token"
    receiver = Alertmanager(f"http://{server.address}", file, 5)
    with pytest.raises(SendFailed) as failed:
        receiver.send([])
    assert failed.value.reason is Trouble.NOT_ALLOWED
    for token in ("one", "two"):
        file.write_text(f"{token}\n")
        receiver.send([])
    assert [headers["Authorization"] for _, headers, _ in server.requests] == ["Bearer one", "Bearer two"]


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (400, Trouble.REFUSED),
        (422, Trouble.REFUSED),
        (401, Trouble.NOT_ALLOWED),
        (404, Trouble.SERVER_ERROR),
        (429, Trouble.BUSY),
        (503, Trouble.SERVER_ERROR),
    ],
)
def test_an_answer_tells_whether_to_try_again(serve, code, reason):
    with pytest.raises(SendFailed, match="said so") as failed:
        Alertmanager(f"http://{serve(code).address}", None, 5).send([])
    assert failed.value.reason is reason


def test_nobody_there_is_unreachable():
    with serving(Server(200).answer) as url:
        pass
    with pytest.raises(SendFailed) as failed:
        Alertmanager(url, None, 5).send([])
    assert failed.value.reason is Trouble.UNREACHABLE


@pytest.mark.parametrize("url", ["", "host:9093", "ftp://host", "http://", "http://host/?a=b"])
def test_what_is_no_url_is_refused(url):
    with pytest.raises(ValueError, match=r"expected http\(s\)://HOST:PORT"):
        Alertmanager(url, None, 5)
