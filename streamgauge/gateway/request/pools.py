"""Thread pools for requests, separate so that one kind never starves another, with limits per user."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

from streamgauge.gateway.request.askers import Asker
from streamgauge.gateway.request.flights import retrieve
from streamgauge.gateway.request.turns import Turns, Users
from streamgauge.store.reading import Reading

Found = TypeVar("Found")


class Limits:
    """Concurrency limits per user and per source. For one event loop.

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
    """A thread pool that users share fairly. For one event loop.

    :param limits: may be those of other pools too. :param session: what they read with, None for the reader's own.
    """

    def __init__(self, name: str, threads: int, limits: Limits, session: Any = None) -> None:
        self.name = name
        self.turns = Turns(threads)
        self._threads = ThreadPoolExecutor(threads, name)
        self._limits = limits
        self._session = session

    async def run(self, asker: Asker, look: Callable[[Reading], Found], reading: Reading) -> Found:
        """Run a function in a thread of the pool.

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
