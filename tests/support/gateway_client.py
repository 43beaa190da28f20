"""Asks the gateway's application directly."""

import asyncio

import httpx

from streamgauge.gateway.http.app import Gateway, application


class Client:
    """Of a gateway; each request gets an event loop of its own."""

    def __init__(self, gateway: Gateway, **parts) -> None:
        self._transport = httpx.ASGITransport(application(gateway))
        self._parts = parts

    def request(self, method: str, url: str, **parts) -> httpx.Response:
        async def ask():
            async with httpx.AsyncClient(
                transport=self._transport, base_url="http://gateway", **self._parts
            ) as client:
                return await client.request(method, url, **parts)

        return asyncio.run(ask())

    def get(self, url: str, **parts) -> httpx.Response:
        return self.request("GET", url, **parts)

    def raw(self, url: str, **parts) -> httpx.Response:
        """A response whose content is as it was sent."""

        async def ask():
            async with (
                httpx.AsyncClient(transport=self._transport, base_url="http://gateway") as client,
                client.stream("GET", url, **parts) as found,
            ):
                content = b"".join([part async for part in found.aiter_raw()])
                headers = [
                    (name, value) for name, value in found.headers.items() if name != "content-encoding"
                ]
                sent = httpx.Response(found.status_code, headers=headers, content=content)
                sent.headers.update(found.headers)
                return sent

        return asyncio.run(ask())
