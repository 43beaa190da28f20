import asyncio
import gzip
import threading
from time import time_ns

import numpy as np
import pytest
from werkzeug import Response

from streamgauge.collect.incoming.series_table import SeriesTable
from streamgauge.collect.intake import Taken
from streamgauge.collect.metrics import Metrics
from streamgauge.collect.producing.delivery import Delivery
from streamgauge.collect.scraping.exposition import InvalidExposition
from streamgauge.collect.scraping.fetch import FailedScrape, ScrapeFault, client, fetch
from streamgauge.collect.scraping.scrape import Scraper
from streamgauge.collect.scraping.target_series import TargetSeries
from streamgauge.collect.scraping.targets import Target, read_targets
from streamgauge.config import Config
from streamgauge.series.labels import parse
from streamgauge.series.samples import STALE_BITS
from streamgauge.yaml_file import InvalidFile
from tests.support.http_server import serving

T = 1_800_000_000_000


def target(**changes):
    plain = {
        "job": "node",
        "url": "http://127.0.0.1:1/metrics",
        "interval": 1000,
        "timeout": 1000,
        "labels": {"job": "node", "instance": "h:1"},
        "external": {},
        "honor_labels": False,
        "honor_timestamps": True,
    }
    return Target(**{**plain, **changes})


class Observed:
    """A target's series over one table, read back as plain values."""

    def __init__(self, **changes):
        self.table = SeriesTable(4, 1000)
        self.series = TargetSeries(target(**changes))

    def scraped(self, page, time=T):
        return self._plain(self.series.scraped(page, self.table, time, 0.5))

    def failed(self, time=T):
        return self._plain(self.series.failed(self.table, time, 0.5))

    def ended(self, time=T):
        return self._plain(self.series.ended(self.table, time))

    def _plain(self, rows):
        found = {}
        bits = rows.values.view(np.uint64)
        for ordinal, time, value, bit in zip(
            rows.ordinals.tolist(), rows.timestamps.tolist(), rows.values.tolist(), bits.tolist(), strict=True
        ):
            labels = parse(self.table.canonical(ordinal))
            labels = {k: v for k, v in labels.items() if v not in ("node", "h:1")}
            key = ",".join(f"{k}={v}" if k != "__name__" else v for k, v in labels.items())
            assert key not in found
            found[key] = ("stale" if bit == STALE_BITS else value, time - T)
        return found


def reports(up, lines, added):
    return {
        "up": (up, 0),
        "scrape_duration_seconds": (0.5, 0),
        "scrape_samples_scraped": (lines, 0),
        "scrape_samples_post_metric_relabeling": (lines, 0),
        "scrape_series_added": (added, 0),
    }


def test_a_scrape_gives_its_samples_and_the_reports():
    assert Observed().scraped(b"a 1\nb 2\n") == {"a": (1, 0), "b": (2, 0), **reports(1, 2, 2)}


def test_a_series_that_vanished_is_marked_stale_once():
    observed = Observed()
    observed.scraped(b"a 1\nb 2\n")
    assert observed.scraped(b"a 1\n") == {"a": (1, 0), "b": ("stale", 0), **reports(1, 1, 0)}
    assert observed.scraped(b"a 1\nc 1\n") == {"a": (1, 0), "c": (1, 0), **reports(1, 2, 1)}


def test_a_failed_scrape_marks_all_series_stale_once_and_up_is_zero():
    observed = Observed()
    observed.scraped(b"a 1\n")
    assert observed.failed() == {"a": ("stale", 0), **reports(0, 0, 0)}
    assert observed.failed() == reports(0, 0, 0)
    assert observed.scraped(b"a 2\n") == {"a": (2, 0), **reports(1, 1, 0)}


def test_a_bad_page_gives_nothing_and_leaves_the_series_to_be_marked():
    observed = Observed()
    observed.scraped(b"a 1\n")
    with pytest.raises(InvalidExposition):
        observed.scraped(b"a 2\nb\n")
    assert observed.failed()["a"] == ("stale", 0)


def test_a_series_with_its_own_timestamp_is_never_marked_stale():
    observed = Observed()
    assert observed.scraped(f"a 1 {T - 7}\n".encode())["a"] == (1, -7)
    assert "a" not in observed.scraped(b"b 1\n")


