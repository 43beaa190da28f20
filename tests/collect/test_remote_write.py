import contextlib
import os
import random
import subprocess
import sys
from pathlib import Path

import cramjam
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.protobuf import field, varint
from streamgauge.collect.incoming.faults import InvalidRequest, RequestFault
from streamgauge.collect.incoming.series_table import KeyTable, SeriesTable
from streamgauge.collect.receive import remote_write
from streamgauge.collect.receive.remote_write_request import compress, encode
from streamgauge.series.labels import canonical
from streamgauge.series.samples import STALE, STALE_BITS

LIMIT = 1 << 24
names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
label_sets = st.dictionaries(names, names, max_size=5).map(lambda labels: {**labels, "__name__": "m"})
samples = st.lists(
    st.tuples(st.integers(-(1 << 63), (1 << 63) - 1), st.floats(width=64)), min_size=1, max_size=4
)


def label(name, value):
    return field(1, field(1, name) + field(2, value))


SAMPLE = field(2, b"\x09" + b"\x00" * 8 + b"\x10\x05")
NAMED = label(b"__name__", b"m")


def table():
    return SeriesTable(8, 1000)


def decoded(request, into):
    rows = remote_write.decode(request, into).rows
    at, out = 0, []
    for ordinal, count in zip(rows.ordinals.tolist(), rows.counts.tolist(), strict=True):
        bits = rows.values[at : at + count].view(np.uint64).tolist()
        pairs = list(zip(rows.timestamps[at : at + count].tolist(), bits, strict=True))
        out.append((into.canonical(ordinal), pairs))
        at += count
    return out


def refusal(request, into=None):
    with pytest.raises(InvalidRequest) as caught:
        remote_write.decode(request, into or table())
    return caught.value


@given(st.lists(st.tuples(label_sets, samples), max_size=6))
def test_what_a_sender_encodes_is_decoded_bit_for_bit_cold_and_warm(series):
    expected = [
        (canonical(labels), [(at, int(np.float64(value).view(np.uint64))) for at, value in points])
        for labels, points in series
    ]
    into = table()
    request = remote_write.decompress(compress(encode(series)), LIMIT)
    assert decoded(request, into) == expected
    assert decoded(request, into) == expected


def test_the_stale_marker_keeps_its_bits():
    into = table()
    assert decoded(encode([({"__name__": "m"}, [(1, STALE)])]), into)[0][1] == [(1, STALE_BITS)]


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        ([(b"a", b"b")], RequestFault.NO_NAME),
        ([], RequestFault.NO_NAME),
        ([(b"__name__", b"")], RequestFault.NO_NAME),
        ([(b"__name__", b"m"), (b"a", b"1"), (b"a", b"2")], RequestFault.DUPLICATE_LABEL),
        ([(b"__name__", b"m"), (b"z", b"1"), (b"a", b"2")], RequestFault.UNSORTED_LABELS),
        ([(b"__name__", b"m"), (b"a", b"\xc3")], RequestFault.NOT_UTF8),
        ([(b"__name__", b"m\xff")], RequestFault.NOT_UTF8),
        ([(b"", b"x"), (b"__name__", b"m")], RequestFault.EMPTY_LABEL_NAME),
    ],
)
def test_labels_that_cannot_be_a_series_refuse_the_request(labels, reason):
    series = b"".join(label(*pair) for pair in labels) + SAMPLE
    assert refusal(field(1, NAMED + SAMPLE) + field(1, series)).reason is reason


def test_a_label_with_an_empty_value_is_absent():
    into = table()
    first = decoded(field(1, NAMED + label(b"a", b"") + SAMPLE), into)
    assert first[0][0] == canonical({"__name__": "m"})
    assert remote_write.decode(field(1, NAMED + SAMPLE), into).rows.ordinals.tolist() == [0]


def test_unknown_fields_metadata_and_any_order_of_fields_are_read():
    unknown = b"\x78\x05" + b"\x7d\x01\x02\x03\x04" + field(14, b"x")
    series = SAMPLE + unknown + NAMED + field(3, b"ex") + field(4, b"hist")
    request = field(3, b"metadata") + unknown + field(1, series) + field(1, NAMED + field(4, b"h"))
    written = remote_write.decode(request, table())
    assert (written.exemplars, written.histograms) == (1, 2)
    assert written.rows.counts.tolist() == [1]


@pytest.mark.parametrize(
    "request_",
    [
        b"\x0a",
        b"\x0a\x05",
        b"\x00",
        b"\x0b\x0c",
        b"\x08\x01",
        b"\x80" * 11,
        b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        field(1, NAMED + field(2, b"\x09\x00")),
        field(1, NAMED + field(2, b"\x10\x80")),
        field(1, NAMED + field(2, b"\x08\x01")),
        field(1, b"\x08\x01"),
        field(1, field(1, b"\x0a\x09") + SAMPLE),
        field(1, field(1, b"\x08\x01") + SAMPLE),
    ],
)
def test_damaged_protobuf_is_refused_with_its_offset(request_):
    fault = refusal(field(1, NAMED + SAMPLE) + request_)
    assert fault.reason is RequestFault.NOT_PROTOBUF
    assert "at offset" in fault.detail


