import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from streamgauge.series.regexes import literals


@pytest.mark.parametrize(
    ("regex", "values"),
    [
        ("", ("",)),
        ("a", ("a",)),
        ("a|b", ("a", "b")),
        ("(a|b)", ("a", "b")),
        ("(?:a|b|a)", ("a", "b")),
        ("10\\.0\\.0\\.1|web-1:9100", ("10.0.0.1", "web-1:9100")),
        ("a|", ("a", "")),
        ("é\\||b", ("é|", "b")),
    ],
)
def test_a_list_of_values_is_known_as_such(regex, values):
    assert literals(regex) == values


@pytest.mark.parametrize(
    "regex",
    [
        "a.",
        "(a)|(b)",
        "a(b|c)",
        "(?i:a|b)",
        "(?i)a",
        "^a$",
        "a\\d",
        "a\\",
        "(a\\)",
        "[ab]",
        "a{2}",
        "a*|b",
        "a\\_b",
    ],
)
def test_anything_else_is_not(regex):
    assert literals(regex) == ()


@given(st.text(alphabet="ab.|()\\\\?:é-^", max_size=8), st.text(alphabet="ab.|()\\\\?:é-^", max_size=4))
def test_what_is_listed_is_what_re2_matches(regex, other):
    options = re2.Options()
    options.log_errors = False
    values = literals(regex)
    if values:
        # what it refuses is no list
        compiled = re2.compile(regex, options)
        assert all(compiled.fullmatch(value) for value in values)
        assert (compiled.fullmatch(other) is not None) == (other in values)
