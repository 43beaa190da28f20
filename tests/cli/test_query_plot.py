"""Times of the command line, axes, plots and carets."""

import math
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgauge.query import times
from streamgauge.query.axes import time_ticks, value_labels, value_ticks
from streamgauge.query.caret import marked
from streamgauge.query.plot import plot
from streamgauge.query.series import Series
from streamgauge.times import unix_seconds

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", NOW),
        ("now-1h", NOW - 3600),
        ("now-1h30m", NOW - 5400),
        ("now+500ms", NOW + 0.5),
        ("1764000000", 1764000000),
        ("17.5", 17.5),
        ("2026-11-24T12:00:00Z", NOW),
        ("2026-11-24T13:00:00.5+01:00", NOW + 0.5),
        ("2026-11-24T12:00:00", NOW),
        ("2026-11-24", NOW - 12 * 3600),
    ],
)
def test_times(text, expected):
    assert unix_seconds(text, NOW) == expected


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "now-", "now-1", "now-1x", "-1h", "nan", "inf", "1e300", "2026-13-01", "1_000", " 12 "],
)
def test_what_is_no_time(text):
    with pytest.raises(ValueError, match=r".+"):
        unix_seconds(text, NOW)


@given(st.floats(1, 1e9), st.integers(1, 1000))
def test_a_step_gives_no_more_points_than_wanted(span, points):
    step = times.step_for(span, points)
    assert span / step <= points
    assert step == 1 or span / points > step / 2.6


@given(st.floats(-1e12, 1e12), st.floats(1e-9, 1e12), st.integers(2, 10))
def test_ticks_are_round_and_enclose_the_values(low, width, count):
    high = low + width
    ticks = value_ticks(low, high, count)
    slack = 1e-6 * (ticks[1] - ticks[0])
    assert ticks[0] <= low + slack
    assert ticks[-1] >= high - slack
    assert 2 <= len(ticks) <= 2 * count + 2


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (0, 100, ["0", "20", "40", "60", "80", "100"]),
        (0, 1.2e6, ["0", "500k", "1M", "1.5M"]),
        (0.1, 0.4, ["100m", "200m", "300m", "400m"]),
        (-5, 5, ["-6", "-4", "-2", "0", "2", "4", "6"]),
        (3, 3, ["2.6", "2.8", "3", "3.2", "3.4"]),
        (1_000_000, 1_000_004, ["1000000", "1000001", "1000002", "1000003", "1000004"]),
        (0, 0, ["-1", "-500m", "0", "500m", "1"]),
    ],
)
def test_labels_of_values(low, high, labels):
    assert value_labels(value_ticks(low, high, 6)) == labels


@pytest.mark.parametrize(
    ("length", "labels"),
    [
        (60, ["12:00:00", "12:00:15", "12:00:30", "12:00:45", "12:01:00"]),
        (3600, ["12:00", "12:15", "12:30", "12:45", "13:00"]),
        (86_400, ["12:00", "18:00", "00:00", "06:00", "12:00"]),
        (8 * 86_400, ["11-25", "11-27", "11-29", "12-01"]),
    ],
)
def test_labels_of_times(length, labels):
    assert [label for _, label in time_ticks(NOW, NOW + length, 4)] == labels


def test_times_are_even_in_their_zone():
    zone = timezone(timedelta(hours=5, minutes=30))
    assert [label for _, label in time_ticks(NOW, NOW + 4 * 3600, 4, zone)] == [
        "18:00",
        "19:00",
        "20:00",
        "21:00",
    ]


def drawn(series, size=(30, 8), step=1.0, span=(0.0, 10.0)):
    return [line.plain.rstrip() for line in plot(series, span, step, size)]


def test_a_line_with_a_gap():
    numbers = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
    one = Series(
        {}, [at for at in numbers if at not in (4, 5)], [str(at) for at in numbers if at not in (4, 5)]
    )
    assert drawn([one]) == [
        " 10 ┤                     ⣀⠤⠒⠉",
        "    │                ⢀⣀⠤⠒⠉",
        "    │              ⠐⠊⠁",
        "    │",
        "    │    ⣀⠤⠒⠉",
        "  0 ┤⣀⠤⠒⠉",
        "    └┬───────────┬───────────┬",
        " 00:00:00    00:00:05 00:00:10",
    ]


@given(
    st.lists(
        st.lists(st.floats() | st.floats(0, 100), max_size=20).map(
            lambda values: Series({}, list(map(float, range(len(values)))), [str(value) for value in values])
        ),
        max_size=4,
    ),
    st.tuples(st.integers(0, 100), st.integers(0, 30)),
)
def test_any_values_are_drawn_in_the_space_there_is(series, size):
    lines = drawn(series, size)
    assert len(lines) == max(4, size[1] - 2) + 2
    assert max(map(len, lines)) <= max(size[0], 40)


def test_what_is_no_number_breaks_a_line():
    broken = Series({}, [0, 1, 2], ["1", "NaN", "3"])
    assert drawn([broken]) != drawn([Series({}, [0, 1, 2], ["1", "2", "3"])])
    assert math.isnan(broken.values[1])


@pytest.mark.parametrize(
    ("query", "message", "lines"),
    [
        ("sum(up", "1:4: parse error: unclosed", ["sum(up", "   ^"]),
        ("é + +", 'invalid parameter "query": 1:6: parse error: x', ["é + +", "    ^"]),
        ("a +\n\tb[", "2:4: parse error: x", [" b[", "   ^"]),
        ("日本{", "1:7: parse error: x", ["日本{", "    ^"]),
        ("up[5m*0]", 'invalid parameter "query": 3:7: duration must be', ["up[5m*0]", "   ^"]),
        ("up", "query timed out", []),
        ("up", "9:1: parse error: x", []),
    ],
)
def test_a_caret_under_the_place(query, message, lines):
    assert marked(query, message) == lines
