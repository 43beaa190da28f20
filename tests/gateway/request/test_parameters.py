from urllib.parse import urlencode

import pytest

from streamgauge.gateway.request.faults import ErrorType, InvalidRequest
from streamgauge.gateway.request.parameters import MAX_MS, NS_PER_MS, Form, label_name
from streamgauge.times import go_duration

NOT_POSITIVE = (
    'invalid parameter "step": zero or negative query resolution step widths are not accepted. '
    "Try a positive integer"
)
TOO_MANY = (
    "exceeded maximum resolution of 11,000 points per timeseries. "
    "Try decreasing the query resolution (?step=XX)"
)


def _form(**values):
    return Form(urlencode(values))


@pytest.mark.parametrize(
    ("given", "milliseconds"),
    [
        ("0", 0),
        ("1435781451.781", 1435781451781),
        ("1.4357814517815e9", 1435781451782),
        ("-1.5", -1500),
        ("+3", 3000),
        ("2015-07-01T20:10:51.781Z", 1435781451781),
        ("2015-07-01T20:10:51+02:00", 1435774251000),
        ("2015-07-01T20:10:51.781999999Z", 1435781451781),
        ("1969-12-31T23:59:59Z", -1000),
        ("0000-01-01T00:00:00Z", -62_167_219_200_000),
        ("1_000", 1_000_000),
        ("0x1p4", 16_000),
        # as Go's conversion has it
        ("NaN", -MAX_MS),
        ("Inf", -MAX_MS),
        ("1e16", MAX_MS),
        ("-292273086-05-16T16:47:06Z", -MAX_MS),
        ("292277025-08-18T07:12:54.999999999Z", MAX_MS),
    ],
)
def test_times_are_unix_seconds_or_rfc3339(given, milliseconds):
    assert _form(time=given).time("time") == milliseconds


@pytest.mark.parametrize(
    "given",
    ["", "x", "1e400", "0x10", "1__0", " 1", "2015-07-01", "2015-07-01 20:10:51Z", "2015-13-01T00:00:00Z"],
)
def test_other_times_are_refused_in_prometheus_words(given):
    with pytest.raises(InvalidRequest) as refusal:
        _form(start=given).time("start")
    assert str(refusal.value) == f'invalid parameter "start": cannot parse "{given}" to a valid timestamp'
    assert refusal.value.reason is ErrorType.BAD_DATA


@pytest.mark.parametrize(
    ("given", "milliseconds"),
    [
        ("15", 15000),
        ("0.5", 500),
        ("1m", 60000),
        ("1h30m", 5400000),
        ("1d", 86400000),
        ("250ms", 250),
        ("1w", 604800000),
        ("1y", 31536000000),
        ("0s", 0),
        ("-1", -1000),
    ],
)
def test_durations_are_seconds_or_promql(given, milliseconds):
    assert _form(step=given).duration_ns("step") == milliseconds * NS_PER_MS


@pytest.mark.parametrize("given", ["", "x", "1m1h", "1.5m", "-1m", "5 m"])
def test_other_durations_are_refused_in_prometheus_words(given):
    with pytest.raises(InvalidRequest) as refusal:
        _form(step=given).duration_ns("step")
    assert str(refusal.value) == f'invalid parameter "step": cannot parse "{given}" to a valid duration'


@pytest.mark.parametrize(
    ("start", "end", "step", "message"),
    [
        ("2", "1", "1", 'invalid parameter "end": end timestamp must not be before start time'),
        ("1", "2", "0", NOT_POSITIVE),
        ("1", "2", "-5", NOT_POSITIVE),
        ("0", "11001", "1", TOO_MANY),
    ],
)
def test_steps_are_refused_in_prometheus_words(start, end, step, message):
    with pytest.raises(InvalidRequest) as refusal:
        _form(start=start, end=end, step=step).steps(11_000)
    assert str(refusal.value) == message


def test_the_last_step_may_come_before_the_end():
    steps = _form(start="0", end="10.5", step="5").steps(11_000)
    assert (steps.start, steps.step, steps.points) == (0, 5000, 3)
    assert _form(start="0", end="11000", step="1").steps(11_000).points == 11_001


def test_limits_are_counts():
    assert [_form(limit=given).limit() for given in ("", "0", "7")] == [None, None, 7]
    for given, message in (
        ("x", 'strconv.Atoi: parsing "x": invalid syntax'),
        ("-1", "limit must be non-negative"),
    ):
        with pytest.raises(InvalidRequest, match="limit") as refusal:
            _form(limit=given).limit()
        assert str(refusal.value) == f'invalid parameter "limit": {message}'


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0s"),
        (1, "1ns"),
        (-1500, "-1.5µs"),
        (2_000_000, "2ms"),
        (999_999_999, "999.999999ms"),
        (10**9, "1s"),
        (61_500_000_000, "1m1.5s"),
        (3_600_000_000_000, "1h0m0s"),
        (-(2**63), "-2562047h47m16.854775808s"),
    ],
)
def test_durations_are_written_as_go_writes_them(nanoseconds, text):
    assert go_duration(nanoseconds) == text


def test_a_timeout_only_shortens():
    assert _form().timeout_s(30) == 30
    assert _form(timeout="5s").timeout_s(30) == 5
    assert _form(timeout="5m").timeout_s(30) == 30
    with pytest.raises(InvalidRequest, match="must be positive"):
        _form(timeout="0").timeout_s(30)


def test_the_body_comes_before_the_url():
    form = Form("query=a&match[]=1&x=", b"query=b&match%5B%5D=2")
    assert form.get("query") == "b"
    assert form.all("match[]") == ["2", "1"]
    assert form.get("absent") == ""


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("job", "job"),
        ("U__a_2e_b", "a.b"),
        ("U__no:_5f_x", "no:_x"),
        ("U____name__", "_name_"),
        ("U__snow_2603_", "snow☃"),
        ("U__bad_zz_", "U__bad_zz_"),
        ("U__d800_d800_", "U__d800_d800_"),
        ("U__", "U__"),
        ("my.label", "my.label"),
    ],
)
def test_label_names_may_be_escaped(given, name):
    assert label_name(given) == name


def test_requests_that_name_their_time_are_the_same_if_all_their_parameters_are():
    one = Form("query=up&time=5", b"limit=1")
    assert one.identity == Form("", b"limit=1&query=up&time=5").identity
    others = [Form("query=up&time=6&limit=1"), Form("query=up&time=5", path_name="x"), Form("query=up&end=5")]
    assert len({each.identity for each in (one, *others)}) == 4
    assert Form("query=up").identity is None
    assert Form("query=up&time=").identity is None
    assert Form("query=up&time=5", no_store=True).identity is None
