"""Records of batches as bytes, and what a blob from outside may cost."""

import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.batches.batch_records import (
    FORMAT,
    MAX_RECORDS,
    InvalidRecords,
    check,
    concat,
    decode,
    encode,
    records,
)

_INT = st.integers(-(2**63), 2**63 - 1)
_ROWS = st.lists(st.tuples(*[_INT] * 5), max_size=20)


def _sorted(rows):
    return sorted(rows, key=lambda row: row[2:4])


@given(_ROWS)
def test_records_come_back_by_partition_and_offset(rows):
    assert _sorted(zip(*decode(encode(records(rows))), strict=True)) == _sorted(rows)


@given(st.binary(max_size=200))
def test_any_bytes_are_records_or_refused(data):
    for blob in (data, FORMAT + data, FORMAT + zlib.compress(data)):
        try:
            found = decode(blob)
        except InvalidRecords:
            continue
        assert len({len(column) for column in found}) == 1


def test_golden_bytes():
    content = np.array([[3, 0], [60_000, 0], [1, 0], [7, 2], [10, -4]], "<i8").tobytes()
    rows = [(3, 60_000, 1, 9, 6), (3, 60_000, 1, 7, 10)]
    assert encode(records(rows)) == b"\x01" + zlib.compress(content, 1)
    assert encode(records([])) == b"\x01" + zlib.compress(b"", 1)


def test_a_blob_takes_no_more_memory_than_the_records_that_are_allowed():
    bomb = FORMAT + zlib.compress(bytes(400_000_000), 9)
    tracemalloc.start()
    try:
        with pytest.raises(InvalidRecords, match="no end within"):
            decode(bomb, MAX_RECORDS)
        assert tracemalloc.get_traced_memory()[1] < 8 * MAX_RECORDS * 40
    finally:
        tracemalloc.stop()
    assert (
        len(decode(encode(concat([records([(0, 0, 0, 0, 0)])] * MAX_RECORDS)), MAX_RECORDS).lanes)
        == MAX_RECORDS
    )
    with pytest.raises(InvalidRecords):
        decode(encode(concat([records([(0, 0, 0, 0, 0)])] * (MAX_RECORDS + 1))), MAX_RECORDS)


@pytest.mark.parametrize(
    "row",
    [
        (8, 0, 0, 0, 0),
        (-1, 0, 0, 0, 0),
        (0, 1, 0, 0, 0),
        (0, -60_000, 0, 0, 0),
        (0, 60_000 << 40, 0, 0, 0),
        (0, 0, -1, 0, 0),
        (0, 0, 1 << 20, 0, 0),
        (0, 0, 0, -1, 0),
        (0, 0, 0, 1 << 43, 0),
        (0, 0, 0, 0, -1),
    ],
)
def test_records_that_no_collector_writes_are_refused(row):
    check(records([(7, 60_000, 3, 9, 5)]), 8)
    with pytest.raises(InvalidRecords):
        check(records([(7, 60_000, 3, 9, 5), row]), 8)
