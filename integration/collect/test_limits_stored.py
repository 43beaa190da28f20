"""What older collectors put on Kafka and Cassandra does not take: set aside by the series, and it stops nothing."""

import numpy as np
import pyarrow as pa
import pytest
from cassandra import InvalidRequest

from integration.conftest import HOUR_MS
from integration.support.batches import BatchProducer
from integration.support.set_aside import RejectedMessages
from integration.support.stored import wait_for
from schemas import limits
from schemas.batches import batch
from sinks.cassandra.write_index import IndexStore, is_about_size
from streamgauge.series import ids
from streamgauge.series.labels import canonical
from streamgauge.series.matchers import Matcher, MatchOp
from streamgauge.series.samples import Samples
from streamgauge.store.index.read_index import IndexReader
from streamgauge.store.reader import Reader
from streamgauge.store.reading import ReadContext
from streamgauge.store.session import connect
from streamgauge.times import now_ms


@pytest.fixture(scope="module")
def session(config):
    session = connect(config.cassandra)
    yield session
    session.cluster.shutdown()


@pytest.mark.usefixtures("undisturbed")
def test_poison_in_kafka_is_set_aside_by_the_series_and_stops_nothing(config, stored, session):
    """As a collector of before could write it: longer labels than Cassandra takes in a key."""
    rejected, producer = RejectedMessages(config), BatchProducer(config)
    minute = batch.minute_of(now_ms()) - 60_000
    room = limits.MAX_INDEX_LABEL_BYTES
    poison = [
        {"__name__": "poison", "v": "x" * (room - 1)},
        {"__name__": "poison", "v": "x" * 65_520},
        {"__name__": "poison", "v": "x" * 70_000},
        {"__name__": "poison", "v": "x" * 700_000},
        {"__name__": "poison", "n" * 70_000: "v"},
        {"__name__": "p" * 70_000},
    ]
    expected, refused = {}, []
    for number, labels in enumerate(poison):
        data = canonical(labels)
        lane = ids.lane_of(ids.series_id(data), config.layout.lanes)
        beside = _of_lane(lane, number, config.layout.lanes)
        longest = _of_lane(lane, f"{number}_longest", config.layout.lanes, "x" * (room - 2))
        rows = sorted((ids.series_id(one), one) for one in (data, *beside, *longest))
        samples = Samples(
            ids.from_bytes(b"".join(identity for identity, _ in rows)),
            np.arange(len(rows) + 1),
            np.full(len(rows), minute + 7),
            np.arange(float(len(rows))),
        )
        value = batch.encode(samples, pa.array([one for _, one in rows], pa.binary()))
        headers = dict(batch.headers_of(f"poison-{number}", now_ms()))
        producer.put(batch.key_of(lane), value, headers, minute + 7, lane)
        expected.update({one: {minute + 7: float(at)} for at, (_, one) in enumerate(rows) if one != data})
        refused.append(data)
    good = dict(batch.headers_of("poison", now_ms()))
    producer.put(b"9" * 600_000, b"key", good, minute)
    producer.put(b"0", b"version", good | {"version": b"x" * 900_000}, minute)
    producer.put(b"0", b"producer", {"producer": b"x" * 900_000}, minute)
    producer.flush()
    found = rejected.read(len(poison) + 3)
    alone = {
        headers["producer"]: (value, headers)
        for value, headers in found
        if headers["reason"] == "labels_too_long"
    }
    for number, data in enumerate(refused):
        value, headers = alone.pop(f"poison-{number}")
        lane = ids.lane_of(ids.series_id(data), config.layout.lanes)
        content = batch.decode(value, lane, minute, config.layout.lanes, labels=True)
        assert batch.labels_by_id(content) == {ids.series_id(data): data}
        assert "the index at most" in headers["detail"]
    assert not alone
    assert sorted(headers["reason"] for _, headers in found)[:3] == ["bad_key", "bad_version", "bad_version"]
    reader = Reader(session, config.shards, config.storage_classes)
    for data, samples in expected.items():
        wait_for(
            lambda data=data, samples=samples: _read(reader, data) == samples,
            60,
            lambda data=data: str(data[:90]),
        )
    # the rollup job has the minute too, and goes on
    by_id = {ids.series_id(data): samples for data, samples in expected.items()}

    def there():
        producer.heartbeat(now_ms())
        producer.flush()
        return stored.raw(by_id) == by_id

    wait_for(there, 90, lambda: f"{len(stored.raw(by_id))} of {len(by_id)}")


