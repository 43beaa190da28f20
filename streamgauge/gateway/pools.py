"""Where queries run: in pools of threads, each with a session of its own, so that one kind never starves the other."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

from streamgauge.gateway.askers import Asker
from streamgauge.gateway.turns import Turns, Users
from streamgauge.store.reading import Reading

Found = TypeVar("Found")


class Pool:
    """So many threads, which users take turns to get. session: what they read with, None for the reader's own."""

    def __init__(self, name: str, threads: int, session: Any = None) -> None:
        self.name = name
        self.turns = Turns(threads)
        self.threads = ThreadPoolExecutor(threads, name)
        self.session = session


class Pools:
    """Runs what reads the store, within what each user, and each source, may have at once. For one event loop.

    :param sources: accounts and addresses.
    """

    def __init__(self, users: Users, sources: Users) -> None:
        self._users = users
        self._sources = sources

    async def run(
        self, pool: Pool, asker: Asker, look: Callable[[Reading], Found], reading: Reading
    ) -> Found:
        """What a function finds in a thread of a pool.

        If it is not waited for any longer its reading ends; its thread is free, and counts no more, once it has
        noticed.

        :raises TooManyAtOnce: for a user or a source that has too many. Whatever the function raises.
        """
        await self._enter(asker)
        try:
            await pool.turns.enter(asker.name)
        except BaseException:
            self._leave(asker)
            raise
        reading.session = pool.session
        loop = asyncio.get_running_loop()

        def leave() -> None:
            pool.turns.leave()
            self._leave(asker)

        def ended(_: Future[Found]) -> None:
            # a loop that has been closed counts nothing any more
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(leave)

        work = pool.threads.submit(look, reading)
        work.add_done_callback(ended)
        try:
            return await asyncio.shield(asyncio.wrap_future(work))
        except asyncio.CancelledError:
            reading.stop()
            raise

    async def _enter(self, asker: Asker) -> None:
        await self._users.enter(asker.name)
        try:
            await self._sources.enter(asker.source)
        except BaseException:
            self._users.leave(asker.name)
            raise

    def _leave(self, asker: Asker) -> None:
        self._sources.leave(asker.source)
        self._users.leave(asker.name)
