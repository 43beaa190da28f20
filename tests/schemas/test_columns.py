import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.blocks import column_kernels, columns
from schemas.blocks.blobs import BlockFault, InvalidBlock
from schemas.tables import ROLLUP_COLUMNS
from tests.support import plain_blocks
from tests.support.block_strategies import BITS, bits_of

DOUBLES = [name for name, kind in ROLLUP_COLUMNS.items() if kind == "<f8"]
VALUES = st.lists(BITS, max_size=40) | st.lists(
    st.sampled_from([0, bits_of(0.5), bits_of(np.nan)]), max_size=300
)


def _doubles(bits):
    return np.array(bits, np.uint64).view(np.float64)


@given(st.sampled_from(DOUBLES), VALUES)
def test_a_column_of_doubles_comes_back_bit_for_bit(name, bits):
    packed = columns.encode_column(name, _doubles(bits))
    assert columns.decode_column(name, packed, len(bits)).view(np.uint64).tolist() == bits
    assert plain_blocks.column(packed, len(bits)) == bits


@pytest.mark.parametrize(
    ("name", "low", "high"), [("count", 0, 2**32 - 1), ("last_time", -(2**31), 2**31 - 1)]
)
@given(data=st.data())
def test_a_column_of_integers_comes_back(name, low, high, data):
    column = np.array(
        data.draw(st.lists(st.integers(low, high) | st.sampled_from([low, 0, high]))), ROLLUP_COLUMNS[name]
    )
    decoded = columns.decode_column(name, columns.encode_column(name, column), len(column))
    assert decoded.dtype == column.dtype
    assert decoded.tolist() == column.tolist()


@pytest.mark.parametrize(
    ("form", "column"),
    [
        ("CONSTANT", [6.0] * 100),
        ("DICTIONARY", [1 / 3, 2 / 3] * 50),
        ("NUMBERS", [number / 100 for number in range(300)]),
        ("NUMBERS", [1e300, 0.0, 0.0, 1.0, 2.0]),
        ("PLANES", [1 / (number + 3.3) for number in range(300)]),
        ("PLANES", []),
    ],
)
def test_a_column_is_put_into_its_smallest_form(form, column):
    assert columns.encode_column("sum", np.array(column))[0] == getattr(column_kernels, form)


@given(st.lists(st.tuples(VALUES, st.sets(st.integers(0, 299))), max_size=5), st.sets(st.integers(0, 4)))
def test_some_values_of_many_columns_are_those_of_each(parts, damaged):
    rows = [np.array(sorted(row for row in rows if row < len(bits)), np.int64) for bits, rows in parts]
    blobs = [columns.encode_column("sum", _doubles(bits)) for bits, _ in parts]
    damaged = {number for number in damaged if number < len(parts)}
    for number in damaged:
        blobs[number] += b"more"
    found, faults = columns.decode_columns("sum", blobs, rows, [len(bits) for bits, _ in parts])
    assert faults.keys() == damaged
    assert len(found) == sum(map(len, rows))
    at = 0
    for number, ((bits, _), own) in enumerate(zip(parts, rows, strict=True)):
        if number not in damaged:
            assert found[at : at + len(own)].view(np.uint64).tolist() == [bits[row] for row in own]
        at += len(own)


def test_an_integer_that_is_none_is_a_fault_of_its_row():
    whole = [
        columns.encode_column("sum", np.array(column)) for column in ([1.0, 2.0], [1.0, 2.5], [3.0, 4.0])
    ]
    found, faults = columns.decode_columns("count", whole, [np.array([1])] * 3, [2] * 3)
    assert faults.keys() == {1}
    assert found[[0, 2]].tolist() == [2, 4]


def test_the_bytes_of_columns_are_the_same_for_ever(golden):
    some = [
        columns.encode_column("count", np.array([6, 6, 6])),
        columns.encode_column("first_time", np.array([660, 3409, 660] * 20)),
        columns.encode_column("last", np.array([0.25, -1e12, np.nan, 0.0, -0.0, 3e-7, 5.0])),
        columns.encode_column("p99", 1 / (np.arange(12) + 3.3)),
    ]
    assert [blob[0] for blob in some] == [0, 1, 2, 3]
    today = b"|".join(some)
    assert golden("rollup-columns-v2.bin", today) == today


def test_a_column_of_the_wrong_length_is_refused():
    packed = columns.encode_column("count", np.array([1, 2]))
    with pytest.raises(InvalidBlock) as refusal:
        columns.decode_column("count", packed, 3)
    assert refusal.value.reason in (BlockFault.WRONG_LENGTH, BlockFault.DAMAGED)


@pytest.mark.parametrize("value", [-1.0, 0.5, 2.0**32, np.nan])
def test_a_double_in_a_column_of_integers_is_refused(value):
    packed = columns.encode_column("sum", np.array([value]))
    with pytest.raises(InvalidBlock) as refusal:
        columns.decode_column("count", packed, 1)
    assert refusal.value.reason is BlockFault.DAMAGED
