"""Thread pools for requests, separate so that one kind never starves another, with limits per user.

Those who wait take turns by user, nobody has too many at once, and identical requests at the same time are answered by
one run.
"""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from streamgauge.gateway.request.faults import ErrorType, InvalidRequest
from streamgauge.gateway.request.principals import Principal
from streamgauge.store.reading import ReadContext

RETRY_AFTER_S = 1


class FairSemaphore:
    """A semaphore that serves waiting users in turn. For one event loop."""

    def __init__(self, slots: int) -> None:
        self._free = slots
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @property
    def waiting(self) -> int:
        """How many wait."""
        return sum(map(len, self._waiting.values()))

    def waits(self, user: str) -> bool:
        """Whether somebody waits for this user."""
        return user in self._waiting

    async def enter(self, user: str) -> None:
        """Wait for a slot, and take it; `leave` gives it back."""
        if self._free:
            self._free -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(user, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                # the slot came just when nobody wanted it any more
                self.leave()
            self._forget(user, turn)
            raise

    def leave(self) -> None:
        """Release a slot to the next waiting user."""
        while self._waiting:
            user, queue = self._waiting.popitem(last=False)
            turn = queue.popleft()
            if queue:
                self._waiting[user] = queue
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1

    def _forget(self, user: str, turn: asyncio.Future[None]) -> None:
        queue = self._waiting.get(user)
        if queue is not None and turn in queue:
            queue.remove(turn)
            if not queue:
                del self._waiting[user]


class TooManyAtOnce(InvalidRequest):
    """A user, or an address, has as many queries as allowed."""

    def __init__(self, whose: str, most: int) -> None:
        super().__init__(
            ErrorType.TOO_MANY_REQUESTS,
            f"too many concurrent queries {whose}, at most {most} are allowed",
        )


class UserConcurrency:
    """Lets no user have more than `most` queries at once. For one event loop.

    :param patience_s: so long one more waits for another to end before it is refused. :param whose: in that refusal.
    """

    def __init__(self, most: int, patience_s: float, whose: str = "of this user") -> None:
        self._whose = whose
        self._most = most
        self._patience_s = patience_s
        self._turns: dict[str, tuple[FairSemaphore, int]] = {}

    async def enter(self, user: str) -> None:
        """Count a query, which `leave` ends.

        :raises TooManyAtOnce: if the user has too many, and goes on having them.
        """
        turns, known = self._turns.get(user, (FairSemaphore(self._most), 0))
        self._turns[user] = turns, known + 1
        try:
            async with asyncio.timeout(self._patience_s):
                await turns.enter(user)
        except TimeoutError:
            self._one_less(user)
            raise TooManyAtOnce(self._whose, self._most) from None
        except asyncio.CancelledError:
            self._one_less(user)
            raise

    def leave(self, user: str) -> None:
        """A query has ended."""
        self._turns[user][0].leave()
        self._one_less(user)

    def _one_less(self, user: str) -> None:
        turns, known = self._turns[user]
        if known == 1:
            del self._turns[user]
        else:
            self._turns[user] = turns, known - 1


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


class SingleFlight(Generic[T]):
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


Found = TypeVar("Found")


class Limits:
    """Concurrency limits per user and per source. For one event loop.

    :param sources: accounts and addresses.
    """

    def __init__(self, users: UserConcurrency, sources: UserConcurrency) -> None:
        self._users = users
        self._sources = sources

    async def enter(self, principal: Principal) -> None:
        """Count a request, which `leave` ends.

        :raises TooManyAtOnce: for a user or a source that has too many.
        """
        await self._users.enter(principal.name)
        try:
            await self._sources.enter(principal.source)
        except BaseException:
            self._users.leave(principal.name)
            raise

    def leave(self, principal: Principal) -> None:
        """A request has ended."""
        self._sources.leave(principal.source)
        self._users.leave(principal.name)


class Pool:
    """A thread pool that users share fairly. For one event loop.

    :param limits: may be those of other pools too. :param session: what they read with, None for the reader's own.
    """

    def __init__(self, name: str, threads: int, limits: Limits, session: Any = None) -> None:
        self.name = name
        self.turns = FairSemaphore(threads)
        self._threads = ThreadPoolExecutor(threads, name)
        self._limits = limits
        self._session = session

    async def run(
        self, principal: Principal, look: Callable[[ReadContext], Found], reading: ReadContext
    ) -> Found:
        """Run a function in a thread of the pool.

        If it is not waited for any longer its reading ends; its thread is free, and counts no more, once it has
        noticed.

        :raises TooManyAtOnce: for a user or a source that has too many. Whatever the function raises.
        """
        await self._limits.enter(principal)
        try:
            await self.turns.enter(principal.name)
        except BaseException:
            self._limits.leave(principal)
            raise
        reading.session = self._session
        loop = asyncio.get_running_loop()

        def leave() -> None:
            self.turns.leave()
            self._limits.leave(principal)

        def ended(_: Future[Found]) -> None:
            # a loop that has been closed counts nothing any more
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(leave)

        work = self._threads.submit(look, reading)
        work.add_done_callback(ended)
        found = asyncio.wrap_future(work)
        try:
            return await asyncio.shield(found)
        except asyncio.CancelledError:
            reading.stop()
            found.add_done_callback(retrieve)
            raise
