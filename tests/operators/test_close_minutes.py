"""What becomes of a lane's minutes where a job goes on from a checkpoint, with Flink's state played by dictionaries."""

from types import SimpleNamespace

import pytest

from operators import close_minutes
from operators.close_minutes import CloseMinutes
from schemas.tables import Resolution
from schemas.units import MINUTE_MS
from sinks.cassandra.minutes import Written
from streamgauge.config import Config

NOON = 1_763_892_000_000
LANE = 3


class Value:
    def __init__(self):
        self.held = None

    def value(self):
        return self.held

    def update(self, held):
        self.held = held


class Timers:
    def __init__(self):
        self.event, self.processing = [], []

    def current_processing_time(self):
        return 0

    def register_event_time_timer(self, at):
        self.event.append(at)

    def register_processing_time_timer(self, at):
        self.processing.append(at)


class Lane:
    """The state of one lane, what is stored of it, and workers that take it over one after the other."""

    def __init__(self, monkeypatch):
        self.batches, self.closed, self.sealed = {}, Value(), {}
        self.on_time, self.late = {}, []
        stored = SimpleNamespace(write_on_time=self._write_on_time, write_late=self._write_late)
        monkeypatch.setattr("streamgauge.store.session.connect", lambda _: None)
        monkeypatch.setattr("sinks.cassandra.minutes.MinuteStore", lambda *_: stored)
        monkeypatch.setattr(
            "streamgauge.store.progress.ProgressStore",
            lambda _: SimpleNamespace(
                read=lambda level: dict(self.sealed) if level is Resolution.MIN1 else {}
            ),
        )
        self.start()

    def start(self):
        """A new worker, with the state as it is."""
        self.worker = CloseMinutes(Config())
        self.timers = Timers()
        state = SimpleNamespace(
            items=lambda: list(self.batches.items()),
            put=self.batches.__setitem__,
            remove=self.batches.__delitem__,
        )
        group = SimpleNamespace(counter=lambda _: SimpleNamespace(inc=lambda *_: None))
        self.worker.open(
            SimpleNamespace(
                get_map_state=lambda _: state,
                get_state=lambda _: self.closed,
                get_metrics_group=lambda: group,
            )
        )

    def send(self, offset, minute):
        context = SimpleNamespace(
            get_current_key=lambda: LANE, timestamp=lambda: minute + 1, timer_service=lambda: self.timers
        )
        self.worker.process_element((0, offset, b"batch"), context)

    def fire(self, at):
        context = SimpleNamespace(
            get_current_key=lambda: LANE,
            timer_service=lambda: self.timers,
            time_domain=lambda: close_minutes.TimeDomain.EVENT_TIME,
        )
        return [tuple(row) for row in self.worker.on_timer(at, context)]

    def _write_on_time(self, _, minute, waiting):
        self.on_time[minute] = [batch.offset for batch in waiting]
        return Written(1, 0)

    def _write_late(self, _, minute, waiting):
        self.late.append((minute, [batch.offset for batch in waiting]))
        return Written(1, 0)


@pytest.fixture
def lane(monkeypatch):
    return Lane(monkeypatch)


def test_a_minute_closes_with_what_came_and_what_comes_later_is_a_part_of_its_own(lane):
    lane.send(1, NOON)
    assert lane.timers.event == [NOON + MINUTE_MS - 1]
    assert lane.fire(NOON + MINUTE_MS - 1) == [(LANE, NOON, False)]
    lane.send(2, NOON)
    lane.send(3, NOON + MINUTE_MS)
    assert lane.fire(NOON + 2 * MINUTE_MS - 1) == [(LANE, NOON, True), (LANE, NOON + MINUTE_MS, False)]
    assert lane.on_time == {NOON: [1], NOON + MINUTE_MS: [3]}
    assert lane.late == [(NOON, [2])]
    assert lane.batches == {}


def test_what_waits_in_the_state_has_its_timer_again(lane):
    lane.send(1, NOON)
    lane.start()
    lane.send(2, NOON)
    assert set(lane.timers.event) == {NOON + MINUTE_MS - 1}
    lane.fire(NOON + MINUTE_MS - 1)
    assert lane.on_time == {NOON: [1, 2]}


def test_a_minute_that_was_closed_and_whose_seal_is_missing_is_not_written_over(lane):
    lane.send(1, NOON)
    lane.fire(NOON + MINUTE_MS - 1)
    lane.start()
    lane.send(2, NOON)
    lane.send(3, NOON + MINUTE_MS)
    lane.fire(NOON + 2 * MINUTE_MS - 1)
    assert lane.on_time == {NOON: [1], NOON + MINUTE_MS: [3]}
    assert lane.late == [(NOON, [2])]


def test_a_minute_that_was_sealed_after_the_checkpoint_is_late(lane):
    lane.send(1, NOON)
    lane.sealed[LANE] = NOON + MINUTE_MS
    lane.start()
    lane.send(2, NOON + MINUTE_MS)
    lane.fire(NOON + 2 * MINUTE_MS - 1)
    assert lane.on_time == {NOON + MINUTE_MS: [2]}
    assert lane.late == [(NOON, [1])]
