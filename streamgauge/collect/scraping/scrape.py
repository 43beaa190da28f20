"""Scraping targets, each on a loop of its own, so that a slow one holds up no other."""

import asyncio
import logging
from collections.abc import Callable
from time import perf_counter

import httpx

from streamgauge.collect.incoming.faults import SampleFault, Unavailable
from streamgauge.collect.incoming.metadata import Metadata
from streamgauge.collect.incoming.refusals import Refusals, Refused
from streamgauge.collect.intake import Decode, Intake
from streamgauge.collect.metrics import Metrics
from streamgauge.collect.producing.delivery import Delivery
from streamgauge.collect.scraping.exposition import InvalidExposition
from streamgauge.collect.scraping.fetch import FailedScrape, ScrapeFault, client, fetch
from streamgauge.collect.scraping.target_series import TargetSeries
from streamgauge.collect.scraping.targets import Target
from streamgauge.config import Config
from streamgauge.promql.syntax.literals import duration_text
from streamgauge.times import rfc3339

JITTER = 100
"""Timestamps are the planned ones if a scrape starts within an interval / JITTER of its plan."""

log = logging.getLogger(__name__)


class ScrapeLoop:
    """Scrapes one target at its offset in every interval; keeps the result of the last scrape."""

    def __init__(self, target: Target, scraper: "Scraper") -> None:
        self.target = target
        self._scraper = scraper
        self._series = TargetSeries(target)
        self.last_scrape: int | None = None
        self.last_seconds = 0.0
        self.last_error = ""
        self.last_refused: list[Refused] = []

    async def run(self, http: httpx.AsyncClient) -> None:
        """Scrape until cancelled, then mark the target's series stale."""
        interval, clock = self.target.interval, self._scraper.clock
        try:
            while True:
                now = clock()
                due = now + 1 + (self.target.offset - now - 1) % interval
                await asyncio.sleep((due - now) / 1000)
                now = clock()
                try:
                    await self.scrape(http, due if abs(now - due) <= interval // JITTER else now)
                except Exception as error:
                    # not even its failure could be handed in: the next scrape may, and others go on
                    self.last_error = str(self._unexpected(error))
        finally:
            await self._scraper.hand_in(lambda table: (self._series.ended(table, clock()), Refusals()))

    async def scrape(self, http: httpx.AsyncClient, time: int) -> None:
        """Scrape once and hand in the samples with the timestamp `time` (ms)."""
        scraper = self._scraper
        started = perf_counter()
        page, failure = b"", None
        try:
            page = await fetch(http, self.target, scraper.max_bytes)
        except FailedScrape as fault:
            failure = fault
        except Exception as error:
            failure = self._unexpected(error)
        seconds = perf_counter() - started
        if failure is None:
            try:
                await scraper.hand_in(
                    lambda table: (self._series.scraped(page, table, time, seconds), self._series.refused)
                )
                self._tell_refused(self._series.refused)
            except InvalidExposition as fault:
                failure = FailedScrape(ScrapeFault.BAD_PAGE, str(fault))
            except Exception as error:
                failure = self._unexpected(error)
        scraper.metrics.scrapes.labels(self.target.job).inc()
        scraper.metrics.scrape_seconds.labels(self.target.job).observe(seconds)
        self.last_scrape, self.last_seconds, self.last_error = time, seconds, str(failure or "")
        if failure is not None:
            scraper.metrics.scrape_errors.labels(self.target.job, failure.reason).inc()
            await scraper.hand_in(lambda table: (self._series.failed(table, time, seconds), Refusals()))

    @property
    def metadata(self) -> tuple[Metadata, ...]:
        """Metadata from the last good page."""
        return self._series.metadata

    def _tell_refused(self, refusals: Refusals) -> None:
        """Keep what was refused of the page for people; a log line when other reasons come."""
        reasons = {refused.reason for refused in refusals}
        if reasons - {refused.reason for refused in self.last_refused}:
            log.warning("samples refused: url=%s %s", self.target.url, "; ".join(map(str, refusals)))
        self.last_refused = [*refusals]

    def _unexpected(self, error: Exception) -> FailedScrape:
        log.exception("scrape failed: url=%s error=%r", self.target.url, error)
        return FailedScrape(ScrapeFault.UNEXPECTED, repr(error))

    def state(self) -> dict[str, object]:
        """This target in the shape of Prometheus's /api/v1/targets."""
        health = "unknown" if self.last_scrape is None else "down" if self.last_error else "up"
        return {
            "discoveredLabels": self.target.discovered,
            "labels": self.target.labels,
            "scrapePool": self.target.job,
            "scrapeUrl": self.target.url,
            "globalUrl": self.target.url,
            "lastError": self.last_error,
            "lastRefused": [str(refused) for refused in self.last_refused],
            "lastScrape": rfc3339(self.last_scrape or 0),
            "lastScrapeDuration": self.last_seconds,
            "health": health,
            "scrapeInterval": duration_text(self.target.interval),
            "scrapeTimeout": duration_text(self.target.timeout),
        }


class Scraper:
    """All targets of a collector.

    :param clock: gives ms, for timestamps; intervals pass in real time.
    """

    def __init__(
        self,
        config: Config,
        targets: list[Target],
        intake: Intake,
        clock: Callable[[], int],
        metrics: Metrics,
    ) -> None:
        self.intake = intake
        self.clock = clock
        self.metrics = metrics
        self.max_bytes = config.collector.max_body_bytes
        self.loops = [ScrapeLoop(target, self) for target in targets]
        self._waiting: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Scrape until cancelled; returns when the last stale markers are with Kafka."""
        try:
            async with client() as http, asyncio.TaskGroup() as tasks:
                for loop in self.loops:
                    tasks.create_task(loop.run(http))
        finally:
            await asyncio.gather(*self._waiting)

    async def hand_in(self, decode: Decode) -> None:
        """Hand in rows; those that Kafka does not accept are counted and lost, as the next scrape is near."""
        taken = await self.intake.take(decode, "scrape")
        task = asyncio.get_running_loop().create_task(self._watch(taken.delivery, taken.samples))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    async def _watch(self, delivery: Delivery, samples: int) -> None:
        try:
            await delivery.wait()
        except Unavailable as error:
            self.metrics.outages.labels(error.reason).inc()
            self.metrics.refused.labels(SampleFault.UNDELIVERED).inc(samples)
