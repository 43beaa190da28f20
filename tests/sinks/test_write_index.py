"""No write to the index is larger than its limits, and nothing is lost where it is cut."""

from hypothesis import given
from hypothesis import strategies as st

from schemas.limits import MAX_INDEX_WRITE_BYTES
from sinks.cassandra import write_index
from sinks.cassandra.write_index import ROWS_A_WRITE, id_chunks, row_batches


@given(st.lists(st.integers(0, MAX_INDEX_WRITE_BYTES + 10), max_size=30) | st.lists(st.just(1), max_size=250))
def test_batches_of_rows_are_bounded_in_number_and_bytes(sizes):
    rows = [(0, bytes(size)) for size in sizes]
    found = list(row_batches(rows))
    assert [row for batch in found for row in batch] == rows
    assert all(0 < len(batch) <= ROWS_A_WRITE for batch in found)
    for batch in found:
        assert len(batch) == 1 or sum(len(data) for _, data in batch) <= MAX_INDEX_WRITE_BYTES


@given(st.sets(st.binary(min_size=16, max_size=16), max_size=40))
def test_the_ids_of_a_label_come_in_pieces_that_are_bounded(ids):
    before = write_index.MAX_INDEX_WRITE_BYTES
    write_index.MAX_INDEX_WRITE_BYTES = 100
    try:
        found = list(id_chunks(list(ids)))
    finally:
        write_index.MAX_INDEX_WRITE_BYTES = before
    assert b"".join(found) == b"".join(sorted(ids))
    assert all(0 < len(piece) <= 96 and len(piece) % 16 == 0 for piece in found)
