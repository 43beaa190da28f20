"""Paths that the parts of a group's ticks take."""

from streamgauge.rules.job.group_ticks import MAX_WAITING, WAIT_MS, GroupTicks, Part, Taken

NOON = 1_763_892_000_000
PART = Part("v1", False, b"part", NOON, 0, 0)


def test_a_tick_is_complete_when_all_shards_have_come():
    ticks = GroupTicks(2)
    assert ticks.take(NOON, 0, PART) == Taken(None, ())
    assert ticks.take(NOON, 1, PART) == Taken({0: PART, 1: PART}, [])
    assert ticks.last == NOON


def test_each_tick_comes_once():
    ticks = GroupTicks(1, last=NOON)
    assert ticks.take(NOON, 0, PART) == Taken(None, ())
    assert ticks.take(NOON + 1, 0, PART).complete


def test_an_incomplete_tick_is_dropped_when_a_later_one_is_complete():
    ticks = GroupTicks(2)
    ticks.take(NOON, 0, PART)
    ticks.take(NOON + 1, 0, PART)
    assert ticks.take(NOON + 1, 1, PART) == Taken({0: PART, 1: PART}, [NOON])
    assert ticks.take(NOON, 1, PART) == Taken(None, ())


def test_a_tick_waits_while_later_ones_are_incomplete_too():
    ticks = GroupTicks(2)
    ticks.take(NOON, 0, PART)
    ticks.take(NOON + 1, 0, PART)
    assert ticks.take(NOON, 1, PART) == Taken({0: PART, 1: PART}, [])
    assert ticks.take(NOON + 1, 1, PART) == Taken({0: PART, 1: PART}, [])


def test_shards_with_different_rules_make_no_tick():
    ticks = GroupTicks(2)
    ticks.take(NOON, 0, PART)
    assert ticks.take(NOON, 1, PART._replace(rule_set="v2")) == Taken(None, [NOON])


def test_what_has_waited_too_long_is_given_up():
    ticks = GroupTicks(2)
    ticks.take(NOON, 0, PART)
    assert ticks.overdue(NOON + WAIT_MS - 1) == {}
    assert ticks.overdue(NOON + WAIT_MS) == {NOON: {0: PART}}
    assert ticks.last == NOON


def test_no_more_ticks_wait_than_there_is_room_for():
    ticks = GroupTicks(2)
    for number in range(MAX_WAITING):
        assert ticks.take(NOON + number, 0, PART) == Taken(None, ())
    assert ticks.take(NOON + MAX_WAITING, 0, PART) == Taken(None, (NOON,))
    assert ticks.take(NOON, 1, PART) == Taken(None, ())
    assert ticks.take(NOON + 1, 1, PART).complete
