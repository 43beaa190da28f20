"""Concurrent identical requests share one execution."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")
JOINABLE_S = 1.0
"""Age up to which an execution may be joined; an older one may have read outdated data."""


def retrieve(future: "asyncio.Future[Any]") -> None:
    """Retrieve the error of a finished task, or asyncio logs it when nobody awaits the task."""
    if not future.cancelled():
        future.exception()


@dataclass(slots=True)
class _Flight(Generic[T]):
    task: "asyncio.Task[T]"
    began: float
    waiting: int = 0


class Flights(Generic[T]):
    """Executions in progress by their key, on one event loop.

    :param joined: is told of every request that waits for the run of another. :param clock: seconds, of any origin.
    """

    def __init__(
        self, joined: Callable[[], None] = lambda: None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._flights: dict[Hashable, _Flight[T]] = {}
        self._joined = joined
        self._clock = clock

    async def run(self, key: Hashable, start: Callable[[], Awaitable[T]]) -> T:
        """Return the result of `start`, or join a recent execution with the same key.

        Whoever is cancelled stops waiting; the run goes on for the others, and ends with the last of them.
        """
        flight = self._flights.get(key)
        if flight is None or self._clock() - flight.began > JOINABLE_S:
            flight = self._begin(key, start)
        else:
            self._joined()
        flight.waiting += 1
        try:
            return await asyncio.shield(flight.task)
        finally:
            flight.waiting -= 1
            if not flight.waiting and not flight.task.done():
                self._forget(key, flight)
                flight.task.cancel()

    def _begin(self, key: Hashable, start: Callable[[], Awaitable[T]]) -> _Flight[T]:
        async def answer() -> T:
            return await start()

        flight = self._flights[key] = _Flight(asyncio.create_task(answer()), self._clock())

        def ended(task: "asyncio.Task[T]") -> None:
            self._forget(key, flight)
            retrieve(task)

        flight.task.add_done_callback(ended)
        return flight

    def _forget(self, key: Hashable, flight: _Flight[T]) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]
