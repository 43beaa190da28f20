from schemas.units import MINUTE_MS
from streamgauge.rollup.open_minutes import OpenMinutes
from streamgauge.rollup.pending_batches import PendingBatch

ONE = PendingBatch(0, 1, b"one")
TWO = PendingBatch(0, 2, b"two")
NOON = 1_763_892_000_000


def test_open_then_closed_hands_out_its_batches_once():
    lane = OpenMinutes(closed_to=0)
    lane.add(NOON, ONE)
    lane.add(NOON, TWO)
    assert list(lane.close(NOON + MINUTE_MS - 1)) == []
    assert list(lane.close(NOON + MINUTE_MS)) == [(NOON, [ONE, TWO])]
    assert list(lane.close(NOON + MINUTE_MS)) == []


def test_a_heartbeat_alone_closes_its_minute():
    lane = OpenMinutes(closed_to=0)
    lane.open(NOON)
    assert list(lane.close(NOON + MINUTE_MS)) == [(NOON, [])]


def test_closed_then_late_waits_until_it_is_taken():
    lane = OpenMinutes(closed_to=0)
    lane.open(NOON)
    list(lane.close(NOON + MINUTE_MS))
    assert lane.is_late(NOON)
    assert not lane.has_late()
    lane.add(NOON, ONE)
    assert lane.has_late()
    assert list(lane.take_late()) == [(NOON, [ONE])]
    assert not lane.has_late()


def test_sealed_before_the_start_is_late_from_the_first_batch():
    lane = OpenMinutes(closed_to=NOON + MINUTE_MS)
    lane.add(NOON, ONE)
    assert lane.has_late()
    assert lane.open_minutes() == []
    assert list(lane.close(NOON + 10 * MINUTE_MS)) == []


def test_minutes_close_in_order_and_only_those_that_ended():
    lane = OpenMinutes(closed_to=0)
    for minute in (2, 0, 1):
        lane.open(NOON + minute * MINUTE_MS)
    closed = [minute for minute, _ in lane.close(NOON + 2 * MINUTE_MS)]
    assert closed == [NOON, NOON + MINUTE_MS]
    assert lane.open_minutes() == [NOON + 2 * MINUTE_MS]
