"""When buckets are built, named by what happens to a lane."""

from schemas.tables import Resolution
from schemas.units import DAY_MS, HOUR_MS, MINUTE_MS
from streamgauge.rollup.lane_levels import AT_A_TIME, LaneLevels
from streamgauge.rollup.marks import Mark

MIN1, MIN5, HOUR1, DAY1 = Resolution.MIN1, Resolution.MIN5, Resolution.HOUR1, Resolution.DAY1
DAY = 1_763_856_000_000
QUIET = 5000


def _lane(minute=DAY):
    lane = LaneLevels({}, QUIET)
    list(lane.begin(minute))
    lane.seal(minute)
    return lane


def _close(lane, to):
    lane.seal(to)
    return list(lane.closing(to))


def test_a_new_lane_begins_each_level_at_the_bucket_of_its_first_minute():
    lane = LaneLevels({}, QUIET)
    minute = DAY + 3 * HOUR_MS + 7 * MINUTE_MS
    assert list(lane.begin(minute)) == [
        (MIN1, minute),
        (MIN5, DAY + 3 * HOUR_MS + 5 * MINUTE_MS),
        (HOUR1, DAY + 3 * HOUR_MS),
        (DAY1, DAY),
    ]
    assert list(lane.begin(minute + MINUTE_MS)) == []


def test_buckets_close_once_and_the_finest_first():
    lane = _lane(DAY + DAY_MS - 5 * MINUTE_MS)
    last = DAY + DAY_MS
    assert _close(lane, last - MINUTE_MS) == []
    assert _close(lane, last) == [(MIN5, last - 5 * MINUTE_MS), (HOUR1, last - HOUR_MS), (DAY1, DAY)]
    assert _close(lane, last) == []


def test_a_gap_closes_every_bucket_in_it():
    lane = _lane()
    assert _close(lane, DAY + 20 * MINUTE_MS) == [(MIN5, DAY + at * 5 * MINUTE_MS) for at in range(4)]


def test_a_lane_with_progress_goes_on_where_it_was():
    lane = LaneLevels({MIN1: DAY + 7 * MINUTE_MS, MIN5: DAY + 5 * MINUTE_MS, HOUR1: DAY, DAY1: DAY}, QUIET)
    assert list(lane.begin(DAY + 7 * MINUTE_MS)) == []
    assert _close(lane, DAY + 10 * MINUTE_MS) == [(MIN5, DAY + 5 * MINUTE_MS)]


def test_nothing_marked_is_never_due():
    lane = _lane()
    assert lane.next_due() is None
    assert lane.due(10**15) == []


def test_marked_then_quiet_is_due_once():
    lane = _lane()
    mark = Mark(MIN1, DAY - MINUTE_MS)
    assert lane.mark(mark, now=1000)
    assert lane.next_due() == 1000 + QUIET
    assert lane.due(999 + QUIET) == []
    assert lane.due(1000 + QUIET) == [mark]
    lane.done(mark, 1000 + QUIET)
    assert lane.due(10**12) == []


