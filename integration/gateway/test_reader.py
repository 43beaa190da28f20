import itertools
import time

import numpy as np
import pytest

from integration.support.population import Population, series
from integration.support.stored import wait_for
from schemas.tables import Resolution
from schemas.units import MINUTE_MS
from streamgauge.series.ids import lane_of, series_id, split, to_bytes
from streamgauge.series.matchers import Matcher, MatchOp
from streamgauge.store import schema
from streamgauge.store.reader import Reader
from streamgauge.store.reading import ReadContext, TooManySamples, TooManySeries
from streamgauge.store.session import connect

KEYSPACE = "reader_test"
MINUTES = 12
SEALED_MINUTES = 9


class Store:
    """A keyspace in which most lanes are sealed up to some minutes ago, and one lane was never sealed."""

    def __init__(self, config) -> None:
        self.session = connect(config.cassandra)
        self.shards = config.shards
        self.start = int(time.time() * 1000) // MINUTE_MS * MINUTE_MS - MINUTES * MINUTE_MS
        self.end = self.start + MINUTES * MINUTE_MS - 1
        times = range(self.start, self.end, 10_000)
        self.population = Population(self.session, config.shards, config.storage_classes[-1])
        self.sealed = dict.fromkeys(range(1, config.layout.lanes), self.start + SEALED_MINUTES * MINUTE_MS)
        self.population.push(
            series(40, "temperature", times, job="mill", zone="été")
            | series(40, "pressure", times, job="mill")
            | series(5, "idle", times, job="office"),
            self.sealed,
        )
        self.reader = Reader(self.session, config.shards, config.storage_classes)

    def select(self, *matchers, **limits):
        return self.reader.select(
            [Matcher(name, MatchOp(op), value) for name, op, value in matchers],
            self.start,
            self.end,
            ReadContext(**limits),
        )

    def expected(self, labels, start, end):
        return {
            data: {time: value for time, value in self.population.truth[data].items() if start <= time <= end}
            for data in labels
        }


@pytest.fixture(scope="module")
def store(stack):
    cassandra = stack.config.cassandra.model_copy(update={"keyspace": KEYSPACE})
    config = stack.config.model_copy(update={"cassandra": cassandra})
    admin = connect(config.cassandra, keyspace=False, timeout_s=60)
    admin.execute(f"DROP KEYSPACE IF EXISTS {KEYSPACE}")
    admin.cluster.shutdown()
    schema.apply(config)
    opened = Store(config)
    yield opened
    opened.session.cluster.shutdown()


def _read(selection, samples):
    by_id = dict(zip(_ids(selection.ids), selection.labels, strict=True))
    return {
        by_id[identity]: dict(
            zip(
                samples.timestamps[samples.offsets[row] : samples.offsets[row + 1]].tolist(),
                samples.values[samples.offsets[row] : samples.offsets[row + 1]].tolist(),
                strict=True,
            )
        )
        for row, identity in enumerate(_ids(samples.ids))
    }


def _ids(ids):
    return split(to_bytes(ids))


