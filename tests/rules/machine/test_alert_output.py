"""What is said of alerts, in Prometheus's words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgauge.rules.machine.alert_output import generator_url
from streamgauge.rules.templates.formatting import exponential


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0e+00"),
        (-0.0, "-0e+00"),
        (1.0, "1e+00"),
        (80.5, "8.05e+01"),
        (-123456.0, "-1.23456e+05"),
        (0.001, "1e-03"),
        (1e300, "1e+300"),
        (5e-324, "5e-324"),
        (float("nan"), "NaN"),
        (float("inf"), "+Inf"),
        (float("-inf"), "-Inf"),
    ],
)
def test_values_are_written_as_go_does(value, text):
    assert exponential(value) == text


@given(st.floats(allow_nan=False))
def test_no_digit_of_a_value_is_lost(value):
    assert float(exponential(value)) == value


def test_an_expression_is_shown_where_prometheus_shows_it():
    assert (
        generator_url("https://metrics.example.org/", ['up{job="a b"} == 0'])
        == "https://metrics.example.org/graph?g0.expr=up%7Bjob%3D%22a+b%22%7D+%3D%3D+0&g0.tab=1"
    )


def test_what_a_rule_in_sql_reads_is_shown_query_by_query():
    assert generator_url("", ["a", "b{}"]) == "/graph?g0.expr=a&g0.tab=1&g1.expr=b%7B%7D&g1.tab=1"
    assert generator_url("http://x", ["a" * 9000, "b" * 9000]) == "http://x/graph"