def test_marked_again_and_again_is_due_in_the_end():
    lane = _lane()
    mark = Mark(MIN1, DAY - MINUTE_MS)
    for now in range(0, 3 * QUIET, QUIET // 2):
        assert lane.due(now) == []
        lane.mark(mark, now)
    assert lane.due(3 * QUIET) == [mark]


def test_a_client_that_catches_up_on_three_hours_has_each_bucket_built_at_most_five_times():
    lane = LaneLevels(dict.fromkeys((MIN1, MIN5, HOUR1, DAY1), DAY + DAY_MS), QUIET)
    built: dict[tuple[Resolution, int], int] = {}

    def build_what_is_due(now):
        while due := lane.due(now):
            for mark in due:
                place = mark.level, mark.window_start
                built[place] = built.get(place, 0) + 1
                lane.mark_above(mark, now)
                lane.done(mark, now)

    now = 0
    for minute in range(DAY, DAY + 3 * HOUR_MS, MINUTE_MS):
        for _ in range(6):
            now += 1000
            lane.mark(Mark(MIN1, minute), now)
            build_what_is_due(now)
    for _ in range(60):
        now += 1000
        build_what_is_due(now)
    assert lane.next_due() is None
    assert max(built.values()) <= 5
    assert {level for level, _ in built} == {MIN1, MIN5, HOUR1, DAY1}


def test_a_closed_bucket_above_is_marked_and_an_open_one_is_not():
    lane = _lane(DAY + 7 * MINUTE_MS)
    _close(lane, DAY + 10 * MINUTE_MS)
    assert lane.mark_above(Mark(MIN1, DAY + 5 * MINUTE_MS), 0) == Mark(MIN5, DAY + 5 * MINUTE_MS)
    assert lane.mark_above(Mark(MIN1, DAY + 6 * MINUTE_MS), 0) is None
    assert lane.mark_above(Mark(MIN5, DAY + 5 * MINUTE_MS), 0) is None
    old = Mark(MIN5, DAY - 5 * MINUTE_MS, origin="replay")
    assert lane.mark_above(old, 0) == Mark(HOUR1, DAY - HOUR_MS, origin="replay")
    assert lane.mark_above(Mark(DAY1, DAY - DAY_MS), 0) is None


def test_marks_inside_a_bucket_that_closes_come_finest_first():
    lane = _lane(DAY + HOUR_MS)
    for mark in (Mark(MIN5, DAY), Mark(MIN1, DAY + MINUTE_MS), Mark(MIN1, DAY), Mark(MIN1, DAY + HOUR_MS)):
        lane.mark(mark, 0)
    assert lane.inside(HOUR1, DAY) == [Mark(MIN1, DAY), Mark(MIN1, DAY + MINUTE_MS), Mark(MIN5, DAY)]


def test_a_mark_that_says_more_is_kept_and_told():
    lane = _lane()
    assert lane.mark(Mark(MIN1, DAY), 0)
    assert not lane.mark(Mark(MIN1, DAY), 0)
    assert lane.mark(Mark(MIN1, DAY, complete=True, origin="replay"), 0)
    assert not lane.mark(Mark(MIN1, DAY), 0)
    assert lane.due(QUIET) == [Mark(MIN1, DAY, complete=True, origin="replay")]


def test_a_mark_that_the_store_repeats_waits_no_longer_for_it():
    lane = _lane()
    mark = Mark(MIN1, DAY - MINUTE_MS)
    lane.mark(mark, now=0)
    for now in range(0, QUIET, 1000):
        lane.load(mark, now)
    assert lane.due(QUIET) == [mark]


def test_a_mark_that_is_new_in_the_store_is_as_one_that_comes():
    lane = _lane()
    around = Mark(MIN5, DAY - 5 * MINUTE_MS)
    lane.mark(around, now=0)
    lane.load(Mark(MIN1, DAY - MINUTE_MS), now=3000)
    assert lane.waits(Mark(MIN1, DAY - MINUTE_MS, origin="replay"))
    assert lane.next_due() == 3000 + QUIET


def test_what_a_mark_adds_is_told_with_what_was_known():
    lane = _lane()
    assert lane.mark(Mark(MIN1, DAY, complete=True, origin="first"), 0)
    joined = Mark(MIN1, DAY, complete=True, origin="second")
    assert lane.mark(Mark(MIN1, DAY, origin="second"), 0) == joined


def test_a_replay_of_hours_is_due_a_piece_at_a_time_and_the_finest_first():
    lane = LaneLevels(dict.fromkeys((MIN1, MIN5, HOUR1, DAY1), DAY + DAY_MS), QUIET)
    marks = [Mark(MIN1, DAY + at * MINUTE_MS) for at in range(2 * AT_A_TIME)]
    lane.mark(Mark(MIN5, DAY), 0)
    for mark in marks:
        lane.mark(mark, 0)
    for begin in (0, AT_A_TIME):
        due = lane.due(QUIET)
        assert due == marks[begin : begin + AT_A_TIME]
        for mark in due:
            lane.done(mark, QUIET)
    assert lane.due(QUIET) == [Mark(MIN5, DAY)]
