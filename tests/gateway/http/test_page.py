"""The page's files as the gateway serves them; integration/gateway/test_page.py looks at the page in a browser."""

import asyncio
import gzip
import re
from pathlib import Path

import httpx
import pytest
from setuptools import Distribution
from setuptools.config.pyprojecttoml import apply_configuration

from streamgauge.config import Config
from streamgauge.config import Flink as Settings
from streamgauge.gateway.http.app import Gateway, application
from streamgauge.gateway.http.page import VIEWS, assets
from streamgauge.local.servers.ports import free_ports

ROOT = Path(__file__).parents[3]
MOST_BYTES = 300_000


class Unreachable:
    """A reader whose store does not answer in time."""

    @property
    def blocks(self):
        return self

    def progress(self, _, reading):
        reading.deadline = 0
        reading.left_s()


class Client:
    """Asks the application directly."""

    def __init__(self, gateway):
        self._transport = httpx.ASGITransport(application(gateway))

    def get(self, path, **parts):
        async def ask():
            async with httpx.AsyncClient(transport=self._transport, base_url="http://gateway") as client:
                return await client.get(path, **parts)

        return asyncio.run(ask())


@pytest.fixture(scope="module")
def client():
    flink = Settings(rest=f"http://127.0.0.1:{free_ports(1)[0]}")
    return Client(Gateway(Config(flink=flink), reader=Unreachable()))


@pytest.mark.parametrize("path", ["", *VIEWS])
def test_every_view_is_the_page(client, path):
    response = client.get(f"/{path}")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert "assets/app.js" in response.text


def test_only_what_the_gateway_serves_may_run(client):
    policies, nonces = set(), set()
    for _ in range(2):
        response = client.get("/graph")
        policy = response.headers["content-security-policy"]
        nonce = re.search(r"'nonce-([\w-]{20,})'", policy)[1]
        assert set(re.findall(r'nonce="([^"]*)"', response.text)) == {nonce}
        nonces.add(nonce)
        policies.add(policy.replace(nonce, ""))
        assert response.headers["cache-control"] == "no-store"
    assert len(nonces) == 2
    (policy,) = policies
    assert policy.startswith("default-src 'none'; script-src 'self'; ")
    assert "unsafe" not in policy
    assert "*" not in policy


def test_the_page_names_no_other_host_and_nothing_from_the_root(client):
    links = re.findall(r'(?:src|href)="([^"]*)"', client.get("/").text)
    assert len(links) == 3
    assert all(re.fullmatch(r"assets/[\w.]+", link) for link in links)


@pytest.mark.parametrize("name", sorted(assets()))
def test_a_file_is_packed_and_sent_once(client, name):
    expected = assets()[name].content
    plain = client.get(f"/assets/{name}", headers={"accept-encoding": "identity"})
    packed = client.get(f"/assets/{name}", headers={"accept-encoding": "gzip"})
    assert plain.content == packed.content == expected
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert plain.headers["x-content-type-options"] == "nosniff"
    again = client.get(f"/assets/{name}", headers={"if-none-match": plain.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_a_file_that_is_none_is_not_found(client):
    for name in ("other.js", "..%2f..%2fapp.py", "__init__.py"):
        assert client.get(f"/assets/{name}").status_code == 404


def test_all_of_it_is_small():
    loaded = [each for name, each in assets().items() if name != "LICENSES.txt"]
    assert sum(len(each.packed) for each in loaded) < MOST_BYTES
    assert all(gzip.decompress(each.packed) == each.content for each in loaded)


def test_licences_of_what_is_bundled_come_with_it():
    text = assets()["LICENSES.txt"].content.decode()
    for name in ("@codemirror/view", "@prometheus-io/codemirror-promql", "preact", "uplot"):
        assert re.search(rf"^{name} \d", text, re.MULTILINE)


def test_it_is_in_the_wheel(monkeypatch):
    monkeypatch.chdir(ROOT)
    distribution = apply_configuration(Distribution(), ROOT / "pyproject.toml")
    # only what pyproject.toml names, whatever is committed
    distribution.include_package_data = False
    command = distribution.get_command_obj("build_py")
    command.ensure_finalized()
    packed = {
        name for package, _, _, names in command.data_files for name in names if package.endswith("gateway")
    }
    assert {Path(name).name for name in packed} == set(assets())


def test_jobs_are_told_with_who_does_not_answer(client):
    response = client.get("/api/v1/status/jobs")
    assert response.status_code == 200
    document = response.json()
    assert document["data"] == {"jobs": None, "progress": None}
    flink, store = document["warnings"]
    assert flink.startswith("Flink does not answer: ")
    assert store.startswith("the store does not answer: ")
