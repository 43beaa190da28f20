import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.blocks import codec, raw_kernels
from schemas.blocks.bit_kernels import decimal, mantissas
from streamgauge.series.id_kernels import rows_of
from streamgauge.series.samples import STALE, STALE_BITS, take
from tests.support import plain_blocks
from tests.support.block_strategies import BITS, START, WIDTH, bits_of, rows, samples_of


def _equal(ours, theirs):
    return all(one.tobytes() == other.tobytes() for one, other in zip(ours, theirs, strict=True))


@given(rows())
def test_a_raw_block_comes_back_bit_for_bit(rows):
    samples = samples_of(rows)
    assert _equal(codec.decode_raw(codec.encode_raw(samples, START), START, WIDTH), samples)


@given(rows())
def test_a_raw_block_is_what_its_description_says(rows):
    samples = samples_of(rows)
    block = codec.encode_raw(samples, START)
    assert plain_blocks.ids(block.ids) == [tuple(identity) for identity in samples.ids.tolist()]
    times = plain_blocks.times(block.timestamps, len(rows), START)
    assert times == [[START + time for time, _ in row] for row in rows]
    bits = plain_blocks.values(block.samples, [len(row) for row in rows])
    assert bits == [[bits for _, bits in row] for row in rows]


@given(rows(), st.data())
def test_wanted_series_are_those_that_are_there(rows, data):
    samples = samples_of(rows)
    numbers = data.draw(st.sets(st.integers(0, len(rows) + 2)))
    wanted = np.array(sorted((n // 2 << 32 | n % 2, n) for n in numbers), np.uint64).reshape(-1, 2)
    found = codec.decode_raw(codec.encode_raw(samples, START), START, WIDTH, wanted)
    assert _equal(found, take(samples, rows_of(samples.ids, wanted)))


@pytest.mark.parametrize(
    ("form", "values"),
    [
        ("CONSTANT", [0.5, 0.5, 0.5]),
        ("CONSTANT", [7.0]),
        ("EXACT", [np.inf, np.inf]),
        ("EXACT", [-0.0]),
        ("RISING", [1000.0, 1010.0, 1025.0]),
        ("RISING", [0.25, 0.5, 0.75]),
        ("ZIGZAG", [1e9, 1e9 + 100, 1e9 + 60, 1e9 + 160]),
        ("LEVEL", [1000.0, 0.0, 1.0, 1000.0, 0.0, 1.0]),
        ("XOR", [1 / 3, 2 / 3]),
        ("XOR", [1.5, np.nan]),
    ],
)
@pytest.mark.parametrize("stale", [False, True])
def test_a_series_is_put_into_its_smallest_form(form, values, stale):
    bits = [bits_of(value) for value in values] + [STALE_BITS] * stale
    block = codec.encode_raw(samples_of([list(enumerate(bits))]), START)
    assert block.samples[0] & 15 == getattr(raw_kernels, form) | raw_kernels.ENDS_STALE * stale


def test_series_of_one_scrape_pay_for_their_times_once():
    row = [(time, bits_of(1.0)) for time in range(660, 60_000, 10_000)]
    alone, many = (len(codec.encode_raw(samples_of([row] * n), START).timestamps) for n in (1, 1000))
    assert alone == many


def test_series_of_two_scrapes_pay_a_byte_each():
    two = [[(time, bits_of(1.0))] for time in (660, 770)]
    few, many = (len(codec.encode_raw(samples_of(two * n), START).timestamps) for n in (1, 100))
    assert many - few == 2 * 99


def test_the_bytes_of_a_raw_block_are_the_same_for_ever(golden):
    shapes = [
        [1.5, 1.5, STALE, -0.0, np.inf, 1e-300],
        [1.5, 1.5, 1.5, 1.5, 1.5, STALE],
        [np.nan] * 6,
        [1e9, 1e9 + 1, 1e9 + 1, 1e9 + 7, 1e9 + 8, 1e9 + 300],
        [20.25, 20.5, 20.25, 19.75, 20.0, 20.0],
        [1000.0, 0.0, 1.0, 1000.0, 0.0, 1.0],
    ]
    rows = [
        [(time + shift, bits_of(value)) for time, value in zip(range(3, 60_000, 10_000), values, strict=True)]
        for shift, values in zip([0, 0, 5, 0, 5, 0], shapes, strict=True)
    ]
    block = codec.encode_raw(samples_of(rows), START)
    today = b"|".join([block.ids, block.timestamps, block.samples])
    assert golden("raw-block-v2.bin", today) == today


def test_more_samples_than_a_block_holds_are_refused():
    row = [(time, 0) for time in range(WIDTH)]
    with pytest.raises(ValueError, match="samples"):
        codec.encode_raw(samples_of([row] * (codec.MAX_SAMPLES // WIDTH + 1)), START)


@given(st.lists(BITS, min_size=1, max_size=5))
def test_decimals_are_found_where_they_are_and_lose_nothing(bits):
    values = np.array(bits, np.uint64).view(np.float64)
    found = np.empty(len(values), np.int64)
    exponent = mantissas(values, 0, len(values), found)
    if exponent < 0:
        return
    assert [bits_of(decimal(mantissa, exponent)) for mantissa in found] == bits


@given(st.integers(-(10**15), 10**15), st.integers(0, 22))
def test_a_decimal_of_fifteen_digits_is_one(mantissa, exponent):
    found = np.empty(1, np.int64)
    values = np.array([mantissa / 10**exponent])
    least = mantissas(values, 0, 1, found)
    assert 0 <= least <= exponent
    assert int(found[0]) * 10 ** (exponent - least) == mantissa


@given(
    st.sets(st.tuples(st.integers(0, 3), st.integers(0, 5))),
    st.sets(st.tuples(st.integers(0, 3), st.integers(0, 5))),
)
def test_rows_are_those_of_the_ids_in_both(ids, wanted):
    there, asked = sorted(ids), sorted(wanted)
    rows = rows_of(*(np.array(one, np.uint64).reshape(-1, 2) for one in (there, asked)))
    assert rows.tolist() == [row for row, identity in enumerate(there) if identity in wanted]