def test_timestamps_are_passed_over_unless_honoured():
    observed = Observed(honor_timestamps=False)
    assert observed.scraped(f"a 1 {T - 7}\n".encode())["a"] == (1, 0)
    assert observed.scraped(b"b 1\n")["a"] == ("stale", 0)


def test_of_a_series_given_twice_the_first_counts():
    assert Observed().scraped(b"a 1\na 2\n") == {"a": (1, 0), **reports(1, 2, 1)}


def test_the_end_of_a_target_marks_its_reports_stale_too():
    observed = Observed()
    observed.scraped(b"a 1\n")
    ended = observed.ended()
    assert set(ended) == {"a", *reports(1, 1, 1)}
    assert set(ended.values()) == {("stale", 0)}


def test_series_are_followed_into_a_new_table():
    observed = Observed()
    observed.scraped(b"a 1\nb 2\n")
    observed.table = SeriesTable(4, 1000)
    observed.table.intern(b"__name__\xffother")
    assert observed.scraped(b"a 3\n") == {"a": (3, 0), "b": ("stale", 0), **reports(1, 1, 0)}


@pytest.mark.parametrize(
    ("honor", "exposed", "expected"),
    [
        (False, {"job": "x"}, {"job": "node", "exported_job": "x", "instance": "h:1"}),
        (
            False,
            {"job": "x", "exported_job": "y"},
            {"job": "node", "exported_job": "y", "exported_exported_job": "x", "instance": "h:1"},
        ),
        (False, {"job": ""}, {"job": "node", "instance": "h:1"}),
        (True, {"job": "x"}, {"job": "x", "instance": "h:1"}),
        (False, {"zone": "a"}, {"job": "node", "instance": "h:1", "zone": "a"}),
    ],
)
def test_labels_that_the_target_has_too(honor, exposed, expected):
    assert target(honor_labels=honor).attach(exposed) == expected


def test_external_labels_are_added_where_absent():
    attached = target(external={"region": "eu", "zone": "z"}).attach({"zone": "a"})
    assert (attached["region"], attached["zone"]) == ("eu", "a")


GOOD = """
global: {scrape_interval: 15s, external_labels: {region: eu}}
scrape_configs:
  - job_name: node
    scrape_interval: 1s
    params: {module: [a, b]}
    static_configs:
      - targets: ["h:1", "h:2"]
        labels: {zone: a}
  - job_name: other
    scheme: https
    metrics_path: /m
    scrape_timeout: 2s500ms
    static_configs: [{targets: ["[::1]:9"]}]
"""


def read(tmp_path, text):
    (tmp_path / "scrape.yml").write_text(text)
    return read_targets(tmp_path / "scrape.yml")


def test_a_scrape_file_names_its_targets(tmp_path):
    first, second, third = read(tmp_path, GOOD)
    assert first.url == "http://h:1/metrics?module=a&module=b"
    assert first.labels == {"job": "node", "instance": "h:1", "zone": "a"}
    assert (first.interval, first.timeout, first.external) == (1000, 1000, {"region": "eu"})
    assert first.offset != second.offset
    assert first.discovered == {
        "__address__": "h:1",
        "__metrics_path__": "/metrics",
        "__scheme__": "http",
        "__scrape_interval__": "1s",
        "__scrape_timeout__": "1s",
        "__param_module": "a",
        "job": "node",
        "zone": "a",
    }
    assert third.discovered["__metrics_path__"] == "/m"
    assert third.discovered["__scrape_timeout__"] == "2s500ms"
    assert (third.url, third.interval, third.timeout) == ("https://[::1]:9/m", 15_000, 2500)


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("scheme: https", "schema: https", 11, "unknown key"),
        ("scrape_interval: 1s", "scrape_interval: 500ms", 5, "at least 1s"),
        ("scrape_interval: 1s", "scrape_interval: soon", 5, "a duration"),
        ("{zone: a}", "{__zone: a}", 9, "not a label name"),
        ('"h:1"', '"http://h:1"', 8, "not host:port"),
        ("scheme: https", "scheme: ftp", 11, "http"),
        ("job_name: other", "job_name: node", 2, "two jobs"),
        ("2s500ms", "1m", 2, "longer than"),
    ],
)
def test_faults_of_a_scrape_file_name_the_line(tmp_path, old, new, line, words):
    with pytest.raises(InvalidFile) as caught:
        read(tmp_path, GOOD.replace(old, new))
    assert f"scrape.yml:{line}:" in str(caught.value)
    assert words in str(caught.value)


