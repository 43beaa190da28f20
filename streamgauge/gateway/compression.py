"""Compresses responses with what the client takes: zstd, else gzip."""

import asyncio
from collections.abc import Callable, Iterator

import cramjam
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MIN_BYTES = 1024
"""Less is sent as it is."""
OFF_LOOP_BYTES = 64 * 1024
"""More is compressed in a thread, so that nobody waits for it."""
_LEVEL = 1


def _zstd(body: bytes) -> bytes:
    return bytes(cramjam.zstd.compress(body, level=_LEVEL))


def _gzip(body: bytes) -> bytes:
    return bytes(cramjam.gzip.compress(body, level=_LEVEL))


_CODINGS: dict[str, Callable[[bytes], bytes]] = {"zstd": _zstd, "gzip": _gzip}
"""The first is preferred."""


class Compression:
    """ASGI middleware for responses whose body comes in one piece; others pass through."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        coding = accepted(Headers(scope=scope).get("accept-encoding", ""))
        await self._app(scope, receive, _Sender(send, coding).send)


class _Sender:
    """Holds the start of a response back until its body is known."""

    def __init__(self, send: Send, coding: str | None) -> None:
        self._send = send
        self._coding = coding
        self._start: Message | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            return
        if self._start is not None:
            start, self._start = self._start, None
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                message = await self._compressed(MutableHeaders(raw=start["headers"]), message)
            await self._send(start)
        await self._send(message)

    async def _compressed(self, headers: MutableHeaders, message: Message) -> Message:
        body = message.get("body", b"")
        if len(body) < MIN_BYTES or "content-encoding" in headers:
            return message
        if "accept-encoding" not in headers.get("vary", "").lower():
            headers.add_vary_header("Accept-Encoding")
        if self._coding is None:
            return message
        compress = _CODINGS[self._coding]
        if len(body) > OFF_LOOP_BYTES:
            body = await asyncio.to_thread(compress, body)
        else:
            body = compress(body)
        headers["Content-Encoding"] = self._coding
        headers["Content-Length"] = str(len(body))
        return {**message, "body": body}


def accepted(header: str) -> str | None:
    """The coding that an Accept-Encoding likes best of those there are, None for none."""
    weights = dict(_weights(header))
    known = {coding: weights.get(coding, weights.get("*", 0.0)) for coding in _CODINGS}
    best = max(known, key=known.__getitem__)
    return best if known[best] > 0 else None


def _weights(header: str) -> Iterator[tuple[str, float]]:
    for part in header.lower().split(","):
        coding, _, weight = part.partition(";")
        try:
            yield coding.strip(), float(weight.strip().removeprefix("q=") or 1)
        except ValueError:
            continue
