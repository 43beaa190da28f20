"""The audit names what was acknowledged and is not stored, and nothing else, in whatever order things happen."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.batches.batch_records import concat, decode, records
from schemas.tables import STORED_BATCHES_RETENTION_MS
from streamgauge.collect.producing.acknowledged import MOST_WAITING, Acknowledged
from streamgauge.store import audit_ledger
from streamgauge.store.audit_ledger import SETTLED_MS, Ledger, compare_all

MINUTE = 60_000
T = 1_800_000_000_000 // MINUTE * MINUTE


class Store:
    """What the rollup job has noted of each lane and minute."""

    def __init__(self):
        self.rows = []

    def read(self, lane, minutes):
        return concat([records([row]) for row in self.rows if row[0] == lane and row[1] in minutes])


@given(st.data())
def test_missing_is_what_is_acknowledged_and_not_stored_once_it_should_be(data):
    rows = [(n % 2, T + n // 2 % 3 * MINUTE, n % 4, n, 10 + n) for n in range(12)]
    stored = data.draw(st.sets(st.sampled_from(rows)))
    store, ledger, sealed = Store(), Ledger(), {0: T, 1: T}
    steps = [("page", row) for row in rows] + [("store", row) for row in stored] + [("look", None)] * 4
    for what, row in data.draw(st.permutations(steps)):
        if what == "page":
            ledger.add(T + 2 * MINUTE, T, records([row]))
        elif what == "store":
            store.rows.append(row)
        else:
            # nothing is sealed far enough yet
            compare_all(ledger, sealed, store.read)
            assert ledger.missing() == []
    sealed = dict.fromkeys(sealed, T + 2 * MINUTE + SETTLED_MS)
    compare_all(ledger, sealed, store.read)
    lost = [row for row in rows if row not in stored]
    found = ledger.missing()
    assert sorted(place for each in found for place in each.offsets) == sorted(
        (row[2], row[3]) for row in lost
    )
    expected = Counter()
    for lane, minute, _, _, samples in lost:
        expected[lane, minute] += samples
    assert {(each.lane, each.minute): each.samples for each in found} == expected
    assert ledger.verified == len(stored)
    assert ledger.waiting == 0
    # a backfill stores the rest
    store.rows += lost
    compare_all(ledger, sealed, store.read)
    assert ledger.missing() == []
    assert ledger.verified == len(rows)


def test_a_batch_is_compared_only_when_its_lane_is_sealed_beyond_its_acknowledgement():
    ledger, store = Ledger(), Store()
    ledger.add(T + 10 * MINUTE, T, records([(1, T, 0, 5, 3)]))
    for sealed in ({}, {0: T + 99 * MINUTE}, {1: T + 10 * MINUTE + SETTLED_MS - 1}):
        compare_all(ledger, sealed, store.read)
        assert ledger.missing() == []
        assert ledger.waiting == 1
    compare_all(ledger, {1: T + 10 * MINUTE + SETTLED_MS}, store.read)
    assert [(each.lane, each.minute, each.offsets) for each in ledger.missing()] == [(1, T, [(0, 5)])]


def test_a_page_that_is_read_twice_misses_nothing():
    ledger, store = Ledger(), Store()
    store.rows = [(0, T, 1, 1, 1)]
    for _ in range(2):
        ledger.add(T, T, records(store.rows))
        compare_all(ledger, {0: T + 9 * MINUTE}, store.read)
    assert ledger.missing() == []


def test_what_is_missing_is_given_up_when_nobody_can_see_it_any_more():
    ledger = Ledger()
    ledger.add(T, T + 5, records([(0, T, 1, 1, 7)]))
    compare_all(ledger, {0: T + 9 * MINUTE}, Store().read)
    assert ledger.forget(T + 5 + STORED_BATCHES_RETENTION_MS) == []
    assert [each.samples for each in ledger.forget(T + 6 + STORED_BATCHES_RETENTION_MS)] == [7]
    assert ledger.missing() == []


def test_the_memory_of_the_audit_is_bounded(monkeypatch):
    monkeypatch.setattr(audit_ledger, "MAX_WAITING", 5)
    monkeypatch.setattr(audit_ledger, "MAX_MISSING", 5)
    ledger = Ledger()
    for n in range(3):
        assert not ledger.is_full
        ledger.add(T, T, records([(0, T + n * MINUTE, 0, 2 * n, 1), (1, T, 0, 2 * n + 1, 1)]))
    assert ledger.is_full
    compare_all(ledger, {0: T + 99 * MINUTE, 1: T + 99 * MINUTE}, Store().read)
    assert not ledger.is_full
    assert sum(len(each.offsets) for each in ledger.missing()) + ledger.uncounted == 6
    assert sum(len(each.offsets) for each in ledger.missing()) <= 5


def test_what_was_acknowledged_is_published_once_and_again_only_if_that_failed():
    noted = Acknowledged(lambda: T + 7)
    assert noted.pages() == []
    noted.note(3, T + 59_999, 1, 10, 4)
    noted.note(2, T + 1, 0, 11, 5)
    (page,) = noted.pages()
    assert page.closed == T + 7
    assert list(zip(*decode(page.value), strict=True)) == [(2, T, 0, 11, 5), (3, T, 1, 10, 4)]
    assert noted.pages() == []
    noted.settle(page, published=False)
    assert noted.pages() == [page]
    noted.settle(page, published=True)
    assert noted.pages() == []


def test_pages_that_kafka_does_not_take_are_bounded():
    noted = Acknowledged(lambda: T)
    for n in range(MOST_WAITING + 3):
        noted.note(0, T, 0, n, 1)
        for page in noted.pages():
            noted.settle(page, published=False)
    assert len(noted.pages()) == MOST_WAITING
    assert noted.given_up == 3


@pytest.mark.parametrize("count", [1, 20_001])
def test_a_page_has_no_more_records_than_a_reader_takes(count):
    noted = Acknowledged(lambda: T)
    for n in range(count):
        noted.note(0, T, 0, n, 1)
    assert sum(len(decode(page.value, 20_000).lanes) for page in noted.pages()) == count
