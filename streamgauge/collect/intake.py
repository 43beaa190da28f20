"""The way of samples to Kafka: gathered for a moment, cut into batches, acknowledged."""

import asyncio
from collections.abc import Callable

from schemas.limits import MAX_BATCH_SERIES
from streamgauge.collect.ages import Ages
from streamgauge.collect.batcher import batches
from streamgauge.collect.delivery import Delivery
from streamgauge.collect.faults import Unavailable
from streamgauge.collect.metrics import Metrics
from streamgauge.collect.producer import BatchProducer
from streamgauge.collect.refusals import Refusals
from streamgauge.collect.rows import Rows, admit
from streamgauge.collect.series_table import SeriesTable
from streamgauge.config import Config


class Intake:
    """Gathers rows for `linger_ms`, or until lanes have about a batch's worth of series.

    All calls come from the event loop.
    """

    def __init__(
        self, config: Config, producer: BatchProducer, clock: Callable[[], int], metrics: Metrics
    ) -> None:
        self._config = config
        self._producer = producer
        self._clock = clock
        self._metrics = metrics
        self._ages = Ages(config.storage_classes, config.class_rules)
        self._parts: list[Rows] = []
        self._runs = 0
        self._delivery: Delivery | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._table = self._new_table()
        metrics.known_series.set_function(lambda: len(self._table))

    def table(self) -> SeriesTable:
        """The table whose ordinals `add` takes now."""
        if self._table.full:
            self.flush()
            self._table = self._new_table()
            self._metrics.cache_restarts.inc()
        return self._table

    def add(self, table: SeriesTable, rows: Rows, source: str, refusals: Refusals) -> Delivery:
        """Take rows in; gives what to wait for until Kafka has them.

        :param table: whose ordinals they are: what `table()` gave, with no `await` since.
        :param refusals: what was refused already; what is refused here is added, and all is counted.
        :raises Unavailable: if Kafka cannot be reached at all.
        """
        if table is not self._table:
            raise RuntimeError("rows of a table that has been replaced")
        if self._producer.outage is not None:
            raise Unavailable(self._producer.outage)
        rows = admit(rows, table, self._clock(), self._ages, refusals)
        for refused in refusals:
            self._metrics.refused.labels(refused.reason).inc(refused.samples)
        self._metrics.samples.labels(source).inc(len(rows.timestamps))
        if self._delivery is None:
            self._delivery = Delivery()
            linger = self._config.collector.linger_ms / 1000
            self._timer = asyncio.get_running_loop().call_later(linger, self.flush)
        delivery = self._delivery
        self._parts.append(rows)
        self._runs += len(rows.counts)
        if self._runs >= MAX_BATCH_SERIES * self._config.layout.lanes:
            self.flush()
        return delivery

    def flush(self) -> None:
        """Hand what was gathered to Kafka now."""
        if self._timer is not None:
            self._timer.cancel()
        delivery, self._delivery, self._timer = self._delivery, None, None
        parts, self._parts, self._runs = self._parts, [], 0
        if delivery is not None:
            self._producer.send(batches(self._table, parts), delivery)

    def _new_table(self) -> SeriesTable:
        return SeriesTable(self._config.layout.lanes, self._config.collector.max_series)
