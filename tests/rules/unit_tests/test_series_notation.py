import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgauge.rules.unit_tests.series_notation import InvalidSeries, labels, values
from streamgauge.series.samples import STALE, STALE_BITS


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("1 2.5 -3 +4 1e3 .5 Inf -inf 010", [1, 2.5, -3, 4, 1000, 0.5, math.inf, -math.inf, 8]),
        ("1 _ 2", [1, None, 2]),
        ("_x3 1", [None, None, None, 1]),
        ("7x2", [7, 7, 7]),
        ("0+5x3", [0, 5, 10, 15]),
        ("10-2.5x2", [10, 7.5, 5]),
        ("-5-1x1", [-5, -6]),
        ("0.1+0.1x3", [0.1, 0.2, 0.1 + 0.1 + 0.1, 0.1 + 0.1 + 0.1 + 0.1]),
        ("3x0 1_000", [3, 1000]),
        ("1\n  2", [1, 2]),
    ],
)
def test_values(text, expected):
    assert values(text) == expected


def test_stale_is_the_marker_bit_for_bit():
    assert np.array(values("stale"), np.float64).view(np.uint64).tolist() == [STALE_BITS]
    assert math.isnan(STALE)


@pytest.mark.parametrize(
    ("text", "position", "detail"),
    [
        ("1 2 three", 4, '"three" is not a value of a series'),
        ("1+2", 0, '"1+2" is not a value of a series'),
        ("0x10 stalex3", 5, '"stalex3" is not a value'),
        ("infx3", 0, '"infx3" is not a value'),
        ("_+1x3", 0, '"_+1x3" is not a value'),
        ("1 {{schema:1 sum:3}}", 2, "native histograms are not supported"),
        ("1x2000000", 0, "more than 1,000,000 values"),
    ],
)
def test_what_is_no_value_is_refused_at_its_place(text, position, detail):
    with pytest.raises(InvalidSeries) as refusal:
        values(text)
    assert refusal.value.position == position
    assert refusal.value.detail.startswith(detail)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("{}", {}),
        ("up", {"__name__": "up"}),
        ('up{job="a", x=""}', {"__name__": "up", "job": "a"}),
        ('{"my.name", job="a"}', {"__name__": "my.name", "job": "a"}),
        ('{job="a"}', {"job": "a"}),
        ('{job=""}', {}),
        ('é.x{b.c="d",e="f.g"}', {"__name__": "é.x", "b.c": "d", "e": "f.g"}),
        ("a.b", {"__name__": "a.b"}),
        ("sum.é{}", {"__name__": "sum.é"}),
        ("""日本{都='x{y.z}',"a b"=`é`}""", {"__name__": "日本", "都": "x{y.z}", "a b": "é"}),
        ('{é="x",}', {"é": "x"}),
    ],
)
def test_labels(text, expected):
    assert labels(text) == expected


@pytest.mark.parametrize(
    "text", ["up{", 'up{job=~"a"}', "up[5m]", "1 + 1", 'up{a="1",a="2"}', "up offset 5m", "{job}"]
)
def test_what_is_no_series_is_refused(text):
    with pytest.raises(InvalidSeries):
        labels(text)


@given(st.text(max_size=20))
def test_any_text_is_read_or_refused_at_a_place_in_it(text):
    position = 0
    for reading in (labels, values):
        try:
            reading(text)
        except InvalidSeries as fault:
            position = fault.position
        assert 0 <= position <= len(text)
