import numpy as np

from streamgauge.lru_cache import LruCache
from streamgauge.store.index import kept_selections
from streamgauge.store.index.kept_selections import KeptSelections, Selection

MOST = 1 << 20


def selection(count):
    return Selection(np.zeros((count, 2), np.uint64), [b"x"] * count)


def test_a_selection_holds_for_its_version_of_the_index():
    kept, found = KeptSelections(LruCache(MOST)), selection(3)
    kept.put(("a",), b"1", 10.0, found)
    assert kept.get(("a",), b"1", 11.0) is found
    assert kept.get(("a",), b"2", 11.0) is None
    assert kept.get(("b",), b"1", 11.0) is None


def test_it_does_not_outlive_the_versions():
    kept = KeptSelections(LruCache(MOST))
    kept.put(("a",), b"1", 10.0, selection(3))
    assert kept.get(("a",), b"1", 10.0 + kept_selections.MAX_AGE_S) is not None
    assert kept.get(("a",), b"1", 10.1 + kept_selections.MAX_AGE_S) is None


def test_for_a_moment_it_counts_without_a_look_at_the_version(monkeypatch):
    now = [10.0]
    monkeypatch.setattr(kept_selections.time, "monotonic", lambda: now[0])
    kept, found = KeptSelections(LruCache(MOST), fresh_s=2.0), selection(3)
    kept.put(("a",), b"1", 10.0, found)
    now[0] = 11.9
    assert kept.recent(("a",)) is found
    now[0] = 12.0
    assert kept.recent(("a",)) is None
    kept.get(("a",), b"1", 12.0)
    assert kept.recent(("a",)) is found
    # one that began to look earlier makes it no older
    kept.get(("a",), b"1", 9.0)
    assert kept.recent(("a",)) is found


def test_without_such_a_moment_nothing_is_recent():
    kept = KeptSelections(LruCache(MOST))
    kept.put(("a",), b"1", 10.0, selection(3))
    assert kept.recent(("a",)) is None
