import os
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import limits
from schemas.batches import batch
from schemas.batches.batch import BatchFault, InvalidBatch
from schemas.limits import MAX_UNPACKED_BATCH_BYTES
from streamgauge.series import ids, labels
from streamgauge.series.samples import STALE, Samples

MINUTE = 1_763_892_000_000
LANES = 8


def _rows(lane, count, lanes=LANES):
    found = []
    number = 0
    while len(found) < count:
        data = labels.canonical({"__name__": "m", "i": str(number)})
        identity = ids.series_id(data)
        if ids.lane_of(identity, lanes) == lane:
            found.append((identity, data))
        number += 1
    return sorted(found)


def _batch(lane=3, counts=(2, 1, 3), values=None):
    rows = _rows(lane, len(counts))
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    times = np.concatenate([MINUTE + np.arange(count) * 1000 for count in counts]).astype(np.int64)
    values = np.arange(offsets[-1]) / 8 if values is None else values
    samples = Samples(ids.from_bytes(b"".join(row[0] for row in rows)), offsets, times, values)
    return samples, pa.array([row[1] for row in rows], pa.binary())


def _assert_equal(one, two):
    for ours, theirs in zip(one, two, strict=True):
        assert ours.tobytes() == theirs.tobytes()


@given(st.lists(st.integers(1, 6), min_size=1, max_size=20), st.integers(0, LANES - 1), st.data())
@settings(max_examples=50)
def test_a_batch_comes_back_bit_for_bit(counts, lane, data):
    bits = data.draw(st.lists(st.integers(0, 2**64 - 1), min_size=sum(counts), max_size=sum(counts)))
    samples, names = _batch(lane, counts, np.array(bits, np.uint64).view(np.float64))
    decoded = batch.decode(batch.encode(samples, names), lane, MINUTE, LANES, labels=True)
    _assert_equal(decoded.samples, samples)
    assert decoded.labels.to_pylist() == names.to_pylist()


def test_the_bytes_of_a_batch_are_readable_for_ever(golden):
    samples, names = _batch(values=np.array([1.5, STALE, -0.0, np.inf, np.nan, 7]))
    decoded = batch.decode(
        golden("batch-v1.arrow", batch.encode(samples, names)), 3, MINUTE, LANES, labels=True
    )
    _assert_equal(decoded.samples, samples)
    assert decoded.labels.to_pylist() == names.to_pylist()


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_a_damaged_batch_is_a_batch_or_refused(data):
    payload = bytearray(batch.encode(*_batch()))
    for _ in range(data.draw(st.integers(1, 4))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    del payload[data.draw(st.integers(0, len(payload))) :]
    try:
        decoded = batch.decode(bytes(payload), 3, MINUTE, LANES, labels=True)
    except InvalidBatch:
        return
    assert decoded.samples.offsets[-1] == len(decoded.samples.values)


def _refused(samples, names, lane=3, minute=MINUTE):
    with pytest.raises(InvalidBatch) as refusal:
        batch.decode(batch.encode(samples, names), lane, minute, LANES)
    return refusal.value.reason


def test_what_a_batch_must_not_hold_is_refused_with_its_reason():
    samples, names = _batch()
    assert _refused(samples, names, lane=4) is BatchFault.WRONG_LANE
    assert _refused(samples, names, minute=MINUTE + 60_000) is BatchFault.WRONG_MINUTE
    backwards = samples._replace(timestamps=samples.timestamps[::-1].copy())
    assert _refused(backwards, names) is BatchFault.BAD_ORDER
    twice = samples._replace(ids=samples.ids[[0, 0, 1]])
    assert _refused(twice, names) is BatchFault.BAD_ORDER
    empty = samples._replace(offsets=np.array([0, 0, 2, 6]))
    assert _refused(empty, names) is BatchFault.BAD_ORDER


def test_too_many_series_are_refused():
    samples, names = _batch(counts=(1,) * (limits.MAX_BATCH_SERIES + 1))
    assert _refused(samples, names) is BatchFault.TOO_MANY_SERIES


@pytest.mark.parametrize(
    ("payload", "reason"),
    [(None, BatchFault.NO_VALUE), (b"garbage", BatchFault.NOT_ARROW), (b"\0" * 64, BatchFault.NOT_ARROW)],
)
def test_garbage_is_refused(payload, reason):
    with pytest.raises(InvalidBatch) as refusal:
        batch.decode(payload, 3, MINUTE, LANES)
    assert refusal.value.reason is reason


def _record(counts, times, values, names, **options):
    """The bytes of a record batch with these columns, whatever they hold."""
    rows, offsets = len(names), pa.py_buffer(np.concatenate([[0], np.cumsum(counts)]).astype(np.int32))
    columns = [
        pa.Array.from_buffers(batch.SCHEMA.field(0).type, rows, [None, pa.py_buffer(bytes(16 * rows))]),
        pa.array(names, pa.binary()),
    ]
    for at, flat in ((2, times), (3, values)):
        field = batch.SCHEMA.field(at)
        items = pa.Array.from_buffers(field.type.value_type, len(flat), [None, pa.py_buffer(flat)])
        columns.append(pa.Array.from_buffers(field.type, rows, [None, offsets], children=[items]))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.SCHEMA, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=batch.SCHEMA))
    return bytes(sink.getvalue())


_pools = []
"""Buffers may outlive a test, and what they came from must too."""


@contextmanager
def _allocations():
    """The pool from which Arrow takes all memory meanwhile."""
    pool = pa.proxy_memory_pool(pa.default_memory_pool())
    _pools.append(pool)
    before = pa.default_memory_pool()
    pa.set_memory_pool(pool)
    try:
        yield pool
    finally:
        pa.set_memory_pool(before)


