"""Writes under way are bounded in number and bytes, and what the driver refuses meanwhile is begun again."""

import pytest
from cassandra.cluster import NoHostAvailable
from cassandra.connection import ConnectionBusy, ConnectionShutdown
from hypothesis import given
from hypothesis import strategies as st

from sinks.cassandra.bounded_writes import BoundedWrites

MOST, MOST_BYTES = 5, 40
BUSY = NoHostAvailable("refused", {"host": ConnectionBusy("overloaded")})


class Session:
    """Stands for a session whose socket takes so many bytes: it refuses what is begun while more are under way."""

    def __init__(self, room):
        self.room = room
        self.under_way = []
        self.stored = []
        self.peak = self.peak_bytes = 0

    def execute_async(self, _, row):
        session = self
        is_refused = sum(map(len, self.under_way)) > self.room

        class Future:
            def result(self):
                session.under_way.remove(row[1])
                if is_refused:
                    raise BUSY
                session.stored.append(row[0])

        self.under_way.append(row[1])
        self.peak = max(self.peak, len(self.under_way))
        self.peak_bytes = max(self.peak_bytes, sum(map(len, self.under_way)))
        return Future()


@given(st.lists(st.integers(0, 30), max_size=60), st.integers(0, 60))
def test_all_is_stored_and_no_more_is_under_way_than_allowed(sizes, room):
    session = Session(room)
    writes = BoundedWrites(session, MOST, MOST_BYTES)
    for number, size in enumerate(sizes):
        writes.begin("INSERT", (number, bytes(size)))
    assert writes.settle() == len(sizes)
    assert sorted(session.stored) == list(range(len(sizes)))
    assert session.peak <= MOST
    assert session.peak_bytes <= MOST_BYTES
    assert not session.under_way
    assert writes.settle() == 0


def test_what_is_larger_than_allowed_goes_alone():
    session = Session(0)
    writes = BoundedWrites(session, MOST, MOST_BYTES)
    for number, size in enumerate((3, 1000, 2)):
        writes.begin("INSERT", (number, bytes(size)))
        assert session.under_way == [bytes(size)]
    writes.settle()
    assert sorted(session.stored) == [0, 1, 2]


@pytest.mark.parametrize(
    "fault", [ValueError(), NoHostAvailable("gone", {"host": ConnectionShutdown("gone")})]
)
def test_any_other_failure_is_one(fault):
    class Future:
        def result(self):
            raise fault

    class Failing:
        def execute_async(self, *_):
            return Future()

    writes = BoundedWrites(Failing(), MOST, MOST_BYTES)
    writes.begin("INSERT", (0, b""))
    with pytest.raises(type(fault)):
        writes.settle()
