"""Rate limit for wrong passwords, by client address."""

import time
from collections.abc import Callable

from streamgauge.lru_cache import LruCache

AT_ONCE = 20
"""Wrong passwords in a row that an address may try."""
A_GUESS_S = 3.0
"""Time after which an address may try one more."""
MOST_ADDRESSES = 10_000
"""Addresses to remember."""


class Guesses:
    """Counts wrong passwords by address. For use on one event loop.

    :param clock: seconds, of any origin.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._full_at: LruCache[str, float] = LruCache(MOST_ADDRESSES)
        """Time at which each address may try AT_ONCE passwords again."""

    def take(self, address: str) -> float:
        """Count a password before its check; returns 0, or the seconds to wait if it is not allowed now."""
        now = self._clock()
        full_at = max(self._full_at.get(address) or now, now) + A_GUESS_S
        wait = full_at - now - AT_ONCE * A_GUESS_S
        if wait > 0:
            return wait
        self._full_at.put(address, full_at, 1)
        return 0.0

    def right(self, address: str) -> None:
        """Uncount a password that was right."""
        full_at = self._full_at.get(address)
        if full_at is not None:
            self._full_at.put(address, full_at - A_GUESS_S, 1)
