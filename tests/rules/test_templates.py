import json
import math
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgauge.rules.templates.faults import FunctionFault, InvalidTemplate, TemplateFault
from streamgauge.rules.templates.formatting import shortest
from streamgauge.rules.templates.functions import NAMES, Environment
from streamgauge.rules.templates.template import parse
from streamgauge.rules.templates.values import AlertData, Duration, Sample, Time

LABELS = {"instance": "host.example.com:9100", "job": "node", "empty": ""}
DATA = AlertData(LABELS, {"region": "eu"}, "http://u/x", 1234567.5)


def query(text: str) -> list[Sample]:
    if text == "bad":
        raise FunctionFault("bad query")
    if text == "none":
        return []
    return [Sample({"instance": "b:1", "job": "x"}, 2.0), Sample({"instance": "a:1", "job": "y"}, 1.5)]


ENVIRONMENT = Environment(query, 1500, "http://u/x")


def cases():
    lines = (Path(__file__).parent / "templates.txt").read_text().splitlines()
    rows = [line for line in lines if line and not line.startswith("#")]
    return [(json.loads(rows[at]), *rows[at + 1].strip().split(" ", 1)) for at in range(0, len(rows), 2)]


@pytest.mark.parametrize(("text", "kind", "expected"), cases(), ids=lambda value: str(value)[:40])
def test_a_template_gives_what_its_file_says(text, kind, expected):
    if kind == "=":
        assert parse(text).expand(DATA, ENVIRONMENT) == json.loads(expected)
        return
    with pytest.raises(InvalidTemplate) as refusal:
        parse(text).expand(DATA, ENVIRONMENT)
    assert f"{refusal.value.position} {refusal.value}" == expected
    assert (refusal.value.reason is TemplateFault.EXECUTION) == (kind == "//")


def expand(text: str, value: float = 1.0) -> str:
    return parse(text).expand(AlertData({}, {}, "http://h:1/path/", value), ENVIRONMENT)


def test_functions_know_the_time_and_the_url():
    assert expand("{{ now }} {{ externalURL }} {{ pathPrefix }}") == "1.5 http://u/x /x"


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ('{{ parseDuration "1h30m" }} {{ parseDuration "-90s" }}', "5400 -90"),
        (
            "{{ humanizeDuration 3661 }} {{ humanizeDuration 0.25 }} {{ humanizeDuration 0 }}",
            "1h 1m 1s 250ms 0s",
        ),
        ("{{ humanizeDuration 90061 }} {{ humanizeDuration -61.5 }}", "1d 1h 1m 1s -1m 1s"),
        (
            "{{ humanizeDuration 12.3456 }} {{ humanizeTimestamp 1435065584.128 }}",
            "12.35s 2015-06-23 13:19:44.128 +0000 UTC",
        ),
        (
            '{{ graphLink "a b" }} {{ tableLink "up" }}',
            "/graph?g0.expr=a+b&g0.tab=0 /graph?g0.expr=up&g0.tab=1",
        ),
        ('{{ safeHtml "<b>" }} {{ query "x" | first | strvalue }}|', "<b> |"),
    ],
)
def test_prometheus_functions(template, text):
    assert expand(template) == text


@pytest.mark.parametrize(("value", "text"), [(math.nan, "NaN"), (math.inf, "+Inf"), (-math.inf, "-Inf")])
@pytest.mark.parametrize("function", ["humanize", "humanize1024", "humanizeDuration", "humanizeTimestamp"])
def test_what_is_no_number_is_written_as_it_is(function, value, text):
    assert expand(f"{{{{ {function} $value }}}}", value) == text


@pytest.mark.parametrize(
    ("template", "detail"),
    [
        ('{{ parseDuration "x" }}', 'error calling parseDuration: not a valid duration string: "x"'),
        (
            "{{ toTime 1e300 }}",
            "error calling toTime: 1e+300 cannot be represented as a nanoseconds timestamp",
        ),
        ('{{ printf "%9999d" 1 }}', "error calling printf: a width of more than 1000"),
        ("{{ range 1000000 }}{{ end }}", "more than 100,000 steps"),
        ("{{ range 90000 }}aaaaaaaaaaaaaaaa{{ end }}", "more than 1,000,000 characters"),
        (
            '{{ define "a" }}{{ template "a" }}{{ end }}{{ template "a" }}',
            "templates call each other too deeply",
        ),
    ],
)
def test_what_cannot_be_or_takes_too_much_is_an_error(template, detail):
    with pytest.raises(InvalidTemplate, match=r".+") as refusal:
        expand(template)
    assert str(refusal.value).startswith(detail)


@pytest.mark.parametrize(
    "text", ["{{ " + "(" * 500 + "1" + ")" * 500 + " }}", "{{ if 1 }}" * 500, "a" * 70_000]
)
def test_what_is_too_large_is_refused(text):
    with pytest.raises(InvalidTemplate) as refusal:
        parse(text)
    assert refusal.value.reason is TemplateFault.TOO_MUCH


WORDS = """{{ }} {{- -}} if else end range with define "a" $x := = .A . | ( ) , 1 1.5 $labels $value nil true /* */ `
    break continue template block index printf "%v_%d_%5.2f" first query é - ' \\"""
PIECES = st.sampled_from([*re.findall(r"\S+", WORDS), " ", "\n", *sorted(NAMES)])


@given(st.lists(PIECES, max_size=30).map("".join) | st.text(max_size=30))
def test_any_text_is_expanded_or_refused_at_a_place_in_it(text):
    position = 0
    try:
        parse(text).expand(DATA, ENVIRONMENT)
    except InvalidTemplate as fault:
        position = fault.position
    assert 0 <= position <= len(text)


@given(st.text().filter(lambda text: "{{" not in text))
def test_text_without_actions_stays_as_it_is(text):
    assert parse(text).expand(DATA, ENVIRONMENT) == text


@given(st.floats())
def test_the_shortest_digits_read_back_the_same(value):
    assert float(shortest(value)) == value or math.isnan(value)


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0s"),
        (1, "1ns"),
        (1500, "1.5µs"),
        (-1_500_000, "-1.5ms"),
        (61_000_000_001, "1m1.000000001s"),
        (3600 * 10**9, "1h0m0s"),
    ],
)
def test_durations_are_written_as_in_go(ns, text):
    assert str(Duration(ns)) == text


def test_times_are_written_as_in_go():
    assert str(Time(-1_000_000)) == "1969-12-31 23:59:59.999 +0000 UTC"
