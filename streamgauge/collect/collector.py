"""The collector: everything between its HTTP interface and Kafka."""

import asyncio
import logging
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from math import nan
from pathlib import Path

from streamgauge.collect.incoming.faults import Outage
from streamgauge.collect.incoming.metadata import Metadata, WrittenMetadata
from streamgauge.collect.intake import Intake
from streamgauge.collect.metrics import Metrics
from streamgauge.collect.producing.broker_disks import BrokerDisks
from streamgauge.collect.producing.producer import DELIVERY_TIMEOUT_MS, BatchProducer
from streamgauge.collect.scraping.scrape import Scraper
from streamgauge.collect.scraping.targets import read_targets
from streamgauge.collect.warm import warm
from streamgauge.config import Config
from streamgauge.times import now_ms

log = logging.getLogger(__name__)


class Collector:
    """Receives and scrapes samples and puts them on `metrics.raw`.

    :param clock: gives ms; `sent`, heartbeats, the limit on future samples and scrapes' timestamps follow it.
    :raises InvalidFile: for a scrape configuration that does not say what it must.
    """

    def __init__(self, config: Config, clock: Callable[[], int] = now_ms) -> None:
        self.config = config
        self.clock = clock
        self.metrics = Metrics()
        self.held_bytes = 0
        self.written_metadata = WrittenMetadata()
        file = config.collector.scrape_config
        targets = read_targets(file) if file else []
        self._producer = BatchProducer(config, clock, self.metrics)
        self.intake = Intake(config, self._producer, clock, self.metrics)
        self.scraper = Scraper(config, targets, self.intake, clock, self.metrics)
        self._broker_disks = BrokerDisks(config.kafka, self.metrics)
        self.metrics.held_bytes.set_function(lambda: self.held_bytes)
        for path in config.collector.disks or (config.local.home,):
            self.metrics.disk_usage.labels(str(path)).set_function(partial(_used_pct, path))

    @property
    def outage(self) -> Outage | None:
        """Why samples cannot be taken now, if so."""
        return self._producer.outage

    def metadata(self) -> set[Metadata]:
        """Return metric metadata from scrapes and from remote write.

        Called in the intake's thread.
        """
        # targets of the same kind share what was read of their pages
        pages = {id(loop.metadata): loop.metadata for loop in self.scraper.loops}
        return set(self.written_metadata.all()).union(*pages.values())

    @asynccontextmanager
    async def running(self, on_failure: Callable[[], object] = lambda: None) -> AsyncIterator[None]:
        """Scrape and produce; on the way out, hand all that was taken in to Kafka.

        The error of scraping or producing is raised on the way out.

        :param on_failure: called when one of them has ended with an error; the caller must end then.
        """
        warm(self.config.layout.lanes, self.clock())
        producing = asyncio.create_task(self._producer.run())
        scraping = asyncio.create_task(self.scraper.run())
        looking = asyncio.create_task(self._broker_disks.run())

        def ended(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and (error := task.exception()) is not None:
                log.error("collector failed: error=%r", error)
                on_failure()

        for task in (producing, scraping, looking):
            task.add_done_callback(ended)
        async with AsyncExitStack() as ending:
            # last in, first out, and each whether or not another raised
            ending.push_async_callback(asyncio.to_thread, self._producer.stop, DELIVERY_TIMEOUT_MS / 1000 + 1)
            ending.push_async_callback(_cancelled, producing)
            ending.push_async_callback(_cancelled, looking)
            ending.push_async_callback(self.intake.close)
            ending.push_async_callback(_cancelled, scraping)
            yield


def _used_pct(path: Path) -> float:
    """How full the disk of a path is, in percent of what its users may have; NaN for what is not there."""
    try:
        found = shutil.disk_usage(path)
    except OSError:
        return nan
    return 100 * found.used / (found.used + found.free)


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled() and (error := task.exception()) is not None:
        raise error
