"""What is read from the store once is not read again, unless it has changed."""

import random

from hypothesis import given
from hypothesis import strategies as st

from streamgauge.store.blocks.block_cache import BlockCache
from streamgauge.store.reading import ReadContext


class Answer:
    def __init__(self, rows):
        self._rows = rows

    def result(self):
        return self._rows


class Stored:
    """Stands for a session: a row for each window of 10, with its content; counts the windows that were read."""

    def __init__(self):
        self.content = {}
        self.read = 0

    def execute_async(self, _, request, timeout, **__):
        assert timeout > 0
        *_, first, last = request
        rows = [(start, blob) for start, blob in sorted(self.content.items()) if first <= start <= last]
        self.read += len(rows)
        return Answer(rows)


def _ask(cache, first, last, version=0):
    request = (3, 0, 1, 0, first, last)
    return [row for _, row in cache.fetch("raw", "SELECT", [request], {(0, 3): version}, ReadContext())]


def _filled(count=20):
    session = Stored()
    session.content = {number * 10: bytes([number]) * 100 for number in range(count)}
    return session


def test_a_stretch_is_read_once_and_extended_on_both_sides():
    session = _filled()
    cache = BlockCache(session)
    assert [row[0] for row in _ask(cache, 50, 80)] == [50, 60, 70, 80]
    assert session.read == 4
    assert [row[0] for row in _ask(cache, 60, 70)] == [60, 70]
    assert session.read == 4
    assert [row[0] for row in _ask(cache, 30, 100)] == [30, 40, 50, 60, 70, 80, 90, 100]
    assert session.read == 8


def test_between_a_stretch_without_rows_and_another_nothing_is_taken_as_read():
    cache = BlockCache(_filled())
    assert _ask(cache, 210, 250) == []
    assert len(_ask(cache, 0, 100)) == 11
    assert [row[0] for row in _ask(cache, 120, 150)] == [120, 130, 140, 150]


def test_a_stretch_without_rows_takes_no_place():
    session = _filled()
    cache = BlockCache(session)
    for period in range(5):
        assert list(cache.fetch("raw", "SELECT", [(3, period, 1, 0, 210, 250)], {}, ReadContext())) == []
    assert not cache._kept


def test_another_version_is_read_anew():
    session = _filled()
    cache = BlockCache(session)
    _ask(cache, 0, 50)
    session.content[20] = b"late"
    assert _ask(cache, 0, 50)[2] == (20, bytes([2]) * 100)
    assert _ask(cache, 0, 50, version=1)[2] == (20, b"late")


def test_the_size_stays_below_the_limit():
    session = _filled(100)
    cache = BlockCache(session, max_bytes=5000)
    for period in range(50):
        request = (3, period, 1, 0, 0, 90)
        assert len(list(cache.fetch("raw", "SELECT", [request], {}, ReadContext()))) == 10
        assert cache.size <= 5000
    assert cache.size > 0


@given(
    st.lists(
        st.one_of(
            st.tuples(st.integers(0, 25), st.integers(0, 25)),
            st.integers(0, 20),
        ),
        max_size=30,
    ),
    st.integers(600, 20_000),
)
def test_cached_equals_stored_whatever_is_written_and_asked_in_between(steps, max_bytes):
    session = _filled()
    cache = BlockCache(session, max_bytes=max_bytes)
    version = 0
    for step in steps:
        if isinstance(step, int):
            session.content[step * 10] = random.randbytes(5)
            version += 1
        else:
            first, last = min(step) * 10, max(step) * 10
            expected = [(at, blob) for at, blob in sorted(session.content.items()) if first <= at <= last]
            assert _ask(cache, first, last, version) == expected
