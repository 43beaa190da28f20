"""Compresses responses with zstd or gzip, as the client accepts."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import cramjam
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MIN_BYTES = 1024
"""Less is sent as it is."""
ON_LOOP_BYTES = 64 * 1024
"""Larger pieces are compressed in a thread, to keep the event loop responsive."""
_LEVEL = 1


def _zstd() -> Any:
    return cramjam.zstd.Compressor(level=_LEVEL)


def _gzip() -> Any:
    return cramjam.gzip.Compressor(level=_LEVEL)


_CODINGS: dict[str, Callable[[], Any]] = {"zstd": _zstd, "gzip": _gzip}
"""The first is preferred."""


class Compression:
    """ASGI middleware: a response is compressed as its pieces come, unless it is short."""

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
    """Holds the start of a response back until the first piece of its body is known."""

    def __init__(self, send: Send, coding: str | None) -> None:
        self._send = send
        self._coding = coding
        self._start: Message | None = None
        self._packer: Any = None

    async def send(self, message: Message) -> None:
        if message["type"] != "http.response.body":
            self._start = message
            return
        start, self._start = self._start, None
        if start is not None:
            self._begin(MutableHeaders(raw=start["headers"]), message)
        if self._packer is not None:
            message = {**message, "body": await self._packed(message)}
        if start is not None:
            headers = MutableHeaders(raw=start["headers"])
            if self._packer is not None and not message.get("more_body", False):
                headers["Content-Length"] = str(len(message["body"]))
            await self._send(start)
        await self._send(message)

    def _begin(self, headers: MutableHeaders, first: Message) -> None:
        """Compress what follows, if that is worth it and the client takes it."""
        is_whole = not first.get("more_body", False)
        if (is_whole and len(first.get("body", b"")) < MIN_BYTES) or "content-encoding" in headers:
            return
        if "accept-encoding" not in headers.get("vary", "").lower():
            headers.add_vary_header("Accept-Encoding")
        if self._coding is None:
            return
        self._packer = _CODINGS[self._coding]()
        headers["Content-Encoding"] = self._coding
        # how long it will be is known when all of it is
        del headers["Content-Length"]

    async def _packed(self, message: Message) -> bytes:
        body, packer = message.get("body", b""), self._packer

        def pack() -> bytes:
            packer.compress(body)
            return bytes(packer.flush() if message.get("more_body", False) else packer.finish())

        return pack() if len(body) <= ON_LOOP_BYTES else await asyncio.to_thread(pack)


def accepted(header: str) -> str | None:
    """Return the preferred supported coding of an Accept-Encoding, or None."""
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
