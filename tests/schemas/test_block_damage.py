"""Blocks and columns that are not as they were written: each is read as another one, or refused as InvalidBlock."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.blocks import codec, columns
from schemas.blocks.blobs import BlockFault, InvalidBlock
from schemas.blocks.codec import RawBlock
from schemas.tables import ROLLUP_COLUMNS
from streamgauge.series.samples import Samples
from tests.support.block_strategies import BITS, START, WIDTH, damaged, rows, samples_of

BLOBS = ["ids", "timestamps", "samples"]


@given(rows(min_size=1), st.data())
@settings(max_examples=100)
def test_a_damaged_raw_block_is_a_block_or_refused(rows, data):
    block = codec.encode_raw(samples_of(rows), START)
    for name in data.draw(st.sets(st.sampled_from(BLOBS), min_size=1)):
        block = dataclasses.replace(block, **{name: data.draw(damaged(getattr(block, name)))})
    wanted = data.draw(st.none() | st.just(samples_of(rows).ids[-1:]))
    try:
        decoded = codec.decode_raw(block, START, WIDTH, wanted)
    except InvalidBlock:
        return
    assert len(decoded.offsets) == len(decoded.ids) + 1
    assert decoded.offsets[-1] == len(decoded.values) == len(decoded.timestamps)
    assert (decoded.timestamps >= START).all()
    assert (decoded.timestamps < START + WIDTH).all()
    for begin, end in zip(decoded.offsets, decoded.offsets[1:], strict=False):
        assert (np.diff(decoded.timestamps[begin:end]) > 0).all()


@given(st.lists(rows(min_size=1), min_size=1, max_size=5), st.data())
@settings(max_examples=100)
def test_blocks_read_together_are_as_read_one_by_one(several, data):
    read, spoilt = [], []
    for own in several:
        block = codec.encode_raw(samples_of(own), START)
        if data.draw(st.booleans()):
            block = dataclasses.replace(block, samples=data.draw(damaged(block.samples)))
        picked = np.array(sorted(data.draw(st.sets(st.integers(0, len(own) - 1)))), np.int64)
        read.append((block, picked, samples_of(own).ids))
    found, faults = codec.decode_raw_rows(
        [block.timestamps for block, _, _ in read],
        [block.samples for block, _, _ in read],
        [len(ids) for _, _, ids in read],
        [picked for _, picked, _ in read],
        [START] * len(read),
        WIDTH,
    )
    alone = []
    for number, (block, picked, ids) in enumerate(read):
        try:
            own = codec.decode_raw(block, START, WIDTH, ids[picked])
        except InvalidBlock as fault:
            spoilt.append((number, fault.reason))
            own = Samples(
                ids[picked], np.zeros(len(picked) + 1, np.int64), np.zeros(0, np.int64), np.zeros(0)
            )
        alone.append(own)
    assert [(number, fault.reason) for number, fault in faults.items()] == spoilt
    assert found.counts.tolist() == [count for own in alone for count in np.diff(own.offsets)]
    assert found.timestamps.tobytes() == b"".join(own.timestamps.tobytes() for own in alone)
    assert found.values.tobytes() == b"".join(own.values.tobytes() for own in alone)


def test_blocks_after_those_that_have_enough_samples_are_passed_over():
    samples = samples_of([[(0, 0), (1, 0)], [(0, 0)]])
    block, both = codec.encode_raw(samples, START), np.arange(2)
    found, faults = codec.decode_raw_rows(
        [block.timestamps] * 3, [block.samples] * 3, [2] * 3, [both] * 3, [START] * 3, WIDTH, enough=3
    )
    assert found.counts.tolist() == [2, 1, 2, 1, 0, 0]
    assert len(found.values) == len(found.timestamps) == 6
    assert not faults


def _spoilt(random, blob):
    """The blob with one to three bytes changed, and sometimes cut short or with bytes put in."""
    data = np.frombuffer(blob, np.uint8).copy()
    for _ in range(random.integers(1, 4)):
        data[random.integers(len(data))] = random.choice([0, 1, 8, 0x7F, 0x80, 0xFF, random.integers(256)])
    cut = random.integers(len(data)) if random.random() < 0.2 else len(data)
    more = random.integers(0, 256, 5 if random.random() < 0.2 else 0, np.uint8)
    return data[:cut].tobytes() + more.tobytes()


def _mixed(random, series):
    """Series of every form, 1 to 12 samples each, some at the same times."""
    shapes = [
        lambda size: np.full(size, 0.25),
        lambda size: np.full(size, np.inf),
        lambda size: np.cumsum(random.integers(0, 1000, size)) * 1.0,
        lambda size: random.integers(-50, 5000, size) / 100,
        lambda size: random.random(size),
    ]
    times = [np.sort(random.choice(WIDTH, size, replace=False)) for size in (6, 6, 12, 1)]
    picked = [(times[random.integers(4)], shapes[random.integers(5)]) for _ in range(series)]
    return samples_of(
        [
            list(zip(at.tolist(), shape(len(at)).astype(np.float64).view(np.uint64).tolist(), strict=True))
            for at, shape in picked
        ]
    )


def test_five_thousand_damaged_raw_blocks_are_blocks_or_refused():
    random = np.random.default_rng(4)
    refused = 0
    for number in range(5000):
        if number % 100 == 0:
            samples = _mixed(random, int(random.integers(1, 40)))
            block = codec.encode_raw(samples, START)
        name = BLOBS[number % 3]
        spoilt = dataclasses.replace(block, **{name: _spoilt(random, getattr(block, name))})
        try:
            decoded = codec.decode_raw(spoilt, START, WIDTH, samples.ids[::7] if number % 2 else None)
        except InvalidBlock:
            refused += 1
            continue
        assert decoded.offsets[-1] == len(decoded.values) == len(decoded.timestamps)
    assert 1000 < refused < 5000


def test_five_thousand_damaged_columns_are_columns_or_refused():
    random = np.random.default_rng(5)
    for number in range(5000):
        if number % 50 == 0:
            series = int(random.integers(1, 60))
            column = [
                np.full(series, 6.0),
                random.integers(0, 3, series) / 7,
                random.integers(0, 9999, series) / 10,
            ]
            blob = columns.encode_column("sum", [*column, random.random(series)][number // 50 % 4])
        try:
            decoded = columns.decode_column(("sum", "count")[number % 2], _spoilt(random, blob), series)
        except InvalidBlock:
            continue
        assert len(decoded) == series


@given(st.lists(st.binary(max_size=60), min_size=3, max_size=3))
@settings(max_examples=100)
def test_damaged_from_the_first_byte_on(blobs):
    try:
        codec.decode_raw(RawBlock(*blobs), START, WIDTH)
    except InvalidBlock:
        return


@given(st.sampled_from(sorted(ROLLUP_COLUMNS)), st.lists(BITS, min_size=1, max_size=40), st.data())
@settings(max_examples=100)
def test_a_damaged_column_is_a_column_or_refused(name, bits, data):
    with np.errstate(invalid="ignore"):
        column = np.array(bits, np.uint64).view(np.float64).astype(ROLLUP_COLUMNS[name])
    blob = data.draw(damaged(columns.encode_column(name, column)))
    try:
        decoded = columns.decode_column(name, blob, len(column))
    except InvalidBlock:
        return
    assert decoded.shape == column.shape
    assert decoded.dtype == column.dtype


def test_an_unknown_format_is_refused():
    with pytest.raises(InvalidBlock) as refusal:
        codec.decode_raw(RawBlock(b"", b"", b"", format=99), START, WIDTH)
    assert refusal.value.reason is BlockFault.UNKNOWN_FORMAT


@pytest.mark.parametrize(
    "ids",
    [
        b"\xff\xff\xff\xff\x0f" + b"\0" * 40,
        # a count of names that is longer than it need be, so that the names end beyond the bytes
        b"\x82" + b"\x80" * 8 + b"\0" * 4,
        b"\x01" + b"\0" * 4 + b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01" + b"\0" * 24,
        b"\x02" + b"\0" * 8 + b"\x20\x20" + b"\0" * 24,
    ],
)
def test_counts_of_ids_that_are_not_there_are_refused_and_ask_for_no_memory(ids):
    with pytest.raises(InvalidBlock) as refusal:
        codec.decode_ids(ids)
    assert refusal.value.reason is BlockFault.WRONG_LENGTH


def test_ids_out_of_order_are_refused():
    ids = np.array([(2, 1), (2, 1)], np.uint64)
    with pytest.raises(InvalidBlock) as refusal:
        codec.decode_ids(codec.encode_ids(ids))
    assert refusal.value.reason is BlockFault.BAD_ORDER


def test_many_series_that_share_a_long_list_are_refused_before_memory_is_asked_for():
    one = codec.encode_raw(samples_of([[(time, 0) for time in range(20_000)]]), START)
    many = codec.encode_raw(samples_of([[(0, 0)]] * 100), START)
    with pytest.raises(InvalidBlock) as refusal:
        codec.decode_raw(RawBlock(many.ids, one.timestamps, many.samples), START, WIDTH)
    assert refusal.value.reason is BlockFault.WRONG_LENGTH


def test_nothing_is_read_or_written_outside_of_an_array(tmp_path):
    # compiled anew, as numba's cache does not tell checked kernels from others
    checked = {"NUMBA_BOUNDSCHECK": "1", "NUMBA_OPT": "0", "NUMBA_CACHE_DIR": str(tmp_path)}
    names = [
        test_five_thousand_damaged_raw_blocks_are_blocks_or_refused.__name__,
        test_five_thousand_damaged_columns_are_columns_or_refused.__name__,
    ]
    script = "from tests.schemas import test_block_damage as tests\n" + "\n".join(
        f"tests.{name}()" for name in names
    )
    run = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | checked,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert run.returncode == 0, run.stderr
