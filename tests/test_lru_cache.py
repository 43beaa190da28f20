"""What readers remember is bounded in bytes, whatever it is of."""

import gc
import tracemalloc
from collections import OrderedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.units import HOUR_MS
from streamgauge.lru_cache import LruCache
from streamgauge.series.ids import Shards, series_id
from streamgauge.series.labels import canonical
from streamgauge.series.matchers import Matcher, MatchOp
from streamgauge.store.index import read_index
from streamgauge.store.index.read_index import IndexReader
from streamgauge.store.reading import ReadContext

NOW = 1_763_892_000_000
MOST = 100


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 6), st.integers(1, 120))))
def test_the_least_recently_used_is_dropped_and_what_is_too_large_is_not_kept(steps):
    recent, model = LruCache(MOST), OrderedDict()
    for number, (is_put, key, size) in enumerate(steps):
        if not is_put:
            expected = model.get(key)
            if expected:
                model.move_to_end(key)
            assert recent.get(key) == (expected and expected[0])
            continue
        recent.put(key, number, size)
        model.pop(key, None)
        if size <= MOST:
            model[key] = number, size
        while sum(each for _, each in model.values()) > MOST:
            model.popitem(last=False)
        assert recent.size == sum(each for _, each in model.values()) <= MOST
        assert len(recent) == len(model)
    assert recent.get_all(range(9)) == {key: number for key, (number, _) in model.items()}


class Rows:
    def __init__(self, rows):
        self._rows = rows

    def result(self):
        return self._rows


class Index:
    """Stands for a session: every metric has some series, with a label of so many bytes."""

    def __init__(self, series, label_bytes):
        self.requests = 0
        self._series = series
        self._label_bytes = label_bytes
        self._metrics = {}

    def add(self, metric):
        self._metrics[series_id(canonical({"__name__": metric}))[:4]] = metric

    def prepare(self, statement):
        return statement

    def execute_async(self, statement, request, **_):
        self.requests += 1
        if "FROM generations" in statement:
            return Rows([])
        if "series_by_label" in statement:
            _, [*periods], labels = request
            packed = [
                (label, b"".join(each for each, _ in self._of(label.split(b"\xff")[-1].decode())))
                for label in labels
            ]
            return Rows([(period, *each) for period in periods for each in packed])
        if "id IN" in statement:
            return Rows(
                [
                    each
                    for one in self._metrics.values()
                    for each in self._of(one)
                    if each[0] in set(request[-1])
                ]
            )
        found = self._metrics.get(request[3][:4])
        return Rows(self._of(found) if found else [])

    def _of(self, metric):
        sets = [
            canonical({"__name__": metric, "job": metric, "i": str(number), "text": "x" * self._label_bytes})
            for number in range(self._series)
        ]
        return [(series_id(data), data) for data in sets]


@pytest.mark.parametrize("label", ["__name__", "job"])
@pytest.mark.parametrize(("series", "label_bytes"), [(1, 8000), (20, 500), (30, 10), (0, 0)])
def test_what_an_index_remembers_takes_no_more_than_so_many_bytes(monkeypatch, label, series, label_bytes):
    most = 128 * 1024
    monkeypatch.setattr(read_index, "KEPT_BYTES", most)
    session = Index(series, label_bytes)
    reader = IndexReader(session, Shards(1, 1), lambda: NOW)

    def select(metric):
        session.add(metric)
        # a matcher that says much takes much too
        matchers = [
            Matcher(label, MatchOp.EQUAL, metric),
            Matcher("z", MatchOp.NOT_EQUAL, "z" * 1000 + metric),
        ]
        return reader.select(matchers, NOW - HOUR_MS, NOW, ReadContext())

    select("warm")
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for number in range(150):
        metric = f"m{number}"
        assert len(select(metric).labels) == series
        session._metrics.clear()
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert after - before < 1.1 * most
    # and it does remember
    session.add(metric)
    asked = session.requests
    select(metric)
    assert session.requests == asked + 1
