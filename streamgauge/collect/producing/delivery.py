"""Waits until Kafka has acknowledged all batches with a sender's samples."""

import asyncio
import threading

from streamgauge.collect.incoming.faults import Unavailable


class Delivery:
    """Counts batches from queueing to acknowledgement. Made and settled in any thread, awaited in the event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._loop = loop or asyncio.get_running_loop()
        self._lock = threading.Lock()
        # one is held by whoever queues batches, so that it cannot end before the last is queued
        self._left = 1
        self._error: Unavailable | None = None
        self._done: asyncio.Future[None] = self._loop.create_future()

    async def wait(self) -> None:
        """Return when everything is acknowledged.

        :raises Unavailable: when something was not.
        """
        # many wait for one future: whoever gives up must not cancel it for the others
        await asyncio.shield(self._done)
        if self._error is not None:
            raise self._error

    def expect(self) -> None:
        """Count one more batch."""
        with self._lock:
            self._left += 1

    def settle(self, error: Unavailable | None = None) -> None:
        """Count one batch as acknowledged or failed; the one that queues settles once itself."""
        with self._lock:
            self._left -= 1
            self._error = self._error or error
            last = self._left == 0
        if last and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._done.set_result, None)
