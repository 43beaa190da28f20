"""Whoever is redirected where something is posted, or a password travels, fails and says so: nobody else is asked."""

import asyncio
from urllib.error import HTTPError

import pytest
from werkzeug import Response

from streamgauge.clients.flink_rest import FlinkRest
from streamgauge.clients.no_redirects import get_json
from streamgauge.collect.scraping import fetch
from streamgauge.collect.scraping.targets import Target
from streamgauge.gateway.api.collectors import Collectors
from streamgauge.gateway.request.faults import InvalidRequest
from streamgauge.gateway.request.parameters import Form
from streamgauge.notify.receiver import Alertmanager, SendFailed, Trouble
from streamgauge.query.client import QueryFailed, ask
from streamgauge.store.reading import ReadContext
from tests.support.http_server import serving

CODES = (301, 302, 303, 307, 308)


class Servers:
    """One that redirects everything to another with `code`, and what the other was asked."""

    url = other = ""
    code = 302

    def __init__(self):
        self.asked = []

    def answer(self, request):
        self.asked.append((request.method, request.headers.get("Authorization")))
        return Response("{}")

    def redirect(self, _):
        location = self.other.replace("127.0.0.1", "localhost") + "/login"
        return Response(status=self.code, headers={"Location": location})


@pytest.fixture(scope="module")
def both():
    found = Servers()
    with serving(found.answer) as found.other, serving(found.redirect) as found.url:
        yield found


@pytest.fixture(params=CODES)
def servers(both, request):
    both.code = request.param
    both.asked.clear()
    yield both
    assert both.asked == []


def with_password(url):
    return url.replace("://", "://user:secret@")


def fetched(url):
    target = Target(
        job="j",
        url=f"{url}/metrics",
        interval=1000,
        timeout=5000,
        labels={},
        external={},
        honor_labels=False,
        honor_timestamps=True,
    )

    async def run():
        async with fetch.client() as http:
            return await fetch.fetch(http, target, 1000)

    return asyncio.run(run())


def test_alerts_are_not_delivered(servers):
    with pytest.raises(
        SendFailed, match=r"redirects to 'http://localhost.*redirects are not followed"
    ) as failed:
        Alertmanager(with_password(servers.url), None, 5).send([{"labels": {}}])
    assert failed.value.reason is Trouble.SERVER_ERROR


def test_a_query_has_no_answer(servers):
    with pytest.raises(QueryFailed, match=r"redirects to 'http://localhost.*redirects are not followed"):
        ask(with_password(servers.url), "/api/v1/query", {"query": "up"})


def test_a_collector_does_not_answer(servers):
    with pytest.raises(InvalidRequest, match="redirects are not followed"):
        Collectors([with_password(servers.url)]).targets(Form(""), ReadContext())


def test_a_target_with_a_password_is_down(servers):
    with pytest.raises(fetch.FailedScrape, match="a target with a password must not redirect"):
        fetched(with_password(servers.url))


def test_flink_is_not_told_and_does_not_answer(servers):
    rest = FlinkRest(servers.url)
    with pytest.raises(HTTPError):
        rest.cancel("job")
    with pytest.raises(HTTPError):
        rest._post("/jobs/job/stop", {})
    with pytest.raises(HTTPError):
        get_json(f"{servers.url}/jobs")


def test_a_target_without_a_password_may_redirect_as_with_prometheus(both):
    both.asked.clear()
    assert fetched(both.url) == b"{}"
    assert both.asked == [("GET", None)]
