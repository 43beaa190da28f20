"""How many passwords each address may try."""

import time
from collections.abc import Callable

from streamgauge.lru_cache import LruCache

AT_ONCE = 20
"""So many wrong ones an address may show one after the other."""
A_GUESS_S = 3.0
"""After which it may show one more."""
MOST_ADDRESSES = 10_000
"""That are remembered."""


class Guesses:
    """Counts the passwords that addresses have shown, and that were not the right ones. For one event loop.

    :param clock: seconds, of any origin.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._full_at: LruCache[str, float] = LruCache(MOST_ADDRESSES)
        """When each address may show AT_ONCE again."""

    def take(self, address: str) -> float:
        """Count a password that is to be checked; the seconds until another one is allowed, 0 if this one is."""
        now = self._clock()
        full_at = max(self._full_at.get(address) or now, now) + A_GUESS_S
        wait = full_at - now - AT_ONCE * A_GUESS_S
        if wait > 0:
            return wait
        self._full_at.put(address, full_at, 1)
        return 0.0

    def right(self, address: str) -> None:
        """The password was the right one, and no guess."""
        full_at = self._full_at.get(address)
        if full_at is not None:
            self._full_at.put(address, full_at - A_GUESS_S, 1)
