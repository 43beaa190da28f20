"""Ranges of ids, and the directory that names the pieces of a row that was cut."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.blocks import row_directory
from schemas.blocks.blobs import InvalidBlock
from streamgauge.series.id_ranges import ID_BITS, WHOLE, IdRange, halves, parts_of

_LOW = (1 << 64) - 1
# ids that share none, some or nearly all of their bits
_NUMBERS = st.one_of(
    st.integers(0, (1 << ID_BITS) - 1),
    st.builds(lambda high, low: high << 120 | low, st.integers(0, 255), st.integers(0, 3)),
    st.builds(lambda bit: 1 << bit, st.integers(0, ID_BITS - 1)),
)


def _ids(numbers):
    return np.array([[number >> 64, number & _LOW] for number in sorted(numbers)], np.uint64).reshape(-1, 2)


@given(st.sets(_NUMBERS, min_size=2, max_size=40))
def test_halves_are_two_ranges_apart_that_hold_all_ids_and_each_one_at_least(numbers):
    low, high, count = halves(_ids(numbers))
    ordered = sorted(numbers)
    assert 0 < count < len(ordered)
    assert low.first <= ordered[0] <= ordered[count - 1] <= low.last < high.first
    assert high.first <= ordered[count] <= ordered[-1] <= high.last


@given(st.sets(_NUMBERS, min_size=1, max_size=40), st.integers(1, ID_BITS), st.data())
def test_the_rows_of_a_range_are_the_ids_in_it(numbers, bits, data):
    first = data.draw(st.sampled_from(sorted(numbers))) >> (ID_BITS - bits) << (ID_BITS - bits)
    own = IdRange(bits, first)
    rows = own.rows(_ids(numbers))
    assert sorted(numbers)[rows] == [number for number in sorted(numbers) if own.first <= number <= own.last]
    assert WHOLE.rows(_ids(numbers)) == slice(0, len(numbers))


def _ranges(numbers, most):
    """Ranges as rows are cut into, of `most` ids each."""
    waiting, found = [(WHOLE, _ids(numbers))], []
    while waiting:
        own, ids = waiting.pop()
        if len(ids) <= most:
            found.append(own)
            continue
        low, high, count = halves(ids)
        waiting += [(high, ids[count:]), (low, ids[:count])]
    return found


@given(st.sets(_NUMBERS, min_size=2, max_size=60), st.lists(st.integers(1, 9), min_size=1, max_size=4))
def test_parts_hold_all_ids_once_and_no_range_is_in_two(numbers, sizes):
    ranges = [own for most in sizes for own in _ranges(numbers, most)]
    parts = parts_of(ranges)
    assert parts[0][0] == 0
    assert parts[-1][1] == 1 << ID_BITS
    assert all(one[1] == two[0] for one, two in itertools.pairwise(parts))
    for own in ranges:
        assert sum(first <= own.first and own.last < limit for first, limit in parts) == 1
    outermost = {own for own in ranges if not any(own != other and _holds(other, own) for other in ranges)}
    assert len(parts) == len(outermost)


def _holds(outer, inner):
    return outer.first <= inner.first and inner.last <= outer.last


@given(st.sets(_NUMBERS, min_size=2, max_size=60), st.integers(1, 1000), st.data())
def test_a_directory_comes_back_and_its_slices_are_no_other_slices(numbers, slices, data):
    ranges = _ranges(numbers, 1)
    piece = data.draw(st.integers(0, slices - 1))
    pieces = row_directory.pieces_of(ranges, piece, slices)
    assert [own for _, own in pieces] == ranges
    assert row_directory.decode(row_directory.encode(pieces)) == pieces
    assert all((-1 - number) % slices == piece and number < 0 for number, _ in pieces)


def test_a_piece_keeps_its_slice_while_others_come_and_go():
    ranges = _ranges(set(range(0, 1 << 20, 4099)), 16)
    before = dict(map(reversed, row_directory.pieces_of(ranges, 0, 1)))
    after = dict(map(reversed, row_directory.pieces_of(ranges[::2], 0, 1)))
    assert after.items() <= before.items()


def test_pieces_whose_slices_would_be_the_same_have_two():
    # so many slices that there is room for three pieces each
    slices = (1 << 31) // 4
    pieces = row_directory.pieces_of([IdRange(2, n << 126) for n in range(3)], 5, slices)
    assert len({piece.slice for piece in pieces}) == 3
    assert min(piece.slice for piece in pieces) >= -(1 << 31)


@given(st.sets(_NUMBERS, min_size=3, max_size=20), st.data())
def test_a_damaged_directory_is_one_or_refused(numbers, data):
    packed = bytearray(row_directory.encode(row_directory.pieces_of(_ranges(numbers, 1), 0, 1)))
    for _ in range(data.draw(st.integers(1, 4))):
        packed[data.draw(st.integers(0, len(packed) - 1))] = data.draw(st.integers(0, 255))
    del packed[data.draw(st.integers(0, len(packed))) :]
    try:
        pieces = row_directory.decode(bytes(packed))
    except InvalidBlock:
        return
    assert row_directory.encode(pieces) == packed
    assert all(one.ids.last < two.ids.first for one, two in itertools.pairwise(pieces))


@pytest.mark.parametrize("cut", [b"", bytes(21), bytes(20), bytes(63)])
def test_a_directory_of_another_length_or_without_ranges_is_refused(cut):
    with pytest.raises(InvalidBlock):
        row_directory.decode(cut)
