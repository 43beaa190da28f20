"""Where requests run: in pools of threads, so that one kind never starves the other, within limits of who asks.

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

from streamgauge.gateway.request.askers import Asker
from streamgauge.gateway.request.faults import ErrorType, InvalidRequest
from streamgauge.store.reading import Reading

RETRY_AFTER_S = 1


class Turns:
    """Lets so many work at once. Of those who wait, each user in turn gets one in. For one event loop."""

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
        """Give a slot back, to the next user who waits."""
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


class Users:
    """Lets no user have more than `most` queries at once. For one event loop.

    :param patience_s: so long one more waits for another to end before it is refused. :param whose: in that refusal.
    """

    def __init__(self, most: int, patience_s: float, whose: str = "of this user") -> None:
        self._whose = whose
        self._most = most
        self._patience_s = patience_s
        self._turns: dict[str, tuple[Turns, int]] = {}

    async def enter(self, user: str) -> None:
        """Count a query, which `leave` ends.

        :raises TooManyAtOnce: if the user has too many, and goes on having them.
        """
        turns, known = self._turns.get(user, (Turns(self._most), 0))
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
"""A run that began longer ago may have read what has changed since: a request then begins another."""


def retrieve(future: "asyncio.Future[Any]") -> None:
    """Take the error of what has ended: nobody may be left to be told, and asyncio logs what nobody has taken."""
    if not future.cancelled():
        future.exception()


@dataclass(slots=True)
class _Flight(Generic[T]):
    task: "asyncio.Task[T]"
    began: float
    waiting: int = 0


class Flights(Generic[T]):
    """Runs by what they answer, in one event loop.

    :param joined: is told of every request that waits for the run of another. :param clock: seconds, of any origin.
    """

    def __init__(
        self, joined: Callable[[], None] = lambda: None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._flights: dict[Hashable, _Flight[T]] = {}
        self._joined = joined
        self._clock = clock

    async def run(self, key: Hashable, start: Callable[[], Awaitable[T]]) -> T:
        """What `start` gives, or what the run gives that another request with the same key has just begun.

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
    """What each user, and each source, may have at once. For one event loop.

    :param sources: accounts and addresses.
    """

    def __init__(self, users: Users, sources: Users) -> None:
        self._users = users
        self._sources = sources

    async def enter(self, asker: Asker) -> None:
        """Count a request, which `leave` ends.

        :raises TooManyAtOnce: for a user or a source that has too many.
        """
        await self._users.enter(asker.name)
        try:
            await self._sources.enter(asker.source)
        except BaseException:
            self._users.leave(asker.name)
            raise

    def leave(self, asker: Asker) -> None:
        """A request has ended."""
        self._sources.leave(asker.source)
        self._users.leave(asker.name)


class Pool:
    """So many threads, which users take turns to get. For one event loop.

    :param limits: may be those of other pools too. :param session: what they read with, None for the reader's own.
    """

    def __init__(self, name: str, threads: int, limits: Limits, session: Any = None) -> None:
        self.name = name
        self.turns = Turns(threads)
        self._threads = ThreadPoolExecutor(threads, name)
        self._limits = limits
        self._session = session

    async def run(self, asker: Asker, look: Callable[[Reading], Found], reading: Reading) -> Found:
        """What a function finds in a thread of the pool.

        If it is not waited for any longer its reading ends; its thread is free, and counts no more, once it has
        noticed.

        :raises TooManyAtOnce: for a user or a source that has too many. Whatever the function raises.
        """
        await self._limits.enter(asker)
        try:
            await self.turns.enter(asker.name)
        except BaseException:
            self._limits.leave(asker)
            raise
        reading.session = self._session
        loop = asyncio.get_running_loop()

        def leave() -> None:
            self.turns.leave()
            self._limits.leave(asker)

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
