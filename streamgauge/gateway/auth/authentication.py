"""Authentication of every request, except on the paths for monitoring the gateway."""

import asyncio
import base64
import binascii
import ipaddress
import re
from concurrent.futures import ThreadPoolExecutor
from math import ceil

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from streamgauge.gateway.auth.accounts import Accounts, User
from streamgauge.gateway.auth.guesses import Guesses
from streamgauge.gateway.formats import prometheus_json as answer
from streamgauge.gateway.request.faults import ErrorType
from streamgauge.gateway.request.pools import FairSemaphore, retrieve
from streamgauge.gateway.request.principals import Principal

OPEN = frozenset({"/-/healthy", "/-/ready", "/metrics"})
"""Paths that need no authentication: health checks and metrics."""
USER_HEADERS = ("x-scope-orgid", "x-grafana-user")
"""Headers that name the user of a request, as Grafana sends them."""
DASHBOARD_HEADER = "x-dashboard-uid"
"""With which Grafana says that a panel asks, and which."""
MAX_NAME = 128
NETWORK_BITS = 64
"""Of an IPv6 address."""
MOST_CHECKS = 32
"""Passwords that may wait to be checked, 60 ms each; beyond that one of each address."""
MOST_ADDRESSES = 1000
"""Addresses that may wait then."""
_CREDENTIALS = re.compile(r"(basic|bearer) +(\S+) *", re.IGNORECASE | re.ASCII)


class Authentication:
    """ASGI middleware that puts an `Principal` into the request's state.

    Without accounts everybody may ask, and is known by a header or by their address. With accounts the headers count
    for nothing, but of those who ask for others.

    A password is checked once and remembered. Those that are not known yet wait, some at a time, by turns of the
    addresses that they come from; an address that shows many wrong ones has to wait longer.
    """

    def __init__(self, app: ASGIApp, accounts: Accounts | None) -> None:
        self._app = app
        self._accounts = accounts
        # whoever guesses passwords waits for one another, and holds up nobody else
        self._checking = ThreadPoolExecutor(1, "password")
        self._turns = FairSemaphore(1)
        self._guesses = Guesses()
        self._under_way: dict[tuple[str, str, str], asyncio.Future[tuple[str, User] | None]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        principal: Principal | None = Principal()
        if scope["path"] not in OPEN:
            try:
                principal = await self._principal(_address(scope), headers)
            except _TooManyGuesses as refused:
                await _refused(
                    scope["path"],
                    ErrorType.TOO_MANY_REQUESTS,
                    "too many password checks, try again later",
                    {"Retry-After": str(ceil(refused.wait_s))},
                )(scope, receive, send)
                return
        if principal is None:
            await _unauthorized(scope["path"])(scope, receive, send)
            return
        is_dashboard = DASHBOARD_HEADER in headers
        scope.setdefault("state", {})["principal"] = principal._replace(is_dashboard=is_dashboard)
        await self._app(scope, receive, send)

    async def _principal(self, address: str, headers: Headers) -> Principal | None:
        if self._accounts is None:
            return Principal(_header_name(headers) or address, source=address)
        found = await self._user(self._accounts, headers.get("authorization", ""), address)
        if found is None:
            return None
        name, user = found
        other = _header_name(headers) if user.asks_for_others else ""
        return Principal(f"{name}/{other}" if other else name, user.enforced, source=name)

    async def _user(self, accounts: Accounts, header: str, address: str) -> tuple[str, User] | None:
        shown = _CREDENTIALS.fullmatch(header)
        if shown is None:
            return None
        kind, content = shown[1].lower(), shown[2]
        if kind == "bearer":
            return accounts.by_token(content)
        try:
            pair = base64.b64decode(content, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return None
        name, colon, password = pair.partition(":")
        if not colon:
            return None
        verdict = accounts.recalled(name, password)
        if verdict:
            return verdict.user
        # requests that show the same at the same time, as a dashboard's do, are one guess
        shown_now = name, password, address
        check = self._under_way.get(shown_now)
        if check is None:
            check = asyncio.ensure_future(self._check(accounts, name, password, address))
            self._under_way[shown_now] = check
            check.add_done_callback(lambda _: self._under_way.pop(shown_now))
            check.add_done_callback(retrieve)
        return await asyncio.shield(check)

    async def _check(
        self, accounts: Accounts, name: str, password: str, address: str
    ) -> tuple[str, User] | None:
        """Whose password it is that was not shown before.

        :raises _TooManyGuesses: if this address, or all together, show too many.
        """
        waiting = self._turns.waiting
        if waiting >= MOST_ADDRESSES or (waiting >= MOST_CHECKS and self._turns.waits(address)):
            raise _TooManyGuesses(1.0)
        if wait_s := self._guesses.take(address):
            raise _TooManyGuesses(wait_s)
        await self._turns.enter(address)
        try:
            loop = asyncio.get_running_loop()
            found = await loop.run_in_executor(self._checking, accounts.by_password, name, password)
        finally:
            self._turns.leave()
        if found is not None:
            self._guesses.right(address)
        return found


class _TooManyGuesses(Exception):
    def __init__(self, wait_s: float) -> None:
        super().__init__(wait_s)
        self.wait_s = wait_s


def _address(scope: Scope) -> str:
    """Where a request comes from: of IPv6 the network, for whoever has one address has all of these."""
    client = scope.get("client")
    if not client:
        return ""
    try:
        address = ipaddress.ip_address(client[0])
    except ValueError:
        return str(client[0])
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((int(address), NETWORK_BITS), strict=False))


def _header_name(headers: Headers) -> str:
    return "/".join(headers[name][:MAX_NAME] for name in USER_HEADERS if headers.get(name))


def _unauthorized(path: str) -> Response:
    detail = "authentication required: use Basic credentials or a bearer token"
    headers = {"WWW-Authenticate": 'Basic realm="streamgauge", charset="UTF-8"'}
    return _refused(path, ErrorType.UNAUTHORIZED, detail, headers)


def _refused(path: str, reason: ErrorType, detail: str, headers: dict[str, str]) -> Response:
    if not path.startswith("/api/"):
        return PlainTextResponse(f"{detail}\n", reason.status, headers)
    document = answer.error(reason.value, detail)
    return Response(document.encode(), reason.status, headers, media_type="application/json")
