"""Series of a storage class go to its tables, on every level, and are read from there."""

import pytest

from integration.support.batches import BatchProducer
from integration.support.stored import wait_for
from integration.support.workload import MINUTE_MS
from schemas.tables import Resolution
from streamgauge.series.matchers import Matcher, MatchOp
from streamgauge.store.blocks.rollups import NoDigests
from streamgauge.store.reader import Reader
from streamgauge.store.session import connect

METRIC = "classes_test"
MINUTES = 6


@pytest.fixture(scope="module")
def reader(stack):
    session = connect(stack.config.cassandra)
    yield Reader(session, stack.config.shards, stack.config.storage_classes)
    session.cluster.shutdown()


@pytest.fixture(scope="module")
def times(stack, stored, simulated):
    """The first minute and the end of six minutes of two series in each class, one sample of each late."""
    stack.wait_ready({"store", "rollup"})
    producer = BatchProducer(stack.config)
    start = simulated.next + -simulated.next % (5 * MINUTE_MS)
    series = [{"__name__": METRIC, "host": f"h{n}", "tier": ("short", "")[n % 2]} for n in range(4)]
    series = [{name: value for name, value in one.items() if value} for one in series]
    for now in range(start, start + MINUTES * MINUTE_MS, 10_000):
        producer.send([(one, [(now, float(now % 7))]) for one in series], sent=now)
        producer.heartbeat(now)
    end = start + MINUTES * MINUTE_MS
    producer.send([(one, [(start + 1234, 5.0)]) for one in series], sent=end)
    simulated.next = end + MINUTE_MS
    producer.heartbeat(simulated.next)
    producer.until_sealed(stored, end)
    return start, end


def _select(reader, times, *matchers):
    named = Matcher("__name__", MatchOp.EQUAL, METRIC)
    return reader.select([named, *matchers], *times)


def test_each_series_is_in_the_tables_of_its_class_only(stored, times, stack):
    *_, short, standard = stack.config.storage_classes
    for resolution in (Resolution.RAW, Resolution.MIN1, Resolution.MIN5):
        for kept, tiers in ((short, {"short"}), (standard, {None})):
            assert stored.tiers(kept.table(resolution), resolution, METRIC, times[0]) == tiers, resolution


def test_a_late_sample_reaches_every_level_of_every_class(reader, times):
    selection = _select(reader, times)

    def counts():
        rolled = reader.rollups(selection, Resolution.MIN5, *times, ["count"])
        return [rolled.columns["count"][at] for at in rolled.offsets[:-1]]

    wait_for(lambda: counts() == [31] * 4, 60, lambda: str(counts()))
    assert len(reader.raw(selection, *times).values) == 4 * (MINUTES * 6 + 1)


def test_percentiles_of_a_class_without_digests_are_refused(reader, times):
    short = _select(reader, times, Matcher("tier", MatchOp.EQUAL, "short"))
    with pytest.raises(NoDigests):
        reader.rollups(short, Resolution.MIN5, *times, ["p99"])
    others = _select(reader, times, Matcher("tier", MatchOp.EQUAL, ""))
    assert len(reader.rollups(others, Resolution.MIN5, *times, ["p99"]).ids) == 2
