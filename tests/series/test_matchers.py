import pytest

from streamgauge.series import labels
from streamgauge.series.matchers import InvalidMatcher, Matcher, MatcherFault, MatchOp, fulfils, metric_of

SERIES = labels.canonical({"__name__": "up", "job": "api", "zone": "a\nb", "Ähre": "é"})


@pytest.mark.parametrize(
    ("name", "op", "value", "verdict"),
    [
        ("job", "=", "api", True),
        ("job", "=", "ap", False),
        ("job", "!=", "api", False),
        ("job", "!=", "web", True),
        ("absent", "=", "", True),
        ("absent", "!=", "", False),
        ("absent", "=", "x", False),
        ("absent", "!=", "x", True),
        ("absent", "=~", ".*", True),
        ("absent", "=~", ".+", False),
        ("absent", "!~", ".+", True),
        ("absent", "=~", "x|", True),
        ("job", "=~", "ap", False),
        ("job", "=~", "ap.", True),
        ("job", "=~", "x|api", True),
        ("job", "=~", "a|pi", False),
        ("job", "!~", "a|pi", True),
        ("job", "=~", "(?i)API", True),
        ("job", "=~", "^api$", True),
        ("zone", "=~", "a.b", True),
        ("Ähre", "=~", ".", True),
        ("__name__", "=~", "u[^q]", True),
    ],
)
def test_a_matcher_judges_as_prometheus_does(name, op, value, verdict):
    matcher = Matcher(name, MatchOp(op), value)
    assert fulfils(SERIES, [(name.encode(), matcher)]) is verdict
    assert fulfils(SERIES, [(name.encode(), matcher)]) is verdict


@pytest.mark.parametrize("pattern", ["(", "a{2,1}", "x)|(y", "(?=a)", "(a)\\1", "x{1001}"])
def test_a_regex_that_re2_refuses_is_refused(pattern):
    with pytest.raises(InvalidMatcher) as refusal:
        Matcher("job", MatchOp.REGEX, pattern)
    assert refusal.value.reason is MatcherFault.BAD_REGEX


def test_only_an_equality_with_a_value_names_the_metric():
    regex, empty = Matcher("__name__", MatchOp.REGEX, "up"), Matcher("__name__", MatchOp.EQUAL, "")
    assert metric_of([regex, empty]) is None
    assert metric_of([regex, Matcher("__name__", MatchOp.EQUAL, "up")]) == "up"
