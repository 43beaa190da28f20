"""Response bodies in pieces, which are neither copied nor sent as a whole."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

PIECE_BYTES = 256 * 1024
SEND_S = 60.0
"""Time that a client may take for one piece; all pieces stay in memory until they are sent."""


class Body:
    """UTF-8 or other bytes in pieces. held: keeps their share of the memory as long as they live."""

    def __init__(self, pieces: Sequence[bytes], held: object = None) -> None:
        self.pieces = pieces
        self.size = sum(map(len, pieces))
        self._held = held

    def __str__(self) -> str:
        return b"".join(self.pieces).decode()


def gathered(parts: Iterable[str | bytes], hold: Callable[[int], None]) -> list[bytes]:
    """Join parts to pieces of about `PIECE_BYTES`. hold: called with the number of bytes so far."""

    def pieces() -> Iterator[bytes]:
        small = bytearray()
        for part in parts:
            # a label value that is not UTF-8 comes as surrogates
            small += part.encode(errors="replace") if isinstance(part, str) else part
            if len(small) >= PIECE_BYTES:
                yield bytes(small)
                small.clear()
        yield bytes(small)

    found = []
    size = 0
    for piece in pieces():
        size += len(piece)
        hold(size)
        found.append(piece)
    return found


class InPieces(Response):
    """A response that sends its body piece by piece."""

    def __init__(
        self, body: Body, media_type: str | None = None, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(
            None, headers={**(headers or {}), "content-length": str(body.size)}, media_type=media_type
        )
        self._content = body

    async def __call__(self, _: Scope, __: Receive, send: Send) -> None:
        """Send it.

        :raises TimeoutError: if the client does not take it.
        """
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        *first, last = self._content.pieces or [b""]
        for piece in first:
            async with asyncio.timeout(SEND_S):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": last, "more_body": False})
