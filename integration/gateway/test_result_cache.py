"""Kept answers on the real stack: those that would be computed now, whatever happens to Redis or comes late."""

import time
import uuid
from types import SimpleNamespace

import httpx
import numpy as np
import pyarrow as pa
import pytest
from redis import Redis

from integration.support.stored import wait_for
from operators.index_series import IndexSeries
from schemas.batches import batch
from schemas.blocks.codec import late_part
from schemas.tables import Resolution
from sinks.cassandra.write_blocks import BlockStore
from streamgauge.series import ids as series_ids
from streamgauge.series import labels
from streamgauge.series.known_series import KnownSeries
from streamgauge.series.samples import Samples
from streamgauge.store.changes import GenerationStore
from streamgauge.store.progress import ProgressStore
from streamgauge.store.session import connect

pytestmark = pytest.mark.usefixtures("own_collector")

STEP_S = 15
MINUTE_S = 60


class Asking:
    """Asks the gateway the same twice: as kept, and computed anew."""

    def __init__(self, config) -> None:
        self._config = config
        self._http = httpx.Client(base_url=f"http://{config.gateway.listen}", timeout=60)
        self.redis = Redis.from_url(config.redis.url)
        self.metric = f"kept_{uuid.uuid4().hex[:8]}"
        self.end = int(time.time()) // MINUTE_S * MINUTE_S - 10 * MINUTE_S
        self.start = self.end - 30 * MINUTE_S

    def push(self, at: float, value: float, **labels: str) -> None:
        """A sample by way of the collector."""
        entry = {"metric": self.metric, "labels": labels, "value": value, "timestamp": int(at * 1000)}
        answer = httpx.post(f"http://{self._config.collector.listen}/api/v1/push", json=entry)
        assert answer.status_code == 204, answer.text

    def ask(self, query="", **headers):
        """The document of the range, explained."""
        form = {
            "query": query or self.metric,
            "start": self.start,
            "end": self.end,
            "step": STEP_S,
            "explain": 1,
        }
        answer = self._http.post("/api/v1/query_range", data=form, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def same(self, query=""):
        """The kept answer, which has to be the computed one, but while that changes."""
        for _ in range(5):
            fresh = self.ask(query, **{"Cache-Control": "no-store"})
            kept = self.ask(query)
            again = self.ask(query, **{"Cache-Control": "no-store"})
            if fresh["data"] == again["data"]:
                assert kept["data"] == fresh["data"]
                assert kept.get("infos") == fresh.get("infos")
                return kept
        raise AssertionError("it does not come to rest")

    def values(self, document):
        """By labels and time."""
        return {
            (series["metric"].get("n"), at): float(value)
            for series in document["data"]["result"]
            for at, value in series["values"]
        }

    def listed(self, label, **headers):
        """The values of a label, as kept for a metric."""
        form = {
            "match[]": self.metric,
            "start": self.start,
            "end": time.time() // MINUTE_S * MINUTE_S + MINUTE_S,
        }
        return self._http.get(f"/api/v1/label/{label}/values", params=form, headers=headers).json()["data"]

    def metrics(self, name):
        """A metric of the gateway, by its labels as they are written."""
        lines = self._http.get("/metrics").text.splitlines()
        found = (line.rpartition(" ") for line in lines if line.startswith(name))
        return {labels.removeprefix(name): float(value) for labels, _, value in found}

    def close(self) -> None:
        self._http.close()
        self.redis.close()


@pytest.fixture(scope="module")
def asking(config, stored):
    """Half an hour of a series, ten minutes old, all of it in blocks."""
    opened = Asking(config)
    wait_for(lambda: stored.sealed_to() >= opened.end * 1000, 240, lambda: "no lane is sealed")
    for at in range(opened.start, opened.end + 1, STEP_S):
        opened.push(at, at % 1000, n="1")
    count = (opened.end - opened.start) // STEP_S + 1
    wait_for(lambda: len(opened.values(opened.ask(**{"Cache-Control": "no-store"}))) == count, 120)
    yield opened
    opened.close()


def _kept_share(document):
    cache = document["explain"]["cache"]
    return cache["seriesStepsKept"] / max(1, cache["seriesSteps"])


def _wait_until_kept(asking, query=""):
    """Wait for an answer that was kept as a whole, and return it: the next may not be, while late parts are written."""
    documents = []

    def is_kept():
        documents.append(asking.same(query))
        return _kept_share(documents[-1]) == 1

    wait_for(is_kept, 60, lambda: str(documents[-1]["explain"]["cache"]))
    return documents[-1]


def test_the_second_answer_is_kept_and_equal(asking):
    document = _wait_until_kept(asking)
    assert document["explain"]["reads"] == []
    [selector] = document["explain"]["selectors"]
    assert (selector["selector"], selector["resolution"]) == (asking.metric, "raw")
    assert asking.metrics("streamgauge_gateway_cache_lookups_total")['{cache="results",result="hit"}'] > 0
    fresh = asking.ask(**{"Cache-Control": "no-store"})["explain"]
    assert fresh["cache"]["refused"] == "no_store"
    assert sum(read["blocks"] for read in fresh["reads"]) > 0
    assert sum(read["bytes"] for read in fresh["reads"]) > 0


def test_infos_are_kept_too(asking):
    document = _wait_until_kept(asking, f"rate({asking.metric}[2m])")
    assert "might not be a counter" in document["infos"][0]


def test_late_data_by_way_of_kafka_changes_a_kept_answer(asking):
    _wait_until_kept(asking)
    late = asking.start + 10 * MINUTE_S
    # of two samples of one time the larger one counts
    asking.push(late, 123_456.0, n="1")
    wait_for(lambda: asking.values(asking.same()).get(("1", late)) == 123_456.0, 60)
    _wait_until_kept(asking)


def test_a_series_that_comes_late_is_in_kept_answers_and_lists(asking):
    _wait_until_kept(asking)
    assert asking.listed("n") == asking.listed("n") == ["1"]
    late = asking.start + 20 * MINUTE_S
    asking.push(late, 5.0, n="2")
    wait_for(lambda: asking.listed("n") == ["1", "2"], 30)
    assert asking.listed("n", **{"Cache-Control": "no-store"}) == ["1", "2"]
    wait_for(lambda: asking.values(asking.same()).get(("2", late)) == 5.0, 60)
    _wait_until_kept(asking)


def test_a_store_job_that_is_behind_makes_no_kept_answer_wrong(asking, config):
    """The rollup job has stored two late minutes of a series; the index sees them later, one after the other."""
    session = connect(config.cassandra)
    try:
        data = labels.canonical({"__name__": asking.metric, "n": "3"})
        identity = series_ids.series_id(data)
        lane = series_ids.lane_of(identity, config.layout.lanes)
        blocks = BlockStore(session, config.shards, config.storage_classes[-1])
        changes, known = GenerationStore(session), KnownSeries()
        index = IndexSeries(config)
        times = [(asking.start + minutes * MINUTE_S) * 1000 for minutes in (25, 8)]
        payloads = {}
        for number, at in enumerate(times):
            samples = Samples(
                series_ids.from_bytes(identity), np.array([0, 1]), np.array([at]), np.array([number + 1.0])
            )
            payloads[at] = batch.encode(samples, pa.array([data], pa.binary()))
            blocks.write_raw(lane, at, late_part(99, number, number), samples)
            changes.write(Resolution.RAW, lane, at)
        _wait_until_kept(asking)
        assert not {at for series, at in asking.values(asking.ask()) if series == "3"}
        counter = SimpleNamespace(inc=lambda *_: None)
        group = SimpleNamespace(counter=lambda _: counter, add_group=lambda *_: group)
        index.open(SimpleNamespace(get_metrics_group=lambda: group))
        try:
            for at in times:
                new = known.new(lane, at, [identity])
                assert known.hand_on(lane, at, new)
                row = lane, at, 99, times.index(at), payloads[at] if new else b""
                assert list(index.process_element(row, None)) == []
                # both minutes can be seen as soon as the series is known, this one in kept answers too
                assert asking.values(asking.ask()).get(("3", at // 1000)) == times.index(at) + 1
        finally:
            index.close()
        asking.same()
        _wait_until_kept(asking)
    finally:
        session.cluster.shutdown()


def test_while_the_index_of_a_lane_is_behind_nothing_new_is_kept(asking, config):
    session = connect(config.cassandra)
    try:
        progress = ProgressStore(session)
        sealed = progress.read_index()
        assert set(sealed) == set(range(config.layout.lanes))

        def set_index(to):
            # progress never goes back by itself: its write time is 1 µs after what is there, and before the next seal's
            where = "WHERE resolution = 'index' AND lane = 0"
            select = f"SELECT WRITETIME(sealed_to) AS written FROM rollup_progress {where}"
            written = session.execute(select).one().written
            insert = (
                "INSERT INTO rollup_progress (resolution, lane, sealed_to) VALUES ('index', 0, %s) "
                "USING TIMESTAMP %s"
            )
            session.execute(insert, (to, written + 1))

        def is_refused():
            # the job itself seals the next minute in between, at worst
            set_index(sealed[0] - 3_600_000)
            asking.redis.flushall()
            shares = [_kept_share(asking.ask()) for _ in range(2)]
            return asking.ask()["explain"]["cache"]["refused"] == "unindexed" and shares == [0, 0]

        wait_for(is_refused, 20)
        asking.same()
        set_index(max(sealed[0], progress.read(Resolution.MIN1)[0]))
        _wait_until_kept(asking)
        assert asking.ask()["explain"]["cache"]["refused"] is None
    finally:
        session.cluster.shutdown()


def test_an_empty_redis_is_filled_again(asking):
    _wait_until_kept(asking)
    asking.redis.flushall()
    assert _kept_share(asking.same()) == 0
    _wait_until_kept(asking)


def test_damaged_and_foreign_values_are_misses(asking):
    _wait_until_kept(asking)
    keys = list(asking.redis.scan_iter("streamgauge:r:*"))
    for number, key in enumerate(keys):
        value = asking.redis.get(key)
        changed = bytes([*value[:-1], value[-1] ^ 1]) if number % 2 else b"something else"
        asking.redis.set(key, changed, keepttl=True)
    assert len(keys) > 1
    assert _kept_share(asking.same()) == 0
    faults = asking.metrics("streamgauge_gateway_cache_faults_total")
    assert faults['{reason="damaged"}'] > 0
    assert faults['{reason="foreign"}'] > 0
    _wait_until_kept(asking)


def test_without_redis_everything_is_answered(asking, stack):
    _wait_until_kept(asking)
    stack.stop("redis")
    try:
        assert _kept_share(asking.same()) == 0
        assert asking.listed("n") == ["1", "2", "3"]
        assert asking.metrics("streamgauge_gateway_cache_paused") == {"": 1.0}
        assert asking.metrics("streamgauge_gateway_cache_faults_total")['{reason="connection"}'] > 0
    finally:
        stack.start("redis")
        stack.wait_ready({"redis"})
    _wait_until_kept(asking)
    stack.kill("redis")
    asking.same()
    stack.wait_ready({"redis"})
    _wait_until_kept(asking)
