"""Bytes of any length in Flink's state, without Flink: see `group_output`."""

from collections.abc import Iterable
from typing import Protocol

PIECE_BYTES = 1024 * 1024
"""What one row of the state has at most."""


class State(Protocol):
    """A map of Flink's state, at the key that is being looked at."""

    def items(self) -> Iterable[tuple[str, bytes]]:
        """All rows."""
        ...

    def put(self, key: str, value: bytes) -> None:
        """Write a row."""
        ...

    def remove(self, key: str) -> None:
        """Forget a row."""
        ...

    def clear(self) -> None:
        """Forget all rows."""
        ...


class Pieces:
    """Data by identity in Flink's state, in pieces: no row of it is to be larger than one."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._counts: dict[str, int] = {}
        """Of what takes more than one, whatever the key."""

    def read(self) -> dict[str, bytes]:
        """All that was put."""
        found: dict[str, dict[int, bytes]] = {}
        for key, piece in self._state.items():
            identity, _, at = key.partition("/")
            found.setdefault(identity, {})[int(at or 0)] = piece
        self._counts |= {identity: len(own) for identity, own in found.items() if len(own) > 1}
        return {identity: b"".join(own[at] for at in sorted(own)) for identity, own in found.items()}

    def put(self, identity: str, data: bytes | None) -> None:
        """Keep data, or nothing; what the key has was read before."""
        count = 0 if data is None else max(1, -(-len(data) // PIECE_BYTES))
        for at in range(count):
            self._state.put(_piece(identity, at), (data or b"")[at * PIECE_BYTES : (at + 1) * PIECE_BYTES])
        for at in range(count, self._counts.pop(identity, 1)):
            self._state.remove(_piece(identity, at))
        if count > 1:
            self._counts[identity] = count

    def clear(self) -> None:
        """Forget all that the key has."""
        self._state.clear()


def _piece(identity: str, at: int) -> str:
    return f"{identity}/{at}" if at else identity