def damaged(seed, count):
    """Requests with bytes flipped, cut and repeated: each must be decoded or refused."""
    generator = random.Random(seed)
    labels = {"__name__": "metric", "instance": "10.0.0.1:9100", "job": "node"}
    whole = encode([({**labels, "n": str(i)}, [(1000 + i, 1.5), (2000 + i, 2.5)]) for i in range(5)])
    for _ in range(count):
        body = bytearray(whole)
        for _ in range(generator.randint(1, 6)):
            at = generator.randrange(len(body))
            kind = generator.randrange(4)
            if kind == 0:
                body[at] = generator.randrange(256)
            elif kind == 1:
                body[at] ^= 1 << generator.randrange(8)
            elif kind == 2:
                del body[at : at + generator.randint(1, 9)]
            else:
                body[at:at] = body[at : at + generator.randint(1, 9)]
            if not body:
                break
        yield bytes(body)


def survive(count):
    into, outcomes = table(), set()
    for body in damaged(count, count):
        try:
            rows = remote_write.decode(body, into).rows
            assert rows.counts.sum() == len(rows.timestamps) == len(rows.values)
            assert not len(rows.ordinals) or 0 <= rows.ordinals.min() <= rows.ordinals.max() < len(into)
            outcomes.add("read")
        except InvalidRequest as error:
            outcomes.add(error.reason.value)
    return outcomes


def test_damaged_requests_are_decoded_or_refused():
    assert {"read", "not_protobuf", "no_metric_name", "labels_not_utf8"} <= survive(20_000)


@given(st.binary(max_size=200))
def test_any_bytes_are_decoded_or_refused(body):
    into = table()
    with contextlib.suppress(InvalidRequest):
        remote_write.decode(body, into)
    with contextlib.suppress(InvalidRequest):
        remote_write.decompress(body, LIMIT)


def test_no_kernel_reads_outside_its_arrays(tmp_path):
    """The same damage with every index checked; a read outside raises IndexError there."""
    environment = {**os.environ, "NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    environment["PYTHONPATH"] = str(Path(__file__).parents[2])
    code = "from tests.collect import test_remote_write as t; print(sorted(t.survive(3000)))"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert "not_protobuf" in done.stdout


def test_a_block_that_would_be_too_large_is_not_unpacked():
    bomb = varint(1 << 31) + b"\x00" * 10
    with pytest.raises(InvalidRequest) as caught:
        remote_write.decompress(bomb, LIMIT)
    assert caught.value.reason is RequestFault.TOO_LARGE


@pytest.mark.parametrize("body", [b"", b"\xff" * 20, bytes(cramjam.snappy.compress_raw(b"abc" * 99))[:-2]])
def test_what_is_not_snappy_is_refused(body):
    with pytest.raises(InvalidRequest) as caught:
        remote_write.decompress(body, LIMIT)
    assert caught.value.reason is RequestFault.NOT_SNAPPY


def test_a_series_without_samples_is_passed_over():
    into = table()
    written = remote_write.decode(field(1, NAMED) + field(1, b"") + field(1, NAMED + SAMPLE), into)
    assert written.rows.counts.tolist() == [1]
    assert len(into) == 1


def test_a_refused_request_leaves_the_table_as_it_was():
    into = table()
    good = field(1, NAMED + SAMPLE)
    with pytest.raises(InvalidRequest):
        remote_write.decode(good + field(1, SAMPLE), into)
    assert (len(into), into.keys.arena.count) == (0, 0)


def test_the_hash_of_keys_is_siphash_1_3():
    """CPython hashes bytes by it, under a key of zeros where PYTHONHASHSEED is 0."""
    from streamgauge.collect.incoming.series_kernels import keyed_hash

    assert sys.hash_info.algorithm == "siphash13"
    code = "print(*(hash(bytes(range(200, 200 + n))) for n in range(1, 50)))"
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True)
    seed = np.zeros(2, np.uint64)
    seed.flags.writeable = False
    ours = [
        int(np.uint64(keyed_hash(np.arange(200, 200 + n, dtype=np.uint8), 0, n, seed)).view(np.int64))
        for n in range(1, 50)
    ]
    assert ours == [int(word) for word in done.stdout.split()]


@given(st.lists(st.binary(max_size=30), max_size=60))
def test_the_key_table_is_exact_even_when_all_hashes_collide(keys):
    from streamgauge.collect.incoming import series_kernels as kernels

    known = KeyTable()
    for number, key in enumerate(keys):
        known.insert(key, number)
    first = {key: keys.index(key) for key in keys}
    slots = np.full(256, kernels.EMPTY, np.int32)
    same = np.full(len(known.hashes), 7, np.uint64)
    kernels.place_all(slots, same, 0, known.arena.count)
    for key, number in first.items():
        data = np.frombuffer(key, np.uint8)
        found = kernels.find(
            slots, same, known.arena.bounds, known.arena.data, data, 0, len(data), np.uint64(7)
        )
        assert known.ordinals[found] == number
