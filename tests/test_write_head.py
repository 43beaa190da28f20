"""Batches that are being stored are bounded in number and bytes."""

import time

from hypothesis import given
from hypothesis import strategies as st

from streamgauge.store.write_head import MOST_BYTES_UNDER_WAY, MOST_UNDER_WAY, HeadStore


class Session:
    """Stands for a session: what was begun and not asked for yet."""

    def __init__(self):
        self.under_way = []

    def prepare(self, query):
        return query

    def execute_async(self, _, row):
        session = self

        class Future:
            size = len(row[4])

            def result(self):
                session.under_way.remove(self)

        future = Future()
        self.under_way.append(future)
        return future


@given(st.lists(st.sampled_from((0, 100_000, 4_000_000)), max_size=300))
def test_not_more_is_under_way_than_the_last_batch_above_either_bound(sizes):
    session = Session()
    store = HeadStore(session)
    minute = int(time.time() * 1000)
    for offset, size in enumerate(sizes):
        store.write(0, minute, 0, offset, bytes(size))
        assert len(session.under_way) < MOST_UNDER_WAY
        assert sum(future.size for future in session.under_way) < MOST_BYTES_UNDER_WAY
    store.settle()
    assert not session.under_way
