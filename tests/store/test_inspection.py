import numpy as np

from streamgauge.store.inspection import sparkline


def test_a_sparkline_shows_the_mean_of_each_stretch_and_gaps():
    times = np.array([0, 10, 30, 39], np.int64)
    values = np.array([0.0, 2.0, 7.0, 9.0])
    assert sparkline(times, values, 0, 39, width=4) == "▁▃ █"


def test_a_sparkline_of_nothing_is_empty():
    assert sparkline(np.zeros(0, np.int64), np.zeros(0), 0, 10) == ""
    assert sparkline(np.array([5]), np.array([np.nan]), 0, 10) == ""


def test_a_constant_is_a_line():
    assert set(sparkline(np.arange(10), np.ones(10), 0, 9, width=5)) == {"▁"}
