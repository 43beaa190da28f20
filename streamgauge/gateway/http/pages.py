"""Endpoints beside the JSON API: metrics, health, federation, remote read and the OpenAPI document."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from streamgauge.gateway.api.federation import content_type
from streamgauge.gateway.formats import remote_read_messages
from streamgauge.gateway.formats.bodies import Body, InPieces
from streamgauge.gateway.http import page
from streamgauge.gateway.http.answering import REMOTE_READ, body_of, form_of, while_connected
from streamgauge.gateway.request.parameters import Form

if TYPE_CHECKING:
    from streamgauge.gateway.http.app import Gateway

Handler = Callable[["Gateway", Request], Awaitable[Response]]


class Page(NamedTuple):
    """A path and its handler."""

    path: str
    answer: Handler
    method: str = "GET"


async def _federate(gateway: "Gateway", request: Request) -> Response:
    kind, as_utf8 = content_type(request.headers.get("accept", ""))
    form = await form_of(request)
    look = partial(gateway.federation.page, form, as_utf8=as_utf8)
    found, _ = await while_connected(request, gateway.read(form, look))
    assert isinstance(found.data, Body)
    return InPieces(found.data, headers={"content-type": kind})


async def _read(gateway: "Gateway", request: Request) -> Response:
    asked = await asyncio.to_thread(remote_read_messages.queries, await body_of(request))
    form = Form("", principal=request.state.principal)
    look = partial(gateway.remote_read.answer, asked, form.principal)
    found, _ = await while_connected(request, gateway.read(form, look))
    headers = {"content-type": "application/x-protobuf", "content-encoding": "snappy"}
    return InPieces(found, headers=headers)


async def _described(gateway: "Gateway", _: Request) -> Response:
    return Response(gateway.description, media_type="application/json")


async def _metrics(gateway: "Gateway", _: Request) -> Response:
    content = await asyncio.to_thread(gateway.exposition)
    return Response(content, headers={"content-type": CONTENT_TYPE_LATEST})


async def _healthy(_: "Gateway", __: Request) -> Response:
    return PlainTextResponse("Streamgauge gateway is healthy.\n")


async def _ready(gateway: "Gateway", _: Request) -> Response:
    await gateway.ready()
    return PlainTextResponse("Streamgauge gateway is ready.\n")


PAGES = (
    Page("/federate", _federate),
    Page(REMOTE_READ, _read, "POST"),
    Page("/api/v1/openapi.json", _described),
    Page("/metrics", _metrics),
    Page("/-/healthy", _healthy),
    Page("/-/ready", _ready),
    *(Page(path, answer) for path, answer in page.PAGES),
)