@pytest.mark.parametrize("compression", ["lz4", "zstd", None])
@pytest.mark.parametrize("labels", [True, False])
@pytest.mark.parametrize(("samples", "label_bytes"), [(2_000_000, 1), (1, 40_000_000)])
def test_what_would_be_too_large_unpacked_is_refused_before_it_is(compression, labels, samples, label_bytes):
    times, values = np.zeros(samples, np.int64), np.zeros(samples)
    payload = _record([samples], times, values, [bytes(label_bytes)], compression=compression)
    with _allocations() as pool, pytest.raises(InvalidBatch) as refusal:
        batch.decode(payload, 0, 0, 1, labels=labels)
    assert refusal.value.reason is BatchFault.TOO_LARGE
    assert pool.max_memory() < 100_000


def test_a_batch_may_have_all_that_is_allowed():
    count = (MAX_UNPACKED_BATCH_BYTES - 1000) // 16
    payload = _record([count], np.zeros(count, np.int64), np.zeros(count), [b"m"], compression="lz4")
    with pytest.raises(InvalidBatch) as refusal:
        batch.decode(payload, 0, 0, 1)
    assert refusal.value.reason is BatchFault.BAD_ORDER


@given(st.data())
@settings(max_examples=80, deadline=None)
def test_no_bytes_make_decoding_take_more_memory_than_a_batch_may(data):
    counts = data.draw(st.lists(st.sampled_from((1, 300, 200_000, 1_500_000)), min_size=1, max_size=4))
    samples = np.zeros(sum(counts), np.int64)
    names = [bytes(data.draw(st.sampled_from((0, 9, 3_000_000)))) for _ in counts]
    compression = data.draw(st.sampled_from(("lz4", "zstd")))
    payload = bytearray(_record(counts, samples, samples.astype(np.float64), names, compression=compression))
    # mostly where sizes are: in the metadata and at the begin of buffers, which begin at multiples of 64 or 8
    for _ in range(data.draw(st.integers(0, 6))):
        place = data.draw(st.integers(0, min(len(payload), 2000) - 1))
        payload[place] = data.draw(st.sampled_from((0, 1, 2, 16, 127, 128, 254, 255)))
    with _allocations() as pool, suppress(InvalidBatch):
        batch.decode(bytes(payload), 0, 0, 1, labels=data.draw(st.booleans()))
    assert pool.max_memory() <= 1.1 * MAX_UNPACKED_BATCH_BYTES


def test_an_arrow_stream_of_another_shape_is_refused():
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, pa.schema([("id", pa.int64())])) as writer:
        writer.write_batch(pa.RecordBatch.from_pydict({"id": [1]}))
    with pytest.raises(InvalidBatch) as refusal:
        batch.decode(bytes(sink.getvalue()), 3, MINUTE, LANES)
    assert refusal.value.reason in (BatchFault.BAD_SCHEMA, BatchFault.NOT_ARROW)


GOOD = dict(batch.headers_of("collector-1", 123))


@pytest.mark.parametrize(
    ("key", "headers", "reason"),
    [
        (None, GOOD, BatchFault.BAD_KEY),
        (b"", GOOD, BatchFault.BAD_KEY),
        (b"8", GOOD, BatchFault.BAD_KEY),
        (b"-1", GOOD, BatchFault.BAD_KEY),
        (b" 3", GOOD, BatchFault.BAD_KEY),
        (b"03", GOOD, BatchFault.BAD_KEY),
        (b"\xb2", GOOD, BatchFault.BAD_KEY),
        (b"9" * 400, GOOD, BatchFault.BAD_KEY),
        (b"3", GOOD | {"version": b"99"}, BatchFault.BAD_VERSION),
        (b"3", None, BatchFault.BAD_VERSION),
        (b"3", GOOD | {"sent": b"soon"}, BatchFault.BAD_SENT),
        (b"3", GOOD | {"sent": None}, BatchFault.BAD_SENT),
        (b"3", {"version": b"1"}, BatchFault.BAD_SENT),
    ],
)
def test_a_bad_envelope_is_refused_with_its_reason(key, headers, reason):
    with pytest.raises(InvalidBatch) as refusal:
        batch.envelope(key, headers, MINUTE, LANES)
    assert refusal.value.reason is reason


def test_a_good_envelope_names_lane_clock_and_minute():
    assert batch.envelope(b"3", GOOD, MINUTE + 59_999, LANES) == (3, 123, MINUTE)


@pytest.mark.parametrize("wrong", [b"x", b"__name__\xffother"])
def test_labels_that_are_not_of_the_id_are_refused(wrong):
    samples, names = _batch()
    assert list(batch.labels_by_id(batch.Batch(samples, names)).values()) == names.to_pylist()
    with pytest.raises(InvalidBatch) as refusal:
        batch.labels_by_id(batch.Batch(samples, pa.array([wrong, *names.to_pylist()[1:]], pa.binary())))
    assert refusal.value.reason is BatchFault.BAD_LABELS


def test_nothing_is_read_outside_of_a_damaged_batch(tmp_path):
    # compiled anew, as numba's cache does not tell checked kernels from others
    checked = {"NUMBA_BOUNDSCHECK": "1", "NUMBA_OPT": "0", "NUMBA_CACHE_DIR": str(tmp_path)}
    script = f"from tests.schemas import test_batch\ntest_batch.{test_a_damaged_batch_is_a_batch_or_refused.__name__}()"
    run = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | checked,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert run.returncode == 0, run.stderr
