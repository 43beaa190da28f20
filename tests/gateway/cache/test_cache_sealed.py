"""When what a part reads is final, and which changes matter to it."""

import pytest

from schemas.tables import Resolution, StorageClass
from schemas.units import DAY_MS, HOUR_MS, MINUTE_MS
from streamgauge.gateway.cache.sealed import generation, is_kept, is_sealed, periods_of
from streamgauge.promql.engine.selection import Read
from streamgauge.promql.syntax.ast import VectorSelector
from streamgauge.store.changes import Change

NODE = VectorSelector("x")
NOON = 1_763_892_000_000
KEPT = StorageClass("standard", dict.fromkeys(Resolution, 10 * DAY_MS))
SHORT = StorageClass("short", dict.fromkeys(Resolution, DAY_MS))


def _samples(start, end):
    return Read(NODE, 0, start, end)


def _minutes(start, end):
    return Read(NODE, MINUTE_MS, start, end, ("last",))


@pytest.mark.parametrize(
    ("read", "sealed"),
    [
        # the last two minutes come from the head too
        (_samples(NOON - HOUR_MS, NOON - 2 * MINUTE_MS - 1), True),
        (_samples(NOON - HOUR_MS, NOON - 2 * MINUTE_MS), False),
        (_minutes(NOON - HOUR_MS, NOON - MINUTE_MS), True),
        (_minutes(NOON - HOUR_MS, NOON - 1), True),
        (_minutes(NOON - HOUR_MS, NOON), False),
    ],
)
def test_a_read_is_sealed_when_all_lanes_have_it_in_blocks(read, sealed):
    progress = {Resolution.MIN1: {0: NOON, 1: NOON + MINUTE_MS}}
    assert is_sealed(read, progress, 2) is sealed
    assert not is_sealed(read, progress, 3)


@pytest.mark.parametrize(
    ("read", "classes", "kept"),
    [
        (_minutes(NOON - 5 * DAY_MS, NOON), [KEPT], True),
        (_minutes(NOON - 10 * DAY_MS, NOON), [KEPT], False),
        (_minutes(NOON - 10 * DAY_MS + HOUR_MS, NOON), [KEPT], False),
        (_minutes(NOON - 10 * DAY_MS + 2 * HOUR_MS, NOON), [KEPT], True),
        # of the short class all is gone, or all stays, or some goes
        (_minutes(NOON - 5 * DAY_MS, NOON - 3 * DAY_MS), [SHORT, KEPT], True),
        (_minutes(NOON - HOUR_MS, NOON), [SHORT, KEPT], True),
        (_minutes(NOON - 2 * DAY_MS, NOON), [SHORT, KEPT], False),
        # a replay may have samples live longer
        (_samples(NOON - 5 * DAY_MS, NOON - 3 * DAY_MS), [SHORT, KEPT], False),
        (_samples(NOON - 5 * HOUR_MS, NOON), [SHORT, KEPT], True),
    ],
)
def test_nothing_is_kept_that_expires_meanwhile(read, classes, kept):
    assert is_kept(read, classes, NOON, HOUR_MS) is kept


def test_periods_are_all_that_windows_lie_in():
    read = Read(NODE, 5 * MINUTE_MS, NOON - DAY_MS + 1, NOON, ("last",))
    level = Resolution.MIN5.value
    assert periods_of([read]) == {Resolution.MIN5: {level.period(NOON - DAY_MS), level.period(NOON)}}


def test_the_generation_heeds_changes_in_the_marks_that_are_read_and_no_others():
    level = Resolution.RAW.value
    read = _samples(NOON - 20 * MINUTE_MS + 1, NOON - 10 * MINUTE_MS)
    calm = generation([read], {Resolution.RAW: []})

    def changed(window, version=1, writer=1, lane=0):
        change = Change(level.period(window), lane, level.mark(window), writer, version)
        return generation([read], {Resolution.RAW: [change]})

    assert changed(NOON - 30 * MINUTE_MS) == calm
    assert changed(NOON - 5 * MINUTE_MS + 1) == calm
    seen = {
        changed(NOON - 20 * MINUTE_MS),
        changed(NOON - 10 * MINUTE_MS),
        changed(NOON - 10 * MINUTE_MS, version=2),
        changed(NOON - 10 * MINUTE_MS, writer=2),
        changed(NOON - 10 * MINUTE_MS, lane=1),
    }
    assert len(seen) == 5
    assert calm not in seen
