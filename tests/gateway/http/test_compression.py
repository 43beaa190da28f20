import cramjam
import pytest

from streamgauge.config import Config
from streamgauge.gateway.http.app import Gateway
from streamgauge.gateway.http.compression import accepted
from tests.support.gateway_client import Client
from tests.support.memory_reader import MemoryReader

UNPACK = {"gzip": cramjam.gzip.decompress, "zstd": cramjam.zstd.decompress}


@pytest.fixture(scope="module")
def client():
    return Client(Gateway(Config(), MemoryReader([])))


@pytest.mark.parametrize(
    ("header", "coding"),
    [
        ("", None),
        ("identity", None),
        ("gzip", "gzip"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("zstd;q=0.1, gzip;q=0.5", "gzip"),
        ("zstd;q=0, *", "gzip"),
        ("*", "zstd"),
        ("gzip;q=0", None),
        ("GZIP", "gzip"),
        ("gzip;q=x", None),
        (" gzip ; q=1 ", "gzip"),
    ],
)
def test_the_client_chooses_the_coding(header, coding):
    assert accepted(header) == coding


SHORT = "/api/v1/query", {"query": f'"{"x" * 5000}"', "time": "1"}
LONG = "/api/v1/query_range", {"query": "vector(1)", "start": "0", "end": "10999", "step": "1"}


@pytest.mark.parametrize(("url", "query"), [SHORT, LONG])
@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_a_long_answer_is_packed(client, coding, url, query):
    plain = client.get(url, params=query, headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    packed = client.raw(url, params=query, headers={"accept-encoding": coding})
    assert packed.headers["content-encoding"] == coding
    assert packed.headers["vary"] == plain.headers["vary"] == "Accept-Encoding, Origin"
    assert int(packed.headers["content-length"]) == len(packed.content) < len(plain.content)
    assert bytes(UNPACK[coding](packed.content)) == plain.content


def test_a_short_answer_is_sent_as_it_is(client):
    found = client.raw("/api/v1/query", params={"query": "1"}, headers={"accept-encoding": "zstd"})
    assert "content-encoding" not in found.headers


def test_what_is_packed_already_is_left_alone(client):
    body = cramjam.snappy.compress_raw(b"")
    headers = {"accept-encoding": "gzip"}
    found = client.request("POST", "/api/v1/read", content=bytes(body), headers=headers)
    assert found.headers["content-encoding"] == "snappy"