def _of_lane(lane, name, lanes, value="v"):
    """A few series of a lane."""
    found = (canonical({"__name__": f"beside_{name}", "a": str(n), "v": value}) for n in range(10_000))
    fitting = (data for data in found if ids.lane_of(ids.series_id(data), lanes) == lane)
    return [next(fitting) for _ in range(1 if len(value) > 1000 else 3)]


def _read(reader, data):
    """The samples of a series that is looked up by its labels."""
    parts = data.split(b"\xff")
    pairs = zip(parts[::2], parts[1::2], strict=True)
    matchers = [Matcher(name.decode(), MatchOp.EQUAL, value.decode()) for name, value in pairs]
    now = now_ms()
    selection = reader.select(matchers, now - HOUR_MS, now)
    samples = reader.raw(selection, now - HOUR_MS, now)
    return dict(zip(samples.timestamps.tolist(), samples.values.tolist(), strict=True))


def test_what_cassandra_refuses_is_halved_down_to_single_series(config, session, name):
    """Also without the job's look at labels before: nothing but the size of a series is taken for its own fault."""
    now, lane = now_ms(), 1
    texts = [*("v" * (n + 1) for n in range(60)), *("x" * n for n in (65_512, 65_513, 65_530, 70_000))]
    rows = {
        ids.series_id(data): data for data in (canonical({"__name__": name, "v": text}) for text in texts)
    }
    refused = IndexStore(session, config.shards).write(lane, now, rows)
    assert sorted(len(rows[one]) for one in refused) == [
        len(canonical({"__name__": name, "v": t})) for t in texts[61:]
    ]
    assert IndexStore(session, config.shards).write(lane, now, rows).keys() == refused.keys()
    reader = IndexReader(session, config.shards, now_ms)
    by_name = Matcher("__name__", MatchOp.EQUAL, name)
    found = reader.select([by_name], now, now, ReadContext())
    assert set(found.labels) == {data for identity, data in rows.items() if identity not in refused}
    for statement in ("INSERT INTO no_such_table (a) VALUES (1)", "INSERT INTO series (no_such) VALUES (1)"):
        with pytest.raises(InvalidRequest) as fault:
            session.execute(statement)
        assert not is_about_size(fault.value)
    mutation = session.prepare(
        "INSERT INTO series (lane, period, metric_group, id, labels) VALUES (0, 0, 0, ?, ?)"
    )
    with pytest.raises(InvalidRequest) as fault:
        session.execute(mutation, (b"0", b"x" * 15 * 2**20 + b"x" * 2**20))
    assert is_about_size(fault.value), fault.value


def test_labels_that_no_series_can_have_select_nothing(config, session):
    reader, now = IndexReader(session, config.shards, now_ms), now_ms()
    for size in (limits.MAX_INDEX_LABEL_BYTES - 2, 65_520, 70_000, 700_000):
        for one in (Matcher("v", MatchOp.EQUAL, "y" * size), Matcher("y" * size, MatchOp.EQUAL, "v")):
            named_too = Matcher("__name__", MatchOp.EQUAL, "beside")
            assert not reader.select([one], now, now, ReadContext()).labels
            assert not reader.select([one, named_too], now, now, ReadContext()).labels
        assert reader.label_values("y" * size, now, now, ReadContext()) == set()