@pytest.fixture(scope="module")
def exporter():
    release = threading.Event()

    def answer(request):
        if request.path == "/slow":
            release.wait(10)
        page = b"a 1\n"
        match request.path:
            case "/moved":
                return Response(status=302, headers={"Location": "/metrics"})
            case "/broken":
                return Response(page, 500)
            case "/other":
                return Response(page, headers={"Content-Encoding": "br"})
            case "/gzip":
                return Response(gzip.compress(page), headers={"Content-Encoding": "gzip"})
            case "/large":
                return Response(gzip.compress(page * 100_000), headers={"Content-Encoding": "gzip"})
            case "/cut":
                return Response(gzip.compress(bytes(1000))[:-9], headers={"Content-Encoding": "gzip"})
        return Response(page)

    with serving(answer) as url:
        yield url
        release.set()


def fetched(url, timeout=5000):
    async def once():
        async with client() as http:
            return await fetch(http, target(url=url, timeout=timeout), 10_000)

    return asyncio.run(once())


@pytest.mark.parametrize("path", ["/metrics", "/gzip", "/moved"])
def test_pages_are_fetched_plain_packed_and_from_elsewhere(exporter, path):
    assert fetched(exporter + path) == b"a 1\n"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/slow", ScrapeFault.TIMEOUT),
        ("/broken", ScrapeFault.BAD_STATUS),
        ("/large", ScrapeFault.TOO_LARGE),
        ("/cut", ScrapeFault.BAD_PAGE),
        ("/other", ScrapeFault.BAD_PAGE),
    ],
)
def test_pages_that_cannot_be_had_fail_with_their_reason(exporter, path, reason):
    with pytest.raises(FailedScrape) as caught:
        fetched(exporter + path, timeout=300 if path == "/slow" else 5000)
    assert caught.value.reason is reason


def test_a_target_that_does_not_listen_fails():
    with pytest.raises(FailedScrape) as caught:
        fetched("http://127.0.0.1:1/metrics")
    assert caught.value.reason is ScrapeFault.NO_ANSWER


class Took:
    """Stands for the intake: keeps how many rows came, and fails as told."""

    def __init__(self, failures=0):
        self._table = SeriesTable(4, 1000)
        self._failures = failures
        self.added = 0

    async def take(self, decode, _source):
        rows, refusals = decode(self._table)
        if self._failures:
            self._failures -= 1
            raise RuntimeError("broken")
        self.added += 1
        delivery = Delivery()
        delivery.settle(None)
        return Taken(refusals, len(rows.timestamps), delivery)


def scraped_until(scraper, enough):
    async def scrape():
        task = asyncio.create_task(scraper.run())
        while not enough():
            await asyncio.sleep(0.01)
            assert not task.done()
        task.cancel()
        await asyncio.wait([task])

    asyncio.run(asyncio.wait_for(scrape(), 30))


def clock():
    return time_ns() // 1_000_000


def test_an_unexpected_error_of_a_scrape_is_a_failed_scrape_of_that_target_only(exporter, monkeypatch):
    intake, metrics = Took(), Metrics()
    targets = [target(url=f"{exporter}/metrics?{name}", job=name) for name in ("bad", "good")]
    scraper = Scraper(Config(), targets, intake, clock, metrics)
    bad, good = scraper.loops
    monkeypatch.setattr(bad._series, "scraped", lambda *_: 1 // 0)
    scraped_until(scraper, lambda: bad.last_scrape and good.last_scrape)
    assert (bad.state()["health"], good.state()["health"]) == ("down", "up")
    assert "ZeroDivisionError" in bad.last_error
    assert metrics.registry.get_sample_value("scrape_errors_total", {"job": "bad", "reason": "unexpected"})


def test_a_failed_scrape_that_cannot_be_handed_in_ends_no_loop(exporter):
    intake = Took(failures=2)
    scraper = Scraper(Config(), [target(url=exporter + "/metrics")], intake, clock, Metrics())
    scraped_until(scraper, lambda: intake.added)
    assert scraper.loops[0].state()["health"] == "up"