@pytest.mark.parametrize(
    ("matchers", "count"),
    [
        ([("__name__", "=", "temperature")], 40),
        ([("__name__", "=", "temperature"), ("instance", "=", "host-3")], 1),
        ([("__name__", "=", "temperature"), ("instance", "=~", "host-[12].")], 20),
        ([("__name__", "=", "temperature"), ("instance", "!~", "host-.")], 30),
        ([("__name__", "=", "temperature"), ("zone", "!=", "")], 40),
        ([("__name__", "=", "pressure"), ("zone", "=", "")], 40),
        ([("job", "=", "mill")], 80),
        ([("job", "=", "mill"), ("instance", "=", "host-39")], 2),
        ([("job", "=", "mill"), ("instance", "!=", "host-39")], 78),
        ([("zone", "=", "été")], 40),
        ([("zone", "=~", "é.é")], 40),
        ([("zone", "=~", "é.é"), ("instance", "=~", "host-[12]")], 2),
        ([("zone", "!~", "é.é"), ("instance", "=~", "host-[12]|")], 4),
        ([("instance", "=~", "host-1|host-2|nothing")], 6),
        ([("instance", "=~", "(host-1|host-2)"), ("__name__", "=", "temperature")], 2),
        ([("instance", "=~", "host-1|host-2|"), ("job", "=", "mill")], 4),
        ([("instance", "=~", "host-1|host-2"), ("instance", "=~", "host-2|host-3")], 3),
        ([("instance", "!=", "")], 85),
        ([("nothing", "=~", "[x]")], 0),
        ([("__name__", "=~", "idle|pressure")], 45),
        ([("__name__", "=~", "idle|pressure"), ("instance", "=", "host-1")], 2),
        ([("__name__", "=~", "idle|nothing"), ("instance", "=~", "host-[0-9]")], 5),
        ([("__name__", "=~", "id.e")], 5),
        ([("__name__", "=", "nothing")], 0),
        ([("job", "=", "nothing"), ("instance", "=", "host-1")], 0),
        ([("__name__", "=", "temperature"), ("job", "=", "mill")], 40),
        ([("__name__", "=", "idle"), ("job", "=", "office")], 5),
        ([("__name__", "=", "idle"), ("job", "=", "mill")], 0),
        ([("__name__", "=", "nothing"), ("instance", "=", "host-1")], 0),
        ([("__name__", "=", "pressure"), ("zone", "=", "été"), ("instance", "=", "host-1")], 0),
        ([("__name__", "=", "temperature"), ("zone", "=", "été"), ("instance", "=", "host-1")], 1),
        ([("__name__", "=", "idle"), ("__name__", "=", "pressure"), ("job", "=", "mill")], 0),
        ([("job", "=", "mill"), ("job", "=", "office"), ("zone", "=", "été")], 0),
    ],
)
def test_matchers_select_series(store, matchers, count):
    selection = store.select(*matchers)
    assert len(selection.labels) == count
    assert (
        [series_id(data) for data in selection.labels] == _ids(selection.ids) == sorted(_ids(selection.ids))
    )


def test_a_selection_holds_until_the_index_has_more(store):
    before = store.select(("__name__", "=", "grows"))
    assert before.labels == []
    [row] = series(1, "grows", range(0), job="office")
    lane = lane_of(series_id(row), store.shards.lanes)
    times = range(store.start, store.start + 10_000, 10_000)
    store.population.push(
        series(1, "grows", times, job="office"), {lane: store.sealed[lane]} if lane in store.sealed else {}
    )
    after = store.select(("__name__", "=", "grows"))
    assert after.labels == [row]
    assert store.select(("__name__", "=", "grows")) is after


@pytest.mark.parametrize("cut", [(0, 0), (0, 119_999), (3, 1), (2 * MINUTE_MS + 5, 3 * MINUTE_MS)])
def test_samples_of_blocks_and_head_come_back_once_each(store, cut):
    start, end = store.start + cut[0], store.end - cut[1]
    selection = store.select(("job", "=", "mill"))
    reading = ReadContext()
    samples = store.reader.raw(selection, start, end, reading)
    assert _read(selection, samples) == store.expected(selection.labels, start, end)
    assert not reading.damages


def test_a_lane_sealed_further_gives_the_same_answer(store):
    selection = store.select(("__name__", "=", "idle"))
    before = store.reader.raw(selection, store.start, store.end)
    further = {lane: to + MINUTE_MS for lane, to in store.sealed.items()}
    store.population.push(store.population.truth, further)
    store.sealed.update(further)
    after = store.reader.raw(selection, store.start, store.end)
    assert [array.tobytes() for array in before] == [array.tobytes() for array in after]


def test_a_batch_shows_however_its_offset_compares(store):
    row = next(iter(series(1, "idle", range(0), job="office")))
    lane = lane_of(series_id(row), store.shards.lanes)
    minute = store.end + 1 - MINUTE_MS
    selection = store.select(("__name__", "=", "idle"), ("instance", "=", "host-0"))
    store.reader.raw(selection, store.start, store.end)
    for offset_step in (1000, -500):
        store.population._offset += offset_step
        time_of_it = store.end - 1000 - abs(offset_step)
        store.population.write_head(lane, minute, {row: {time_of_it: 5.5}})
        store.population.truth[row][time_of_it] = 5.5
        wanted = store.expected(selection.labels, store.start, store.end)
        # what a reader remembers of the head is a second old at most
        wait_for(
            lambda wanted=wanted: (
                _read(selection, store.reader.raw(selection, store.start, store.end)) == wanted
            ),
            10,
        )


