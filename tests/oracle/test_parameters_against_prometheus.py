"""Parameters of the API at their boundaries: taken, or refused in the same words, as real Prometheus does."""

import json
from urllib.parse import urlencode

import pytest

from tests.oracle.same_samples import NOW_S, both_of

TIMES = [
    *("", "0", "-0", "1", "-1", "+1", "1e3", "1.5", "-1.5", ".5", "5.", "1_000", "1__0", "_1", "1_"),
    *("NaN", "nan", "+nan", "Inf", "+Inf", "-Inf", "inf", "Infinity", "infinit"),
    *(
        "0x10",
        "0x1p4",
        "0x_1p4",
        "0x1.8p1",
        "0x1p9999",
        "1e308",
        "1e400",
        "1e-400",
        " 1",
        "1 ",
        "--1",
        "1e",
        "e1",
        "x",
    ),
    *(
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775808",
        "9223372036854775",
        "-9223372036854775",
    ),
    *("9223309901257974", "-9223309901257974", "9223372036854", "253402300800", "1e15", "1e16", "\u0661"),
    *("-292273086-05-16T16:47:06Z", "292277025-08-18T07:12:54.999999999Z"),
    *("-292273086-05-16T16:47:06.000Z", "292277025-08-18T07:12:54Z"),
    *(
        "2020-01-01T00:00:00Z",
        "2020-01-01T00:00:00.123456789Z",
        "2020-01-01T00:00:00,5Z",
        "2020-01-01T00:00:00.Z",
    ),
    *(
        "2020-01-01T00:00:00+02:00",
        "2020-01-01T00:00:00+2:00",
        "2020-01-01T00:00:00+24:00",
        "2020-01-01T00:00:00+24:60",
    ),
    *("2020-01-01T00:00:00+25:00", "2020-01-01T00:00:00+23:61", "2020-01-01T00:00:00-00:00"),
    *("2020-01-01t00:00:00z", "2020-01-01 00:00:00Z", "2020-01-01T24:00:00Z", "2020-02-30T00:00:00Z"),
    *(
        "2020-02-29T23:59:59Z",
        "2021-02-29T00:00:00Z",
        "2020-01-01T00:00:60Z",
        "2020-01-01T00:00Z",
        "2020-01-01",
    ),
    *("2020-01-01T0:00:00Z", "0000-01-01T00:00:00Z", "0000-02-29T00:00:00Z", "9999-12-31T23:59:59Z"),
    *("10000-01-01T00:00:00Z", "2020-01-01T00:00:00", "now", "1m", "1577836800s"),
]
NOT_COMPARED = {"9223372036854775", "-9223372036854775", "1e16"}
"""Of which Prometheus's milliseconds run over, so that lists between them begin in 1970."""
DURATIONS = [
    *(
        "",
        "0",
        "0s",
        "-0",
        "1",
        "-1",
        "-1s",
        "1s",
        "1.5",
        "1e3",
        "1_0",
        "+1",
        "+1s",
        "NaN",
        "Inf",
        "-Inf",
        "1e400",
    ),
    *("9223372036", "9223372037", "-9223372036", "9223372036.854775807", "9223372036.9", "292y", "293y"),
    *(
        "106751d",
        "106752d",
        "9223372036854775807ms",
        "99999999999999999999y",
        "1h30m",
        "30m1h",
        "1h1h",
        "1d12h",
    ),
    *(
        "1.5h",
        "1 h",
        "h",
        "1H",
        "5m0s",
        "0d",
        "x",
        "1e",
        "0x10",
        "0x1p4",
        "1us",
        "0h",
        "00s",
        "01s",
        "1m1",
        " 1s",
    ),
]
LIMITS = [
    *("", "0", "1", "-1", "+1", "-0", "00", "1.0", "1e3", "x", "1_000", "0x10", " 1", "NaN", "2147483648"),
    *("9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809", "9" * 40),
]
SELECTORS = [
    *(
        "",
        "{}",
        "{",
        "}",
        "up",
        "up{",
        "up[",
        "up[5m]",
        "up offset 5m",
        "up @ 1",
        "sum(up)",
        "time()",
        "1",
        '"x"',
        '""',
    ),
    *(
        '{a=~".*"}',
        '{a=""}',
        '{a!=""}',
        '{a="b",}',
        "{,}",
        '{a="b" c="d"}',
        'up{a=~"("}',
        r'up{a="\x"}',
        '"up"',
    ),
    *('{"up"}', '{""}', '{"up", "a"="b"}', "a:b", "a.b", "1up", "up up", "up,down", "(up)", "-up", "+up"),
    *(
        'up{__name__="x"}',
        '{__name__=""}',
        '{__name__="a",__name__="b"}',
        "up # c",
        "#",
        "é",
        '{é="x"}',
        '{"é"="x"}',
    ),
    *(
        "up\n",
        "up{a=b}",
        "up{a=='b'}",
        "up{'a'='b'}",
        "up{a=`b`}",
        'up{a="b"} or up',
        "sum",
        "by",
        "bool",
        "offset",
        "or",
    ),
]
REGEXES = [
    *(
        "(",
        "a(b",
        "((a)",
        "a)",
        "())",
        "[",
        "[a",
        "[]",
        "[a-",
        "*",
        "+a",
        "?",
        "a**",
        "a+*",
        "a*?*",
        "{1}",
        "|*",
        "(|*)",
    ),
    *(
        "a{2,1}",
        "a{1001}",
        "a{1,1001}",
        "a{1}{2}",
        "a{1}*",
        "\\",
        "a\\",
        "[\\",
        r"\Z",
        r"\8",
        r"\x",
        r"\xg",
        r"\C",
        r"a\\C",
    ),
    *(
        r"\x{110000}",
        r"\p{Foo}",
        r"\pX",
        r"\p",
        "[z-a]",
        r"[\d-z]",
        r"[a-\d]",
        "[[:foo:]]",
        "(?P<",
        "(?P<n>",
        "(?P<n",
    ),
    *(
        "(?P<1a>x)",
        "(?P<a>x)(?P<a>y)",
        "(?<n>a",
        "(?=a)",
        "(?!a)",
        "(?i",
        "(?z)",
        "(?",
        "(?P=n)",
        "a||",
        "(?:",
        "x{,2}",
    ),
    *(r"\k<a>", r"\u1234", "(?-)", "(?i--s)", "(?#c)", "(?>a)"),
]
NOW = str(NOW_S)
RANGE = {"query": "hits_total", "start": str(NOW_S - 60), "end": NOW, "step": "10"}


