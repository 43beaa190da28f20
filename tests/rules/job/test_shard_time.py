"""Paths that a shard's time takes."""

from streamgauge.rules.job.shard_time import HOLE_MS, Hole, Presence, ShardTime

NOON = 1_763_892_000_000


def test_what_is_sent_often_enough_is_one_run():
    presence = Presence()
    for sent in (NOON, NOON + 60_000, NOON + 30_000, NOON + 120_000):
        presence.add(sent)
    assert presence.runs == [[NOON, NOON + 120_000]]
    assert presence.hole_at(NOON + 61_000) is None


def test_more_than_a_minute_without_anything_is_a_hole():
    presence = Presence()
    for sent in (NOON, NOON + HOLE_MS + 1):
        presence.add(sent)
    assert presence.hole_at(NOON) is None
    assert presence.hole_at(NOON + 1) == Hole(NOON, NOON + HOLE_MS + 1)
    assert presence.hole_at(NOON + HOLE_MS + 1) is None
    assert presence.gap_before(NOON + HOLE_MS + 1) == HOLE_MS + 1


def test_what_comes_late_fills_a_hole():
    presence = Presence()
    for sent in (NOON, NOON + 100_000, NOON + 50_000):
        presence.add(sent)
    assert presence.runs == [[NOON, NOON + 100_000]]
    assert presence.gap_before(NOON + 100_000) == 0


def test_what_has_not_ended_is_no_hole_but_has_not_come():
    time = ShardTime()
    time.see(NOON)
    assert time.has_come(NOON)
    assert not time.has_come(NOON + 1)
    assert not time.pass_over(NOON + 10 * HOLE_MS)


def test_first_tick_follows_what_was_sent_first():
    time = ShardTime()
    time.see(NOON)
    assert time.last == NOON - 1


def test_first_tick_follows_what_was_sent_first_whichever_partition_comes_first():
    time = ShardTime()
    time.see(NOON + 20_000)
    time.encode()
    time.see(NOON)
    assert time.is_ahead
    time = ShardTime(time.encode())
    assert (time.last, time.is_ahead) == (NOON - 1, False)
    time.see(NOON - 1000)
    assert time.last == NOON - 1001
    time.finish(NOON)
    time.see(NOON - 2000)
    assert ShardTime(time.encode()).last == time.last == NOON


def test_ticks_in_a_hole_are_passed_over_and_the_next_one_tells_of_it():
    time = ShardTime()
    time.see(NOON)
    assert not time.pass_over(NOON)
    assert time.finish(NOON) == 0
    time.see(NOON + 100_000)
    assert time.pass_over(NOON + 5000)
    assert time.last == NOON + 99_999
    assert not time.pass_over(NOON + 100_000)
    assert time.finish(NOON + 100_000) == 100_000
    time.see(NOON + 105_000)
    assert time.finish(NOON + 105_000) == 0


def test_state_goes_on_where_it_was():
    time = ShardTime()
    time.see(NOON)
    time.finish(NOON)
    time.see(NOON + 2000)
    assert time.is_ahead
    again = ShardTime(time.encode())
    assert not time.is_ahead
    assert (again.last, again.newest, again.encode()) == (NOON, NOON + 2000, time.encode())


def test_while_no_tick_will_come_there_are_no_holes():
    time = ShardTime()
    time.see(NOON)
    time.rest(NOON + 1_000_000)
    assert not time.pass_over(NOON + 1_000_000)
    assert time.finish(NOON + 1_000_000) == 0


def test_what_comes_late_from_before_a_hole_does_not_make_it_again():
    time = ShardTime()
    time.see(NOON)
    assert time.finish(NOON) == 0
    time.see(NOON + 100_000)
    assert time.finish(NOON + 100_000) == 100_000
    time.see(NOON - 10_000)
    time.see(NOON + 105_000)
    assert time.finish(NOON + 105_000) == 0