WANTED = ["count", "min", "max", "last_time", "increase", "p50"]


def _rolled(selection, rollups):
    """The wanted aggregates by labels, window and width."""
    labels = dict(zip(_ids(selection.ids), selection.labels, strict=True))
    return {
        (labels[identity], int(rollups.window_starts[row]), int(rollups.widths[row])): tuple(
            rollups.columns[name][row] for name in WANTED
        )
        for at, identity in enumerate(_ids(rollups.ids))
        for row in range(rollups.offsets[at], rollups.offsets[at + 1])
    }


def _plain(samples, start, width):
    inside = {time: value for time, value in samples.items() if start <= time < start + width}
    values = [inside[time] for time in sorted(inside)]
    increase = sum(new - old if new >= old else new for old, new in itertools.pairwise(values))
    return len(values), min(values), max(values), max(inside) - start, increase, np.quantile(values, 0.5)


@pytest.mark.parametrize("resolution", [Resolution.MIN1, Resolution.MIN5, Resolution.HOUR1])
def test_rollups_come_in_the_coarsest_windows_that_are_built_without_a_gap(store, resolution):
    store.population.roll_up(store.sealed, store.start)
    selection = store.select(("__name__", "=", "pressure"), ("instance", "=~", "host-[1-5]"))
    width = resolution.value.width_ms
    begin = store.start - store.start % width
    found = _rolled(selection, store.reader.rollups(selection, resolution, begin, store.end, WANTED))
    truth = store.expected(selection.labels, store.start, store.end)
    assert {place: pytest.approx(rolled) for place, rolled in found.items()} == {
        (data, start, wide): _plain(truth[data], start, wide) for data, start, wide in found
    }
    for data, samples in truth.items():
        assert sum(rolled[0] for (own, *_), rolled in found.items() if own == data) == len(samples)
    sealed = {lane_of(series_id(data), store.shards.lanes) for data, *_ in found} & store.sealed.keys()
    if resolution is Resolution.MIN5 and sealed:
        assert {wide for *_, wide in found} == {MINUTE_MS, 5 * MINUTE_MS}


def test_label_names_and_values_are_those_of_all_lanes(store):
    index = store.reader.index
    assert index.label_names(store.start, store.end, ReadContext()) == {"__name__", "instance", "job", "zone"}
    assert index.label_values("job", store.start, store.end, ReadContext()) == {"mill", "office"}
    assert len(index.label_values("instance", store.start, store.end, ReadContext())) == 40


def test_limits_end_a_reading(store):
    with pytest.raises(TooManySeries):
        store.select(("job", "=", "mill"), max_series=79)
    selection = store.select(("job", "=", "mill"), max_series=80)
    with pytest.raises(TooManySamples):
        store.reader.raw(selection, store.start, store.end, ReadContext(max_samples=100))


def test_damaged_rows_are_left_out_and_named(store):
    row = labels_of_damage = next(iter(series(1, "broken", range(0))))
    lane = lane_of(series_id(row), store.shards.lanes)
    times = range(store.start, store.end, 10_000)
    store.population.push(
        series(1, "broken", times), {lane: store.sealed[lane]} if lane in store.sealed else {}
    )
    minute = store.end + 1 - MINUTE_MS
    store.session.execute(
        'INSERT INTO metrics_head (lane, minute, partition, "offset", payload) VALUES (%s, %s, 3, 77, %s)',
        (lane, minute, b"not arrow"),
    )
    selection = store.select(("__name__", "=", "broken"))
    reading = ReadContext()
    read = []

    def is_noted():
        read[:] = [store.reader.raw(selection, store.start, store.end, reading)]
        return bool(reading.damages)

    wait_for(is_noted, 10)
    [samples] = read
    assert reading.damages[0].reason == "not_arrow"
    assert f"lane={lane} minute={minute} partition=3 offset=77" in reading.damages[0].row
    assert _read(selection, samples) == store.expected([labels_of_damage], store.start, store.end)
