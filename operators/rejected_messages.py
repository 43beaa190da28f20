"""Messages of `metrics.rejected`: a sample of each kind of rejected input, bounded in size."""

import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from schemas.batches.batch import InvalidBatch
from schemas.limits import MAX_REJECTED_BYTES

BURST = 10
"""Burst of messages of a kind; then one per second."""
MAX_HEADER_BYTES = 1000
"""Of a header or the key: both come from outside."""
KINDS = 1000
"""Maximum number of kinds (reason and producer); names of producers come from outside."""


class Sampling:
    """Passes a burst of messages of each kind, then one per second; counts the suppressed ones."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kinds: dict[tuple[str, str], tuple[float, float, int]] = {}

    def take(self, reason: str, producer: str) -> int | None:
        """Return the number suppressed before a message that passes; None for a suppressed one."""
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
    """Encode a message about rejected input.

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
