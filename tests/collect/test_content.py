"""What the headers of pushed and written samples must say."""

import asyncio

import httpx
import pytest

from streamgauge.collect.app import application
from streamgauge.collect.collector import Collector
from streamgauge.collect.incoming.faults import InvalidRequest, RequestFault
from streamgauge.collect.receive.content import check_origin, check_pushed, check_written
from streamgauge.config import Config

HOST = {"host": "127.0.0.1:9481"}


@pytest.mark.parametrize(
    ("check", "content"),
    [
        (check_pushed, {"content-type": "application/json"}),
        (check_pushed, {"content-type": "Application/JSON; charset=utf-8"}),
        (check_pushed, {"content-type": "application/x-ndjson"}),
        (check_written, {}),
        (check_written, {"content-type": "application/x-protobuf", "content-encoding": "snappy"}),
        (check_written, {"content-type": 'application/x-protobuf; proto="prometheus.WriteRequest"'}),
        (check_origin, HOST),
        (check_origin, HOST | {"origin": "http://127.0.0.1:9481"}),
        (check_origin, {"host": "Collector:1", "origin": "https://collector:1"}),
    ],
)
def test_what_says_what_it_is_is_taken(check, content):
    check(content)


@pytest.mark.parametrize(
    ("check", "content", "reason"),
    [
        (check_pushed, {}, RequestFault.UNSUPPORTED_TYPE),
        (check_pushed, {"content-type": "text/plain"}, RequestFault.UNSUPPORTED_TYPE),
        (check_pushed, {"content-type": "text/plain; application/json"}, RequestFault.UNSUPPORTED_TYPE),
        (check_pushed, {"content-type": "application/x-www-form-urlencoded"}, RequestFault.UNSUPPORTED_TYPE),
        (check_pushed, {"content-type": "application/jsonx"}, RequestFault.UNSUPPORTED_TYPE),
        (check_written, {"content-type": "application/json"}, RequestFault.UNSUPPORTED_TYPE),
        (check_written, {"content-type": "text/plain"}, RequestFault.UNSUPPORTED_TYPE),
        (
            check_written,
            {"content-type": "application/x-protobuf;proto=io.prometheus.write.v2.Request"},
            RequestFault.UNSUPPORTED_VERSION,
        ),
        (
            check_written,
            {"content-type": "application/x-protobuf;proto=other"},
            RequestFault.UNSUPPORTED_TYPE,
        ),
        (check_written, {"content-encoding": "gzip"}, RequestFault.UNSUPPORTED_ENCODING),
        (check_origin, HOST | {"origin": "http://evil.example"}, RequestFault.FOREIGN_ORIGIN),
        (check_origin, HOST | {"origin": "null"}, RequestFault.FOREIGN_ORIGIN),
        (check_origin, HOST | {"origin": "http://["}, RequestFault.FOREIGN_ORIGIN),
        (check_origin, HOST | {"origin": ""}, RequestFault.FOREIGN_ORIGIN),
        # another port is another origin
        (check_origin, HOST | {"origin": "http://127.0.0.1:9480"}, RequestFault.FOREIGN_ORIGIN),
        (check_origin, HOST | {"origin": "http://127.0.0.1:9481@evil.example"}, RequestFault.FOREIGN_ORIGIN),
    ],
)
def test_what_does_not_is_refused_with_the_reason(check, content, reason):
    with pytest.raises(InvalidRequest) as refused:
        check(content)
    assert refused.value.reason is reason


@pytest.mark.parametrize(
    ("path", "headers", "status", "reason"),
    [
        ("push", {"content-type": "text/plain"}, 415, "unsupported_content_type"),
        ("push", {"content-type": "application/json", "origin": "http://evil"}, 403, "foreign_origin"),
        ("write", {"content-type": "text/plain"}, 415, "unsupported_content_type"),
        ("write", {"content-encoding": "zstd"}, 415, "unsupported_content_encoding"),
        ("write", {"origin": "http://evil"}, 403, "foreign_origin"),
    ],
)
def test_the_collector_refuses_them_and_counts_why(path, headers, status, reason):
    collector = Collector(Config())
    transport = httpx.ASGITransport(application(collector))

    async def ask():
        async with httpx.AsyncClient(transport=transport, base_url="http://collector") as client:
            content = b'{"metric": "m", "value": 1}'
            refused = await client.post(f"/api/v1/{path}", content=content, headers=headers)
            # nor does it agree when a browser asks whether it may
            asked = await client.options(f"/api/v1/{path}", headers={"origin": "http://evil"})
            return refused, asked, (await client.get("/metrics")).text

    refused, asked, metrics = asyncio.run(ask())
    assert (refused.status_code, refused.text.partition(":")[0]) == (status, reason)
    assert asked.status_code == 405
    assert not any(name.startswith("access-control-") for name in asked.headers)
    assert f'streamgauge_collector_request_faults_total{{reason="{reason}"}} 1.0' in metrics