@pytest.fixture(scope="module")
def both(oracle, tmp_path_factory):
    with both_of(oracle, tmp_path_factory.mktemp("parameters")) as pair:
        yield pair


def differences(both, requests):
    """Requests, by path and parameters, with another status or document than Prometheus's."""
    found = []
    for path, parameters in requests:
        target = f"/api/v1/{path}?{urlencode(parameters)}"
        status, text = both[0]._ask("GET", target)
        ours = both[1].get(target)
        if (status, _content(text)) != (ours.status_code, _content(ours.content)):
            found.append((path, parameters, status, text[:300], ours.text[:300]))
    return found


def _content(text):
    """A document without what follows from the cost of a query, and without the order of series."""
    content = json.loads(text) if text else {}
    content.pop("warnings", None)
    data = content.get("data")
    if isinstance(data, dict) and "result" in data:
        data["result"] = sorted(map(json.dumps, data["result"]))
    elif isinstance(data, list):
        content["data"] = sorted(map(json.dumps, data))
    return content


def test_every_time_is_read_as_there(both):
    requests = [("query", {"query": "hits_total", "time": time}) for time in TIMES if time]
    for time in TIMES:
        requests += [("query_range", RANGE | {name: time}) for name in ("start", "end")]
        requests.append(("query_range", RANGE | {"start": time, "end": time}))
    assert differences(both, requests) == []


@pytest.mark.parametrize("path", ["series", "labels", "label/host/values"])
def test_lists_begin_and_end_with_times_as_there(both, path):
    # what was there long ago, or will be, depends on how the index is divided
    requests = [
        (path, {"match[]": "hits_total", "start": "2", "end": "1"}),
        (path, {"match[]": "up", "start": NOW, "end": "1"}),
    ]
    for time in TIMES:
        if time not in NOT_COMPARED:
            requests += [(path, {"match[]": "none", name: time}) for name in ("start", "end")]
            requests.append((path, {"match[]": "none", "start": time, "end": time}))
    assert differences(both, requests) == []


@pytest.mark.parametrize("name", ["step", "timeout", "lookback_delta"])
def test_every_duration_is_read_as_there(both, name):
    # a look back over centuries is refused here for what it may cost
    long = ("9223372036", "292y", "106751d") if name == "lookback_delta" else ()
    requests = [("query_range", RANGE | {name: duration}) for duration in DURATIONS if duration not in long]
    if name != "step":
        requests += [
            ("query", {"query": "hits_total", "time": NOW, name: each})
            for each in DURATIONS
            if each not in long
        ]
    assert differences(both, requests) == []


