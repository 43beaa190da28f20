"""The rules by which a kernel states what it relies on, each on a kernel that does nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgauge.series.sized import (
    NUMBER,
    Counts,
    Ends,
    InconsistentSizes,
    Index,
    Number,
    Offsets,
    Room,
    rows_are_rising_and_of_their_own,
    sized,
)

numbers = st.lists(st.integers(-2, 6), max_size=6).map(lambda given: np.array(given, np.int64))
sizes = st.integers(0, 5)


def accepted(rules, *arguments):
    """Whether a kernel with these rules is called; a call without being refused, and only that, reaches it."""
    reached = []

    def kernel(numbers, others):
        reached.append((numbers, others))

    try:
        sized(**rules)(kernel)(*arguments)
    except InconsistentSizes:
        assert not reached
        return False
    assert len(reached) == 1
    return True


@given(numbers, sizes)
def test_offsets_never_fall_and_stay_within(offsets, size):
    rules = {"numbers": Offsets("n", within="m"), "others": "m"}
    fit = len(offsets) > 0 and offsets[0] >= 0 and (np.diff(offsets) >= 0).all() and offsets[-1] <= size
    assert accepted(rules, offsets, np.zeros(size)) == fit


@given(numbers, sizes)
def test_ends_never_fall_and_take_all(ends, size):
    rules = {"numbers": Ends("n", within="m"), "others": "m"}
    starts = np.concatenate([[0], ends])
    assert accepted(rules, ends, np.zeros(size)) == ((np.diff(starts) >= 0).all() and starts[-1] == size)


@given(numbers, sizes)
def test_counts_are_not_negative_and_add_up(counts, size):
    rules = {"numbers": Counts("n", total="m"), "others": "m"}
    assert accepted(rules, counts, np.zeros(size)) == ((counts >= 0).all() and counts.sum() == size)


@given(numbers, sizes)
def test_an_index_is_of_places_that_are_there(index, size):
    rules = {"numbers": Index("n", below="m"), "others": "m"}
    assert accepted(rules, index, np.zeros(size)) == ((index >= 0) & (index < size)).all()


@given(sizes, sizes)
def test_room_may_be_larger(size, other):
    rules = {"numbers": "n", "others": Room("2 * n + 1")}
    assert accepted(rules, np.zeros(size), np.zeros(other)) == (other >= 2 * size + 1)
    assert not accepted(rules, np.zeros(size), np.zeros((99, 99)))


@given(st.tuples(sizes, sizes), st.tuples(sizes, sizes))
def test_a_symbol_is_one_size_wherever_it_stands(shape, other):
    rules = {"numbers": "n, k", "others": "k, n + 1"}
    assert accepted(rules, np.zeros(shape), np.zeros(other)) == (other == (shape[1], shape[0] + 1))
    assert not accepted(rules, np.zeros(shape), np.zeros(other[0]))


@given(st.integers(-2, 6), sizes)
def test_a_number_may_be_a_size_or_a_place(number, size):
    assert accepted({"numbers": Number("n"), "others": "n"}, number, np.zeros(size)) == (number == size)
    within = {"numbers": Number(most="n"), "others": "n"}
    assert accepted(within, number, np.zeros(size)) == (0 <= number <= size)
    assert accepted({"numbers": NUMBER, "others": "n"}, number, np.zeros(size))


@given(st.lists(numbers, min_size=1, max_size=3), st.lists(sizes, min_size=3, max_size=3))
def test_rows_rise_and_are_of_their_own(rows, series):
    ends = np.cumsum([len(own) for own in rows])
    fit = all(
        (np.diff(own) > 0).all() and (own >= 0).all() and (own < most).all()
        for own, most in zip(rows, series, strict=False)
    )
    assert rows_are_rising_and_of_their_own(np.concatenate(rows), ends, np.array(series)) == fit


def test_a_refusal_names_the_kernel_the_argument_and_what_it_relies_on():
    @sized(offsets=Offsets("series", within="samples"), values="samples", out="series")
    def total(offsets, values, out):
        return offsets, values, out

    with pytest.raises(
        InconsistentSizes, match="total: offsets falls, or is not from 0 to samples, which is 3"
    ):
        total(np.array([0, 4]), np.zeros(3), np.zeros(1))
    with pytest.raises(InconsistentSizes, match="total: out has 2 series, others have 1"):
        total(np.array([0, 3]), np.zeros(3), np.zeros(2))


def test_a_check_is_named_in_its_refusal():
    def values_are_sorted(values):
        return (np.diff(values) >= 0).all()

    @sized(values_are_sorted, values="n")
    def total(values):
        return values.sum()

    assert total(np.arange(3)) == 3
    with pytest.raises(InconsistentSizes, match="total: not true that values are sorted"):
        total(np.array([2, 1]))


def test_rules_are_of_all_arguments():
    def total(values, out):
        return values, out

    with pytest.raises(TypeError, match=r"total: rules and arguments differ in \['other', 'out'\]"):
        sized(values="n", other="n")(total)
