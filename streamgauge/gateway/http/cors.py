"""CORS headers, as Prometheus sends them."""

import re2
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streamgauge.gateway.http.answering import API

EVERY_ORIGIN = ".*"
HEADERS = {
    "Access-Control-Allow-Headers": "Accept, Authorization, Content-Type, Origin",
    "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
    "Access-Control-Expose-Headers": "Date",
}


class Cors:
    """ASGI middleware for the API: responds to OPTIONS with 204 and adds CORS headers to every response.

    A browser asks with OPTIONS before it shows who asks, so this comes before authentication. No origin gets to use
    the credentials that a browser keeps.

    :param origins: a regex (RE2) that the whole of an `Origin` must match.
    """

    def __init__(self, app: ASGIApp, origins: str) -> None:
        self._app = app
        self._is_open = origins == EVERY_ORIGIN
        self._origins = re2.compile(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http" or not scope["path"].startswith(API):
            await self._app(scope, receive, send)
            return
        origin = Headers(scope=scope).get("origin", "")

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.add_vary_header("Origin")
                if origin:
                    headers.update(HEADERS | self._allowed(origin))
            await send(message)

        if scope["method"] == "OPTIONS":
            await Response(status_code=204)(scope, receive, sent)
        else:
            await self._app(scope, receive, sent)

    def _allowed(self, origin: str) -> dict[str, str]:
        if self._is_open:
            return {"Access-Control-Allow-Origin": "*"}
        is_allowed = self._origins.fullmatch(origin) is not None
        return {"Access-Control-Allow-Origin": origin} if is_allowed else {}