def test_every_limit_is_read_as_there(both):
    requests = [("query", {"query": "hits_total", "time": NOW, "limit": limit}) for limit in LIMITS]
    requests += [("query_range", RANGE | {"limit": limit}) for limit in LIMITS]
    for path in ("series", "labels", "label/host/values"):
        requests += [(path, {"match[]": "none", "limit": limit}) for limit in LIMITS]
    found = differences(both, requests)
    # which series a limit leaves there is that of their arrival
    assert [each for each in found if each[2] != 200] == []
    for path, parameters, _, theirs, ours in found:
        assert (json.loads(ours)["status"], parameters["limit"].lstrip("+")) == ("success", "1"), (
            path,
            theirs,
        )


@pytest.mark.parametrize("path", ["series", "labels", "label/host/values"])
def test_every_selector_is_read_as_there(both, path):
    assert differences(both, [(path, {"match[]": selector}) for selector in SELECTORS]) == []


def test_every_regex_is_refused_as_there(both):
    requests = [("parse_query", {"query": f"up{{a=~{json.dumps(regex)}}}"}) for regex in REGEXES]
    found = differences(both, requests)
    assert [each for each in found if b"error" in each[3] or "error" in each[4]] == []


URL_ENCODED, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data; boundary=XX"


def parts(*named):
    """A body of parts, each the rest of a Content-Disposition and a value."""
    each = [f"--XX\r\nContent-Disposition: form-data; {name}\r\n\r\n{value}\r\n" for name, value in named]
    return "".join([*each, "--XX--\r\n"]).encode()


ONE = parts(('name="query"', "1"))
BODIES = [
    *(
        (kind, b"query=1")
        for kind in (URL_ENCODED, None, "", "application/json", "text/plain", "x", "bad/;;type")
    ),
    *((kind, b"query=1") for kind in (f"{URL_ENCODED}; charset=utf-8", URL_ENCODED.upper(), MULTIPART)),
    *(
        (URL_ENCODED, body)
        for body in (b"query=1&query=2", b"query=1+1", b"query=%31", b"=1&query", b"query=1&&=")
    ),
    *(
        (URL_ENCODED, body)
        for body in (b"query=1;time=3", b"a;b=1&query=1", b"query=%zz", b"query=1&x=%", b"query=1%2")
    ),
    *(
        (kind, ONE)
        for kind in (MULTIPART, MULTIPART.upper(), "multipart/form-data", "multipart/mixed; boundary=XX")
    ),
    *(
        (kind, ONE)
        for kind in ('multipart/form-data; boundary="XX"', "multipart/form-data; boundary=YY", URL_ENCODED)
    ),
    (MULTIPART, b""),
    (MULTIPART, ONE[:-8]),
    (MULTIPART, b"--XX\r\n\r\n1\r\n--XX--\r\n"),
    (MULTIPART, parts(("name=query", "1"))),
    (MULTIPART, parts(('name="query"; filename="f"', "1"))),
    (MULTIPART, parts(('name="query"', "1"), ('name="time"', "5"), ('name="query"', "2"))),
    (MULTIPART, parts(('name="query"', '"é\r\n"'))),
    (MULTIPART, parts(('name="query"', "1\r\n--XXY\r\n"))),
    (MULTIPART, ONE.replace(b"\r\n", b"\n")),
    (MULTIPART, ONE.replace(b"--XX--", b"--XX-- \t")),
    (MULTIPART, b"before\r\n" + ONE + b"after"),
    (MULTIPART, parts(("name=query; x=y", "1"))),
    (MULTIPART, parts(('NAME="query"', "1"))),
    (MULTIPART, parts(("name*=utf-8''a; name*0=b", "1"))),
    ("multipart/form-data; boundary*=a; boundary*0=b", ONE),
]


@pytest.mark.parametrize(
    "url", ["query", "query?time=7", "query?time=7&query=3", "query?time=7;query=3", "query?%zz=1&time=7"]
)
def test_every_form_is_read_as_there(both, url):
    for kind, body in BODIES:
        headers = {} if kind is None else {"Content-Type": kind}
        status, theirs = both[0]._ask("POST", f"/api/v1/{url}", body, headers)
        ours = both[1].request("POST", f"/api/v1/{url}", content=body, headers=headers)
        assert (ours.status_code, _timeless(ours.content)) == (status, _timeless(theirs)), (kind, body)


def _timeless(text):
    """A document in which the time of an evaluation that was not asked for is none."""
    content = json.loads(text)
    if content["status"] == "success" and content["data"]["result"] and content["data"]["result"][0] > 1e9:
        content["data"]["result"][0] = None
    return content
