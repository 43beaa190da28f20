"""Federation and remote read, as real Prometheus has them, over the same samples."""

from urllib.parse import urlencode

import cramjam
import pytest

from schemas.protobuf import field, fields, integer, text, varint
from tests.oracle.same_samples import NOW_S, both_of


@pytest.fixture(scope="module")
def both(oracle, tmp_path_factory):
    with both_of(oracle, tmp_path_factory.mktemp("api")) as pair:
        yield pair


FEDERATED = [
    [],
    ["hits_total"],
    ['{__name__=~".+"}'],
    ['{job="web"}', 'hits_total{host="a"}'],
    ["gone"],
    ["nothing"],
    ["special"],
    ["{"],
]
ACCEPTS = [
    "",
    "*/*",
    "text/plain;version=0.0.4;escaping=allow-utf-8",
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=0.0.4;q=0.4,*/*;q=0.1",
]


@pytest.mark.parametrize("accept", ACCEPTS)
@pytest.mark.parametrize("match", FEDERATED)
def test_what_is_federated_is_the_same_text(both, match, accept):
    target = f"/federate?{urlencode({'match[]': match}, doseq=True)}"
    headers = {"Accept": accept}
    connection = both[0]._connection
    connection.request("GET", target, headers=headers)
    theirs = connection.getresponse()
    expected = theirs.read()
    found = both[1].get(target, headers=headers)
    assert (found.status_code, found.text) == (theirs.status, expected.decode())
    if found.status_code == 200:
        assert found.headers["content-type"] == theirs.headers["content-type"]


MATCHERS = [
    [(0, "__name__", "hits_total")],
    [(1, "job", ""), (2, "host", "a|b")],
    [(3, "__name__", "hits.*|special"), (0, "job", "web")],
    [(2, "__name__", "gone|special|a.b")],
    [(0, "__name__", "nothing")],
]


def _read_request(queries, kinds=(0,)):
    parts = []
    for start, end, matchers in queries:
        encoded = b"".join(
            field(3, b"\x08" + varint(op) + field(2, name.encode()) + field(3, value.encode()))
            for op, name, value in matchers
        )
        parts.append(field(1, b"\x08" + varint(start) + b"\x10" + varint(end) + encoded))
    parts += [b"\x10" + varint(kind) for kind in kinds]
    return bytes(cramjam.snappy.compress_raw(b"".join(parts)))


def _read_answer(body):
    """Samples by labels, for each query."""
    results = []
    for _, result in fields(bytes(cramjam.snappy.decompress_raw(body))):
        series = {}
        for _, one in fields(result):
            labels = tuple(
                tuple(text(part) for _, part in fields(content))
                for number, content in fields(one)
                if number == 1
            )
            series[labels] = [dict(fields(content)) for number, content in fields(one) if number == 2]
        results.append({labels: [_sample(each) for each in found] for labels, found in series.items()})
    return results


def _sample(parts):
    # a value of zero is not written
    return integer(parts[2]), parts.get(1, b"\x00" * 8)


def _read(both, body):
    theirs = both[0]._ask("POST", "/api/v1/read", body, {"Content-Encoding": "snappy"})
    found = both[1].request("POST", "/api/v1/read", content=body)
    return theirs, (found.status_code, found.content)


@pytest.mark.parametrize("kinds", [(), (0,), (1, 0)])
def test_the_same_samples_are_read_from_afar(both, kinds):
    start, end = (NOW_S - 300) * 1000, NOW_S * 1000
    body = _read_request([(start, end, matchers) for matchers in MATCHERS], kinds)
    theirs, ours = _read(both, _read_request([(start, end, matchers) for matchers in MATCHERS], (0,)))
    asked = both[1].request("POST", "/api/v1/read", content=body)
    expected = _read_answer(theirs[1])
    assert sum(map(len, expected)) == 10
    assert _read_answer(ours[1]) == _read_answer(asked.content) == expected
    assert asked.headers["content-type"] == "application/x-protobuf"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xff\xff\xff\xff",
        bytes(cramjam.snappy.compress_raw(b"\x0a\x05x")),
        _read_request([(0, 1, [(9, "a", "b")])]),
        _read_request([(0, 1, [(2, "a", "(")])]),
        _read_request([], (7,)),
        _read_request([]),
    ],
)
def test_a_faulty_reading_request_has_the_same_status(both, body):
    theirs, ours = _read(both, body)
    # what is no matcher is a fault of the server to Prometheus
    assert ours[0] == {500: 400}.get(theirs[0], theirs[0])
