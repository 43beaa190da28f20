"""The operator of the backfill job: writes raw parts from the batches that Kafka still holds."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from pyflink.common import Row, Types
from pyflink.datastream import KeyedProcessFunction, RuntimeContext

from operators.worker import restore_print
from schemas.units import MINUTE_MS
from streamgauge.config import Config
from streamgauge.rollup.pending_batches import PendingBatch, by_partition
from streamgauge.times import LAST_DATE_MS

if TYPE_CHECKING:
    from sinks.cassandra.minutes import Written

REPLAYED = Types.ROW_NAMED(
    ["lane", "minute", "samples", "changes"], [Types.INT(), Types.LONG(), Types.LONG(), Types.BOOLEAN()]
)
OPEN_MINUTES = 4
"""Maximum number of minutes of a lane to gather; later batches of a written minute become another part."""
WRITERS = 8
"""Parts that are written at a time: each has to wait for several writes, one after the other."""
PART_KEPT_MS = 6 * 3_600_000
"""Minimum lifetime of a replayed part, so that the live job can build from it."""


class ReplayMinutes(KeyedProcessFunction):
    """Keyed by lane, over a bounded range of Kafka; when all is read, a mark is stored for each minute.

    Everything is in memory: a replay that fails is run again from its beginning, and changes nothing twice.
    Yields each part that was written, with the lane's minute and how many samples it has.

    :param origin: the replay's name, in its marks. :param complete_from: from this minute (ms) on the range holds all
        that Kafka ever had. :param dry_run: nothing is written; `changes` says whether a minute would be another.
    """

    def __init__(self, config: Config, origin: str, complete_from: float, dry_run: bool) -> None:
        self._config = config
        self._origin = origin
        self._complete_from = complete_from
        self._dry_run = dry_run

    def open(self, _: RuntimeContext) -> None:
        restore_print()
        from sinks.cassandra.marks import MarkStore
        from sinks.cassandra.minutes import MinuteStore
        from streamgauge.store.session import connect

        self._session = connect(self._config.cassandra)
        self._store = MinuteStore(self._session, self._config)
        self._marks = MarkStore(self._session)
        self._writers = ThreadPoolExecutor(WRITERS)
        self._written: deque[tuple[int, int, Future[Written]]] = deque()
        self._lanes: dict[int, dict[int, list[PendingBatch]]] = {}
        self._replayed: dict[int, set[int]] = {}

    def close(self) -> None:
        self._writers.shutdown(cancel_futures=True)
        self._session.cluster.shutdown()

    def process_element(self, row: Row, context: KeyedProcessFunction.Context) -> Iterator[Row]:
        partition, offset, payload = row
        if not payload:
            return
        key = context.get_current_key()
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = {}
            # no message has this time, so it comes when the range has been read
            context.timer_service().register_event_time_timer(LAST_DATE_MS)
        minute = context.timestamp() // MINUTE_MS * MINUTE_MS
        lane.setdefault(minute, []).append(PendingBatch(partition, offset, payload))
        if len(lane) > OPEN_MINUTES:
            yield from self._replay(key, min(lane))

    def on_timer(self, _: int, context: KeyedProcessFunction.OnTimerContext) -> Iterator[Row]:
        key = context.get_current_key()
        for minute in sorted(self._lanes[key]):
            yield from self._replay(key, minute)
        yield from self._wait(0)
        if not self._dry_run:
            self._mark(key)

    def _replay(self, lane: int, minute: int) -> Iterator[Row]:
        waiting = self._lanes[lane].pop(minute)
        self._replayed.setdefault(lane, set()).add(minute)
        for batches in by_partition(waiting):
            if self._dry_run:
                written, changes = self._store.compare(lane, minute, batches)
                yield Row(lane, minute, written.samples, changes)
            else:
                yield from self._wait(WRITERS)
                write = self._store.late(lane, minute, batches, PART_KEPT_MS)
                self._written.append((lane, minute, self._writers.submit(write)))

    def _wait(self, most: int) -> Iterator[Row]:
        """Wait until no more parts than that are being written; what was written, in its order."""
        while len(self._written) > most:
            lane, minute, written = self._written.popleft()
            yield Row(lane, minute, written.result().samples, True)

    def _mark(self, lane: int) -> None:
        from schemas.tables import Resolution
        from streamgauge.rollup.marks import Mark

        marks = [
            Mark(Resolution.MIN1, minute, minute >= self._complete_from, self._origin)
            for minute in sorted(self._replayed[lane])
        ]
        for _ in self._writers.map(partial(self._marks.write, lane), marks):
            pass
