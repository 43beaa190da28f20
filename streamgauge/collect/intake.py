"""The path of samples to Kafka: decode, gather for a moment, cut into batches, acknowledge."""

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, ParamSpec, TypeVar

from schemas.limits import MAX_BATCH_SERIES
from streamgauge.collect.incoming.ages import Ages
from streamgauge.collect.incoming.faults import Unavailable
from streamgauge.collect.incoming.refusals import Refusals
from streamgauge.collect.incoming.rows import Rows, admit, within_batches
from streamgauge.collect.incoming.series_table import SeriesTable
from streamgauge.collect.metrics import Metrics
from streamgauge.collect.producing.batcher import batches
from streamgauge.collect.producing.delivery import Delivery
from streamgauge.collect.producing.producer import BatchProducer
from streamgauge.config import Config

MAX_GATHERED = 1_000_000
"""Samples that are gathered at most before they are handed on, however short the time."""

log = logging.getLogger(__name__)
P = ParamSpec("P")
R = TypeVar("R")


Decode = Callable[[SeriesTable], tuple[Rows, Refusals]]
"""Decodes samples, with ordinals of the table, and returns those refused so far."""


class Taken(NamedTuple):
    """Result of an intake: refused samples, number of accepted ones, and their delivery to Kafka."""

    refusals: Refusals
    samples: int
    delivery: Delivery


class Intake:
    """Gathers rows for `linger_ms`, or until lanes have about a batch's worth of series.

    Decoding, the series table and cutting belong to one thread, so that the event loop goes on beside the largest
    body: heartbeats above all, without which time stands still in the jobs. What it is given it does in that order.
    """

    def __init__(
        self, config: Config, producer: BatchProducer, clock: Callable[[], int], metrics: Metrics
    ) -> None:
        self._config = config
        self._producer = producer
        self._clock = clock
        self._metrics = metrics
        self._ages = Ages(config.storage_classes, config.class_rules)
        self._linger_s = config.collector.linger_ms / 1000
        self._thread = ThreadPoolExecutor(1, "intake")
        self._parts: list[Rows] = []
        self._runs = self._samples = 0
        self._since = 0.0
        self._delivery: Delivery | None = None
        self._table = self._new_table()
        metrics.known_series.set_function(lambda: len(self._table))

    async def take(self, decode: Decode, source: str) -> Taken:
        """Take samples in. :param decode: runs in the intake's thread."""
        return await self.run(self._take, asyncio.get_running_loop(), decode, source)

    async def run(self, step: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run a step in the intake's thread, behind all that it was given before."""
        return await asyncio.wrap_future(self._thread.submit(step, *args, **kwargs))

    async def close(self) -> None:
        """Flush gathered rows to Kafka and stop the intake."""
        await self.run(self._flush)
        self._thread.shutdown()

    def _take(self, loop: asyncio.AbstractEventLoop, decode: Decode, source: str) -> Taken:
        if self._table.full:
            self._flush()
            self._table = self._new_table()
            self._metrics.cache_restarts.inc()
        rows, refusals = decode(self._table)
        if self._producer.outage is not None:
            failed = Delivery(loop)
            failed.settle(Unavailable(self._producer.outage))
            return Taken(refusals, len(rows.timestamps), failed)
        rows = admit(rows, self._table, self._clock(), self._ages, refusals)
        rows = within_batches(rows, self._table, refusals)
        for refused in refusals:
            self._metrics.refused.labels(refused.reason).inc(refused.samples)
        self._metrics.samples.labels(source).inc(len(rows.timestamps))
        delivery = self._gather(loop, rows)
        return Taken(refusals, len(rows.timestamps), delivery)

    def _gather(self, loop: asyncio.AbstractEventLoop, rows: Rows) -> Delivery:
        if self._delivery is None:
            self._delivery = Delivery(loop)
            self._since = time.monotonic()
            loop.call_soon_threadsafe(loop.call_later, self._linger_s, self._end, self._delivery)
        delivery = self._delivery
        self._parts.append(rows)
        self._runs += len(rows.counts)
        self._samples += len(rows.timestamps)
        if (
            self._runs >= MAX_BATCH_SERIES * self._config.layout.lanes
            or self._samples >= MAX_GATHERED
            # the timer waits its turn behind requests that came before it ran out
            or time.monotonic() - self._since >= self._linger_s
        ):
            self._flush()
        return delivery

    def _end(self, delivery: Delivery) -> None:
        """The time of what is gathered for this delivery is over."""
        if self._delivery is delivery:
            self._thread.submit(self._flush, delivery)

    def _flush(self, only: Delivery | None = None) -> None:
        """Hand what was gathered to Kafka. :param only: unless it was gathered for another delivery."""
        if only is not None and self._delivery is not only:
            return
        delivery, self._delivery = self._delivery, None
        parts, self._parts, self._runs, self._samples = self._parts, [], 0, 0
        if delivery is not None:
            try:
                self._producer.send(batches(self._table, parts), delivery)
            except Exception:
                # the senders have been told by the delivery
                log.exception("batches not built: samples=%d", sum(len(rows.timestamps) for rows in parts))

    def _new_table(self) -> SeriesTable:
        return SeriesTable(self._config.layout.lanes, self._config.collector.max_series)
