"""Generations: no change goes unseen, whatever the clocks of those who write are."""

from types import SimpleNamespace

from schemas.tables import Resolution
from schemas.units import DAY_MS, MINUTE_MS
from sinks.cassandra import write_index
from sinks.cassandra.write_index import IndexStore
from streamgauge.series.ids import Shards, series_id
from streamgauge.series.labels import canonical
from streamgauge.store import changes
from streamgauge.store.changes import INDEX, GenerationStore, versions_of
from streamgauge.store.reading import ReadContext

NOON = 1_763_892_000_000


class Answer:
    def __init__(self, rows):
        self._rows = rows

    def result(self):
        return self._rows


class Table:
    """Stands for a session of which every statement is about `generations`."""

    def __init__(self):
        self.rows = {}

    def prepare(self, query):
        return query

    def execute(self, _, row):
        *place, version = row
        self.rows[tuple(place)] = version

    def execute_async(self, _, request, timeout, **__):
        assert timeout > 0
        label, periods = request
        rows = ((*key[1:], version) for key, version in self.rows.items() if key[0] == label)
        return Answer([row for row in rows if row[0] in periods])


def _read(store):
    return store.read(Resolution.RAW, [Resolution.RAW.value.period(NOON)], ReadContext())


def test_every_write_is_a_new_version(monkeypatch):
    table = Table()
    store = GenerationStore(table)
    # a clock that stands still, and then goes back
    times = iter([5_000_000, 5_000_000, 4_000_000])
    monkeypatch.setattr(changes.time, "time_ns", lambda: next(times))
    seen = set()
    for _ in range(3):
        store.write(Resolution.RAW, 3, NOON)
        [change] = _read(store)
        seen.add(change.version)
    assert len(seen) == 3
    assert (change.period, change.lane, change.mark) == (NOON, 3, NOON)


def test_a_writer_whose_clock_is_behind_is_seen_too(monkeypatch):
    table = Table()
    ahead, behind = GenerationStore(table), GenerationStore(table)
    monkeypatch.setattr(changes.time, "time_ns", lambda: 9_000_000)
    ahead.write(Resolution.RAW, 3, NOON)
    before = versions_of(_read(ahead))
    monkeypatch.setattr(changes.time, "time_ns", lambda: 1_000_000)
    behind.write(Resolution.RAW, 3, NOON)
    after = versions_of(_read(ahead))
    assert before.keys() == after.keys() == {(NOON, 3)}
    assert before != after


def test_a_change_is_noted_in_a_twelfth_of_a_period():
    level = Resolution.RAW.value
    assert level.mark(NOON + 7 * MINUTE_MS) == NOON + 5 * MINUTE_MS
    assert all(each.value.period_ms % 12 == 0 for each in Resolution)


class Index(Table):
    """The index as well: which series are there, in the order of all that was written."""

    def __init__(self):
        super().__init__()
        self.known = []
        self.done = []

    def execute(self, query, row):
        self.done.append(row[0])
        return super().execute(query, row)

    def execute_async(self, query, row, **__):
        if "INTO generations" in query:
            self.execute(query, row)
        return Answer(self.known)


def test_new_series_outdate_lists_and_blocks_where_that_is_asked_for(monkeypatch):
    table = Index()
    monkeypatch.setattr(write_index, "write_all", lambda _, statements: table.done.append(len(statements)))
    monkeypatch.setattr(write_index, "BatchStatement", lambda **_: SimpleNamespace(add=lambda *_: None))
    monkeypatch.setattr(write_index.time, "time", lambda: NOON / 1000)
    store = IndexStore(table, Shards(lanes=8, groups=1))
    labels = canonical({"__name__": "x"})
    store.write(3, NOON, {series_id(labels): labels})
    # labels and series first
    assert table.done[2:] == [INDEX]
    assert all(isinstance(each, int) for each in table.done[:2])
    table.done.clear()
    # what is there already may have been written by someone who failed before it was noted
    store.write(3, NOON, {series_id(labels): labels})
    assert table.done == [INDEX]
    day = NOON - NOON % DAY_MS
    assert {key[1] for key in table.rows if key[0] == INDEX} <= {day, day - DAY_MS}
    table.done.clear()
    store.outdate_blocks(3, NOON + 7 * MINUTE_MS)
    assert table.done == [each.value.label for each in Resolution]
    assert ("raw", NOON, 3, NOON + 5 * MINUTE_MS) in {key[:4] for key in table.rows}
