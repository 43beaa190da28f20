"""What is told of what is set aside: a sample of each kind, in a size that the topic takes whatever came in."""

import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from schemas.batches.batch import InvalidBatch
from schemas.limits import MAX_REJECTED_BYTES

BURST = 10
"""So many messages of a kind at once, and then one a second."""
MAX_HEADER_BYTES = 1000
"""Of a header or the key: both come from outside."""
KINDS = 1000
"""Reasons and producers that are told apart: producers' names come from outside."""


class Sampling:
    """Lets a message of each kind through a second, after a burst; remembers how many it held back since the last."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kinds: dict[tuple[str, str], tuple[float, float, int]] = {}

    def take(self, reason: str, producer: str) -> int | None:
        """How many of its kind were held back before a message that may go; None for one that is held back."""
        kind = reason, producer
        if kind not in self._kinds and len(self._kinds) >= KINDS:
            kind = reason, ""
        now = self._clock()
        allowance, last, held_back = self._kinds.get(kind, (float(BURST), now, 0))
        allowance = min(float(BURST), allowance + now - last)
        if allowance < 1:
            self._kinds[kind] = allowance, now, held_back + 1
            return None
        self._kinds[kind] = allowance - 1, now, 0
        return held_back


class Rejected(NamedTuple):
    """A message of `metrics.rejected`."""

    key: bytes | None
    payload: bytes | None
    headers: dict[str, bytes]


def message(
    fault: InvalidBatch, place: Mapping[str, str], key: bytes | None, payload: bytes | None, held_back: int
) -> Rejected:
    """What tells of something that was set aside.

    :param place: headers that say where it came from.
    :param held_back: of how many others of its kind nothing was told before.
    """
    headers = {"reason": fault.reason.value, "detail": fault.detail, **place}
    if held_back:
        headers["held_back"] = str(held_back)
    if key and len(key) > MAX_HEADER_BYTES:
        headers["key_truncated_from"] = str(len(key))
        key = key[:MAX_HEADER_BYTES]
    if payload and len(payload) > MAX_REJECTED_BYTES:
        headers["truncated_from"] = str(len(payload))
        payload = payload[:MAX_REJECTED_BYTES]
    return Rejected(
        key,
        payload,
        {name: text.encode(errors="replace")[:MAX_HEADER_BYTES] for name, text in headers.items()},
    )
