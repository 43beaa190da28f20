"""Clients that go away at any point of a request: the servers go on, and their logs have no traceback of it."""

import json
import socket
import struct
import time
from urllib.parse import urlencode

import httpx
import pytest

from integration.support.stored import wait_for
from streamgauge.gateway.http.pages import PAGES

pytestmark = pytest.mark.usefixtures("own_collector")
FORM = "application/x-www-form-urlencoded"


def _begin(address, method, path, body, kind, share):
    """A connection over which a share of a request has been sent."""
    host, port = address.rsplit(":", 1)
    head = f"{method} {path} HTTP/1.1\r\nHost: {address}\r\n"
    if body is not None:
        head += f"Content-Type: {kind}\r\nContent-Encoding: snappy\r\nContent-Length: {len(body)}\r\n"
    request = f"{head}\r\n".encode() + (body or b"")
    connection = socket.create_connection((host, int(port)), timeout=90)
    connection.sendall(request[: int(len(request) * share)])
    return connection


def _reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def _hang_up(address, *request):
    """Before the request is whole, at once after it, a little later, and while the answer comes."""
    for share, waits in ((0.5, str), (0.99, str), (1, str), (1, lambda: time.sleep(0.02))):
        for leave in (_reset, socket.socket.close):
            connection = _begin(address, *request, share)
            waits()
            leave(connection)
    connection = _begin(address, *request, 1)
    connection.recv(1)
    _reset(connection)


class _Log:
    """The log of a process from now on."""

    def __init__(self, stack, name):
        self._file = stack.home.logs / f"{name}.log"
        self._begin = self._file.stat().st_size

    def complaints(self):
        """Lines of tracebacks, and those of asyncio about errors that nobody took."""
        with self._file.open("rb") as file:
            # the supervisor cuts a log that is too long
            file.seek(self._begin if self._file.stat().st_size >= self._begin else 0)
            lines = file.read().decode(errors="replace").splitlines()
        return [line for line in lines if "Traceback" in line or "never retrieved" in line]


def _complaints_in_the_end(log, address):
    """After what was abandoned has ended: a query that is asked now has waited for its turn."""
    wait_for(lambda: httpx.get(f"http://{address}/-/ready", timeout=30).is_success, 90)
    time.sleep(2)
    return log.complaints()


def test_the_gateway_says_nothing_of_clients_that_go_away(stack, config):
    log = _Log(stack, "gateway")
    now = time.time()
    asked = {"query": "rate({job=~'.+'}[5m])", "match[]": "{job=~'.+'}", "step": "5"}
    asked |= {"start": str(now - 3600), "end": str(now)}
    described = httpx.get(f"http://{config.gateway.listen}/api/v1/openapi.json").json()["paths"]
    form = urlencode(asked)
    for path, methods in described.items():
        filled = path.replace("{name}", "job")
        for method in methods.keys() & {"get", "post"}:
            request = (f"{filled}?{form}", None) if method == "get" else (filled, form.encode())
            _hang_up(config.gateway.listen, method.upper(), *request, FORM)
    for page in PAGES:
        _hang_up(config.gateway.listen, "GET", page.path, None, "")
    _hang_up(config.gateway.listen, "POST", "/api/v1/read", b"x" * 1000, "application/x-protobuf")
    assert _complaints_in_the_end(log, config.gateway.listen) == []


def test_the_collector_says_nothing_of_clients_that_go_away(stack, config):
    log = _Log(stack, "collector")
    sample = {"metric": "hang_up", "labels": {}, "timestamp": int(time.time() * 1000), "value": 1.0}
    pushed = json.dumps([sample] * 1000).encode()
    _hang_up(config.collector.listen, "POST", "/api/v1/push", pushed, "application/json")
    _hang_up(config.collector.listen, "POST", "/api/v1/write", b"x" * 1000, "application/x-protobuf")
    for path in (
        "/",
        "/metrics",
        "/-/ready",
        "/api/v1/targets",
        "/api/v1/targets/metadata",
        "/api/v1/metadata",
    ):
        _hang_up(config.collector.listen, "GET", path, None, "")
    assert _complaints_in_the_end(log, config.collector.listen) == []
