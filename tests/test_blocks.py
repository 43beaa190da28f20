import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import blocks
from schemas.blocks import BlockFault, InvalidBlock, RawBlock
from streamgauge.series.id_kernels import rows_of
from streamgauge.series.samples import STALE, Samples, take

START = 1_763_892_000_000
WIDTH = 60_000


def _samples(rows):
    """One row a series: a list of (ms after the start, bits)."""
    counts = [len(row) for row in rows]
    return Samples(
        np.array([(7, number) for number in range(len(rows))], np.uint64).reshape(-1, 2),
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        np.array([START + time for row in rows for time, _ in row], np.int64),
        np.array([bits for row in rows for _, bits in row], np.uint64).view(np.float64),
    )


ROW = st.dictionaries(st.integers(0, WIDTH - 1), st.integers(0, 2**64 - 1), min_size=1, max_size=12).map(
    lambda row: sorted(row.items())
)


@given(st.lists(ROW, max_size=6))
def test_a_raw_block_comes_back_bit_for_bit(rows):
    samples = _samples(rows)
    for ours, theirs in zip(
        blocks.decode_raw(blocks.encode_raw(samples, START), START, WIDTH), samples, strict=True
    ):
        assert ours.tobytes() == theirs.tobytes()


def test_the_bytes_of_a_raw_block_are_the_same_for_ever(golden):
    values = np.array([1.5, 1.5, STALE, -0.0, np.inf, 1e-300]).view(np.uint64).tolist()
    block = blocks.encode_raw(_samples([list(zip(range(3, 60_000, 10_000), values, strict=True))] * 2), START)
    today = b"|".join([block.ids, block.offsets, block.timestamps, block.samples])
    assert golden("raw-block-v1.bin", today) == today


@given(st.lists(ROW, min_size=1, max_size=4), st.data())
@settings(max_examples=300)
def test_a_damaged_raw_block_is_a_block_or_refused(rows, data):
    block = blocks.encode_raw(_samples(rows), START)
    columns = {
        "ids": block.ids,
        "offsets": block.offsets,
        "timestamps": block.timestamps,
        "samples": block.samples,
    }
    name = data.draw(st.sampled_from(sorted(columns)))
    damaged = bytearray(columns[name])
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    del damaged[data.draw(st.integers(0, len(damaged))) :]
    columns[name] = bytes(damaged)
    try:
        decoded = blocks.decode_raw(RawBlock(**columns), START, WIDTH)
    except InvalidBlock:
        return
    assert decoded.offsets[-1] == len(decoded.values)
    assert (decoded.timestamps >= START).all()
    assert (decoded.timestamps < START + WIDTH).all()


def test_an_unknown_format_is_refused():
    with pytest.raises(InvalidBlock) as refusal:
        blocks.decode_raw(RawBlock(b"", b"", b"", b"", format=99), START, WIDTH)
    assert refusal.value.reason is BlockFault.UNKNOWN_FORMAT


def test_a_count_that_the_bytes_cannot_hold_asks_for_no_memory():
    block = RawBlock(b"\0" * 16, b"\xff" * 12, b"\0", b"\x80")
    with pytest.raises(InvalidBlock) as refusal:
        blocks.decode_raw(block, START, WIDTH)
    assert refusal.value.reason is BlockFault.WRONG_LENGTH


def test_a_column_of_the_wrong_length_is_refused():
    packed = blocks.encode_column("count", np.array([1, 2]))
    assert blocks.decode_column("count", packed, 2).tolist() == [1, 2]
    with pytest.raises(InvalidBlock):
        blocks.decode_column("count", packed, 3)


@given(st.lists(ROW, max_size=8), st.data())
def test_a_narrowed_block_holds_the_series_that_were_picked(rows, data):
    samples = _samples(rows)
    picked = sorted(data.draw(st.sets(st.integers(0, max(len(rows) - 1, 0)), max_size=len(rows))))
    wanted = np.array(picked, np.int64)
    block = blocks.encode_raw(samples, START)
    assert rows_of(samples.ids, samples.ids[wanted]).tolist() == picked
    narrowed = blocks.decode_raw(blocks.narrow_raw(block, wanted), START, WIDTH)
    for ours, theirs in zip(narrowed, take(samples, wanted), strict=True):
        assert ours.tobytes() == theirs.tobytes()


@given(st.lists(ROW, min_size=2, max_size=4), st.data())
def test_offsets_that_lie_are_refused_when_narrowing(rows, data):
    block = blocks.encode_raw(_samples(rows), START)
    offsets = bytearray(block.offsets)
    offsets[data.draw(st.integers(0, len(offsets) - 1))] ^= data.draw(st.integers(1, 255))
    damaged = RawBlock(block.ids, bytes(offsets), block.timestamps, block.samples)
    try:
        blocks.decode_raw(blocks.narrow_raw(damaged, np.array([1])), START, WIDTH)
    except InvalidBlock:
        return


@given(
    st.sets(st.tuples(st.integers(0, 3), st.integers(0, 5))),
    st.sets(st.tuples(st.integers(0, 3), st.integers(0, 5))),
)
def test_rows_are_those_of_the_ids_in_both(ids, wanted):
    there, asked = sorted(ids), sorted(wanted)
    rows = rows_of(*(np.array(one, np.uint64).reshape(-1, 2) for one in (there, asked)))
    assert rows.tolist() == [row for row, identity in enumerate(there) if identity in wanted]
