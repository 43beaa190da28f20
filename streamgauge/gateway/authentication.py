"""Who asks: found out before anything else, for every path but a few."""

import asyncio
import base64
import binascii
import re
from concurrent.futures import ThreadPoolExecutor

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from streamgauge.gateway import prometheus_json as answer
from streamgauge.gateway.accounts import Accounts, User
from streamgauge.gateway.askers import Asker
from streamgauge.gateway.faults import ErrorType

OPEN = frozenset({"/-/healthy", "/-/ready", "/metrics"})
"""For those who watch over the gateway."""
USER_HEADERS = ("x-scope-orgid", "x-grafana-user")
"""Which user a request comes from, as Grafana and its kin say it."""
DASHBOARD_HEADER = "x-dashboard-uid"
"""With which Grafana says that a panel asks, and which."""
MAX_NAME = 128
_CREDENTIALS = re.compile(r"(basic|bearer) +(\S+) *", re.IGNORECASE | re.ASCII)


class Authentication:
    """ASGI middleware that puts an `Asker` into the request's state.

    Without accounts everybody may ask, and is known by a header or by their address.
    """

    def __init__(self, app: ASGIApp, accounts: Accounts | None) -> None:
        self._app = app
        self._accounts = accounts
        # whoever guesses passwords waits for one another, and holds up nobody else
        self._checking = ThreadPoolExecutor(1, "password")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        asker: Asker | None = Asker()
        if scope["path"] not in OPEN:
            asker = _named(scope, headers) if self._accounts is None else await self._known(headers)
        if asker is None:
            await _unauthorized(scope["path"])(scope, receive, send)
            return
        is_dashboard = DASHBOARD_HEADER in headers
        scope.setdefault("state", {})["asker"] = asker._replace(is_dashboard=is_dashboard)
        await self._app(scope, receive, send)

    async def _known(self, headers: Headers) -> Asker | None:
        found = await self._user(headers.get("authorization", ""))
        if found is None:
            return None
        name, user = found
        other = _header_name(headers) if user.asks_for_others else ""
        return Asker(f"{name}/{other}" if other else name, user.enforced)

    async def _user(self, header: str) -> tuple[str, User] | None:
        shown = _CREDENTIALS.fullmatch(header)
        if shown is None or self._accounts is None:
            return None
        kind, content = shown[1].lower(), shown[2]
        if kind == "bearer":
            return self._accounts.by_token(content)
        try:
            pair = base64.b64decode(content, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return None
        name, colon, password = pair.partition(":")
        if not colon:
            return None
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._checking, self._accounts.by_password, name, password)


def _named(scope: Scope, headers: Headers) -> Asker:
    client = scope.get("client")
    return Asker(_header_name(headers) or (client[0] if client else ""))


def _header_name(headers: Headers) -> str:
    return "/".join(headers[name][:MAX_NAME] for name in USER_HEADERS if headers.get(name))


def _unauthorized(path: str) -> Response:
    headers = {"WWW-Authenticate": 'Basic realm="streamgauge", charset="UTF-8"'}
    status = ErrorType.UNAUTHORIZED.status
    detail = "who asks has to be shown: with a user and password, or a bearer token"
    if not path.startswith("/api/"):
        return PlainTextResponse(f"{detail}\n", status, headers)
    document = answer.error(ErrorType.UNAUTHORIZED.value, detail)
    return Response(document.encode(), status, headers, media_type="application/json")
