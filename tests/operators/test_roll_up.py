"""How marks that a replay has left in the store meet those of the stream."""

import time
from types import SimpleNamespace

import pytest

from operators.roll_up import RollUp
from schemas.tables import ROLLED, Resolution
from schemas.units import MINUTE_MS
from streamgauge.config import Config
from streamgauge.rollup.marks import Mark

NOON = 1_763_892_000_000


class Store:
    """Progress and marks of all lanes in memory."""

    def __init__(self, monkeypatch):
        self.marks, self.read, self.begun = {}, [], {}
        monkeypatch.setattr("streamgauge.store.session.connect", lambda _: None)
        monkeypatch.setattr("sinks.cassandra.rebuild.Rebuilder", lambda *_: None)
        monkeypatch.setattr(
            "streamgauge.store.progress.ProgressStore",
            lambda _: SimpleNamespace(read=self._progress, write=self._begin),
        )
        monkeypatch.setattr(
            "sinks.cassandra.marks.MarkStore",
            lambda _: SimpleNamespace(write=self.write, pending=self._pending, waiting=self._waiting),
        )

    def write(self, lane, mark):
        self.marks[lane, mark.level, mark.window_start] = mark

    def _waiting(self, lane, mark):
        return self.marks.get((lane, mark.level, mark.window_start))

    def _pending(self, lane):
        return [mark for place, mark in self.marks.items() if place[0] == lane]

    def _begin(self, level, lane, to):
        self.begun[level, lane] = to

    def _progress(self, level):
        self.read.append(level)
        return dict.fromkeys(range(100), NOON)


@pytest.fixture
def store(monkeypatch):
    return Store(monkeypatch)


@pytest.fixture
def roll_up(store):
    assert not store.marks
    group = SimpleNamespace(counter=lambda _: None)
    worker = RollUp(Config())
    worker.open(SimpleNamespace(get_metrics_group=lambda: group))
    return worker


def _late(roll_up, lane, minute):
    timers = SimpleNamespace(current_processing_time=lambda: 0, register_processing_time_timer=lambda _: None)
    context = SimpleNamespace(timer_service=lambda: timers)
    roll_up.process_element((lane, minute, True), context)


def test_a_late_part_does_not_write_over_what_a_replay_asks_for(store, roll_up):
    _late(roll_up, 3, NOON - 2 * MINUTE_MS)
    replayed = Mark(Resolution.MIN1, NOON - MINUTE_MS, complete=True, origin="replay")
    store.write(3, replayed)
    _late(roll_up, 3, NOON - MINUTE_MS)
    assert store.marks[3, Resolution.MIN1, NOON - MINUTE_MS] == replayed
    assert store.marks[3, Resolution.MIN1, NOON - 2 * MINUTE_MS] == Mark(
        Resolution.MIN1, NOON - 2 * MINUTE_MS
    )


def test_progress_is_read_once_for_all_lanes(store, roll_up):
    for lane in range(100):
        _late(roll_up, lane, NOON - MINUTE_MS)
    assert store.read == list(ROLLED)
    assert len(store.marks) == 100


@pytest.mark.parametrize("first", [0, MINUTE_MS])
def test_a_lane_whose_first_message_is_of_1970_begins_where_samples_are_kept(store, roll_up, first):
    timers = SimpleNamespace(
        current_processing_time=lambda: 0,
        register_processing_time_timer=lambda _: None,
        register_event_time_timer=lambda _: None,
    )
    roll_up.process_element(
        (200, first, False), SimpleNamespace(timer_service=lambda: timers, get_current_key=lambda: 200)
    )
    kept_ms = max(kept.retention_ms[Resolution.RAW] for kept in Config().storage_classes)
    for level in ROLLED:
        begun = store.begun[level, 200]
        assert begun % level.value.width_ms == 0
        assert begun > time.time() * 1000 - kept_ms - level.value.width_ms - 60_000
