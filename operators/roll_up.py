"""The second operator of the rollup job: every level above the samples, for the first time and again."""

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from pyflink.common import Row
from pyflink.datastream import KeyedProcessFunction, RuntimeContext, TimeDomain

from operators.worker import expose_zero, restore_print
from schemas.units import MINUTE_MS
from streamgauge.config import Config
from streamgauge.garbage import freeze_heap
from streamgauge.times import now_ms

if TYPE_CHECKING:
    from schemas.tables import Resolution
    from sinks.cassandra.rebuild import Outcome
    from streamgauge.rollup.lane_levels import LaneLevels
    from streamgauge.rollup.marks import Mark

log = logging.getLogger(__name__)

LOAD_EVERY_MS = 10_000
"""Interval of looking for a replay's marks in the store."""


class RollUp(KeyedProcessFunction):
    """Keyed by lane; takes the closed minutes.

    A lane is sealed minute by minute; coarser buckets are built when they end. A minute with a late part is
    marked, in the store, before its lane is sealed further, and so is every coarser bucket that is closed and has
    changed below. Nothing is kept in Flink's state: progress and marks in the store say all that is to be done.
    """

    def __init__(self, config: Config) -> None:
        self._config = config

    def open(self, context: RuntimeContext) -> None:
        restore_print()
        from schemas.tables import ROLLED, Resolution
        from sinks.cassandra.marks import MarkStore
        from sinks.cassandra.rebuild import Outcome, Rebuilder
        from streamgauge.store.progress import ProgressStore
        from streamgauge.store.session import connect

        self._session = connect(self._config.cassandra)
        self._progress = ProgressStore(self._session)
        # no other worker writes the progress of this one's lanes
        self._begun = {level: self._progress.read(level) for level in ROLLED}
        self._marks = MarkStore(self._session)
        self._rebuilder = Rebuilder(self._session, self._config.shards, self._config.storage_classes, now_ms)
        self._lanes: dict[int, LaneLevels] = {}
        self._woken: dict[int, int] = {}
        self._loaded: dict[int, int] = {}
        counters = context.get_metrics_group()
        self._seals = counters.counter("seals")
        self._builds = counters.counter("builds")
        self._damaged = counters.counter("damaged_builds")
        self._kept_ms = max(kept.retention_ms[Resolution.RAW] for kept in self._config.storage_classes)
        self._rebuilds = {outcome: counters.counter(f"rebuilds_{outcome.value}") for outcome in Outcome}
        freeze_heap()

    def close(self) -> None:
        self._session.cluster.shutdown()

    def process_element(self, row: Row, context: KeyedProcessFunction.Context) -> None:
        from schemas.tables import Resolution
        from streamgauge.rollup.marks import Mark

        key, minute, late = row
        lane = self._lane(key)
        timers = context.timer_service()
        if late:
            self._mark(key, lane, Mark(Resolution.MIN1, minute))
        else:
            # a first message of 1970 would have every bucket built since
            for level, start in lane.begin(max(minute, now_ms() - self._kept_ms)):
                self._progress.write(level, key, start)
            timers.register_event_time_timer(minute + MINUTE_MS - 1)
        self._wake(key, lane, timers)

    def on_timer(self, timestamp: int, context: KeyedProcessFunction.OnTimerContext) -> tuple[()]:
        key = context.get_current_key()
        lane = self._lane(key)
        if context.time_domain() == TimeDomain.EVENT_TIME:
            self._seal(key, lane, timestamp + 1)
        if now_ms() - self._loaded[key] >= LOAD_EVERY_MS:
            self._load(key, lane)
        for mark in lane.due(now_ms()):
            self._rebuild(key, lane, mark)
        self._wake(key, lane, context.timer_service())
        return ()

    def _lane(self, key: int) -> "LaneLevels":
        lane = self._lanes.get(key)
        if lane is None:
            from streamgauge.rollup.lane_levels import LaneLevels

            progress = {level: lanes[key] for level, lanes in self._begun.items() if key in lanes}
            lane = self._lanes[key] = LaneLevels(progress, self._config.stream.rebuild_quiet_ms)
            self._load(key, lane)
        return lane

    def _load(self, key: int, lane: "LaneLevels") -> None:
        self._loaded[key] = now_ms()
        for mark in self._marks.pending(key):
            lane.load(mark, now_ms())

    def _mark(self, key: int, lane: "LaneLevels", mark: "Mark") -> None:
        # a replay's mark that was not seen yet must not be written over
        if not lane.waits(mark) and (stored := self._marks.waiting(key, mark)):
            lane.load(stored, now_ms())
        if joined := lane.mark(mark, now_ms()):
            self._marks.write(key, joined)

    def _wake(self, key: int, lane: "LaneLevels", timers) -> None:  # type: ignore[no-untyped-def]
        """Set a timer for the next mark whose time comes, or to look for marks, unless there is an earlier one."""
        now = timers.current_processing_time()
        due = min(lane.next_due() or now + LOAD_EVERY_MS, now + LOAD_EVERY_MS)
        if not now < self._woken.get(key, 0) <= due:
            self._woken[key] = max(due, now + 1)
            timers.register_processing_time_timer(self._woken[key])

    def _seal(self, key: int, lane: "LaneLevels", to: int) -> None:
        from schemas.tables import Resolution

        if lane.seal(to):
            self._progress.write(Resolution.MIN1, key, to)
            self._seals.inc()
        for level, start in lane.closing(to):
            for mark in lane.inside(level, start):
                self._rebuild(key, lane, mark)
            self._build(key, level, start)
            self._progress.write(level, key, start + level.value.width_ms)

    def _build(self, key: int, level: "Resolution", start: int) -> None:
        from schemas.blocks.blobs import InvalidBlock

        try:
            self._rebuilder.build(level, key, start)
        except InvalidBlock:
            # the levels above go without it; what is there is mended by a replay
            log.exception("not built: level=%s lane=%d window_start=%d", level.value.label, key, start)
            self._damaged.inc()
        else:
            expose_zero(self._damaged)
            self._builds.inc()

    def _rebuild(self, key: int, lane: "LaneLevels", mark: "Mark") -> "Outcome":
        # a replay may have asked for more meanwhile, and what is stored from here on must go on waiting
        if stored := self._marks.waiting(key, mark):
            complete, origin = mark.complete or stored.complete, stored.origin or mark.origin
            mark = replace(stored, complete=complete, origin=origin)

        def mark_above() -> None:
            if above := lane.mark_above(mark, now_ms()):
                self._marks.write(key, above)

        if mark.origin:
            # what a replay asks for may be missing on any level
            mark_above()
        outcome = self._rebuilder.rebuild(mark.level, key, mark.window_start, mark.complete, mark_above)
        self._marks.done(key, mark, outcome)
        lane.done(mark, now_ms())
        self._rebuilds[outcome].inc()
        if outcome.value not in ("changed", "unchanged"):
            log.warning(
                "not rebuilt: outcome=%s level=%s lane=%d window_start=%d",
                outcome.value,
                mark.level.value.label,
                key,
                mark.window_start,
            )
        return outcome
