"""The gateway's application over a board that is given, asked directly."""

import asyncio

import httpx

from streamgauge.config import Config
from streamgauge.gateway.api.rules import Rules
from streamgauge.gateway.http.app import Gateway, application
from streamgauge.rules.applied.board import Board


class KnownBoard:
    """Knows what a test says, as what follows Kafka does. trouble: why it may be old. is_read: whether it is there."""

    def __init__(self, board: Board, trouble: str = "", is_read: bool = True) -> None:
        self.board = board
        self.trouble = trouble
        self.is_read = is_read

    def wait(self, _timeout_s: float) -> bool:
        return self.is_read

    def see(self, look):
        return look(self.board)


class RulesClient:
    """Asks for rules and alerts at a time in ms."""

    def __init__(self, known: KnownBoard, now: int) -> None:
        gateway = Gateway(Config(), reader=None)
        gateway.rules = Rules(known, lambda: now, 0)
        self._transport = httpx.ASGITransport(application(gateway))

    def get(self, path: str) -> tuple[int, dict]:
        """The status and the JSON of a path."""

        async def ask():
            async with httpx.AsyncClient(transport=self._transport, base_url="http://gateway") as client:
                return await client.get(path)

        found = asyncio.run(ask())
        return found.status_code, found.json()
