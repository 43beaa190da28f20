"""What queries are estimated to cost, and what becomes of dear ones."""

import pytest

from streamgauge.config import Config
from streamgauge.config import Gateway as Settings
from streamgauge.config.gateway import Cost
from streamgauge.gateway.http.app import Gateway
from streamgauge.gateway.query.evaluation import Evaluation, estimated, expression
from streamgauge.promql.data.query import Level, Query
from streamgauge.store.reading import ReadContext
from tests.support.gateway_client import Client
from tests.support.memory_reader import MemoryReader

STEP = 15_000
HOUR = 3_600_000
TIMES = range(0, 3_600_000, STEP)
SERIES = [
    ({"__name__": name, "host": host}, [(at, 1.0) for at in TIMES])
    for name in "ab"
    for host in ("x", "y", "z")
]


@pytest.fixture(scope="module")
def reader():
    return MemoryReader(SERIES)


@pytest.mark.parametrize(
    "query",
    [
        "a",
        "a[10m]",
        "rate(a[5m])",
        "sum by (host) (a) / on (host) b",
        "topk(2, a)",
        "max_over_time(rate(a[1m])[10m:1m])",
        "a @ end() offset 5m + a",
        "absent(a)",
        "quantile_over_time(0.9, a[5m])",
        "label_replace(a, 'h', '$1', 'host', '(.*)')",
        "histogram_quantile(0.9, a)",
        "none",
        "vector(1)",
    ],
)
def test_what_is_estimated_is_what_is_read(reader, query):
    asked = Query(3_000_000, 3_000_000 if "[10m]" in query else 3_300_000, 30_000, 300_000)
    reading = ReadContext()
    parsed = expression(query, "query")
    estimate = Evaluation(query, parsed, asked, reader, ReadContext()).forecast()
    Evaluation(query, parsed, asked, reader, reading).whole()
    # what lies on both ends of a window is one more for each series
    assert reading.samples <= estimate.samples <= reading.samples + estimate.series
    assert estimate.bytes >= reading.samples * 16


@pytest.mark.parametrize(("query", "width", "kept"), [("a", 0, 26 * HOUR), ("a", HOUR, 365 * 24 * HOUR)])
def test_a_long_lookback_costs_no_more_than_what_is_kept_of_its_resolution(reader, query, width, kept):
    now, lookback = 10_000 * HOUR, 5000 * HOUR
    levels = [Level(width, now - kept)]
    parsed = expression(query, "query")
    estimate = estimated(parsed, Query(now, now, 1, lookback), levels, Whole(reader), ReadContext())
    every = min(kept, lookback) // (width or STEP)
    assert 3 * every <= estimate.samples / (2 if width else 1) <= 3 * (every + 3)


class Whole:
    """Selects the same series whenever it is asked."""

    def __init__(self, reader):
        self._reader = reader

    def select(self, matchers, *_):
        return self._reader.select(matchers, 0, 3_600_000, ReadContext())


class Counting(MemoryReader):
    """Counts what is looked up in the index."""

    def __init__(self, series):
        super().__init__(series)
        self.selections = 0

    def select(self, *arguments):
        self.selections += 1
        return super().select(*arguments)


def client(reader, **settings):
    return Client(Gateway(Config(gateway=Settings(**settings)), reader))


def ask(client, query, path="query", **parameters):
    return client.get(f"/api/v1/{path}", params={"query": query, "time": "3000", **parameters})


def test_the_index_is_read_once_for_estimate_and_query():
    reader = Counting(SERIES)
    assert len(ask(client(reader), "a + b").json()["data"]["result"]) == 3
    assert reader.selections == 2


def test_a_dear_query_is_answered_with_a_warning(reader):
    dear = client(reader, warn_above=Cost(samples=200))
    assert "warnings" not in ask(dear, "a[15m]").json()
    document = ask(dear, "a[30m]").json()
    assert document["status"] == "success"
    assert document["warnings"] == ["query is expensive: about 3 series, 360 samples, 0 MiB"]


@pytest.mark.parametrize("limit", [Cost(samples=200), Cost(series=2), Cost(bytes=4000)])
def test_one_that_is_too_dear_is_refused_before_it_reads(limit):
    reader = Counting(SERIES)
    reader.raw = None
    response = ask(client(reader, refuse_above=limit), "a[30m]")
    assert (response.status_code, response.json()["errorType"]) == (422, "cost_limit")
    assert response.json()["error"].startswith(
        "query would cost too much: about 3 series, 360 samples, 0 MiB"
    )


def test_the_estimate_can_be_asked_for(reader):
    document = ask(client(reader, refuse_above=Cost(samples=1)), "a[30m]", "query_cost").json()
    assert document["data"] == {
        "estimate": {"seriesTouched": 3, "samplesRead": 360, "bytes": 3 * (120 * 16 + 9)}
    }
    steps = {"start": "3000", "end": "3300", "step": "30"}
    document = ask(client(reader), "rate(a[5m])", "query_range_cost", **steps).json()
    assert document["data"]["estimate"]["samplesRead"] == 120
    refused = ask(client(reader), "a[", "query_cost")
    assert (refused.status_code, refused.json()["errorType"]) == (400, "bad_data")
