"""A collector in the test's own process, on the stack's Kafka."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable

import httpx

from streamgauge.collect.app import application
from streamgauge.collect.collector import Collector
from streamgauge.config import Config
from streamgauge.times import now_ms

DEADLINE_S = 60


def named(config: Config, name: str, **changes: object) -> Config:
    """The configuration with a collector of this name."""
    collector = config.collector.model_copy(update={"name": name, **changes})
    return config.model_copy(update={"collector": collector})


@contextlib.asynccontextmanager
async def collecting(config: Config, clock: Callable[[], int] = now_ms) -> AsyncIterator[httpx.AsyncClient]:
    """A collector that runs, and a client of its application."""
    collector = Collector(config, clock)
    transport = httpx.ASGITransport(application(collector))
    async with collector.running(), httpx.AsyncClient(transport=transport, base_url="http://c") as http:
        deadline = time.monotonic() + DEADLINE_S
        while (await http.get("/-/ready")).status_code != 200:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)
        yield http
