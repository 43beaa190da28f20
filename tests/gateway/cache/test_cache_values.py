"""The bytes of kept pieces: what comes back is what was kept, or nothing."""

import struct
import tracemalloc
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgauge.gateway.cache import values
from streamgauge.gateway.cache.pieces import Note, Piece
from streamgauge.gateway.cache.values import InvalidValue, ValueFault, decode, encode, seal, unseal
from streamgauge.promql.data.labels import from_rows
from streamgauge.series.samples import STALE

KEY = b"streamgauge:r:0123456789abcdef"
_texts = st.text(max_size=5)
_floats = st.floats() | st.sampled_from([STALE, -0.0])


@st.composite
def pieces(draw):
    steps = draw(st.integers(0, 9))
    rows = draw(
        st.none()
        | st.lists(st.dictionaries(_texts.filter(bool), _texts.filter(bool), max_size=3), max_size=5)
    )
    count = 1 if rows is None else len(rows)
    numbers = draw(st.lists(_floats, min_size=count * steps, max_size=count * steps))
    there = draw(st.lists(st.booleans(), min_size=count * steps, max_size=count * steps))
    notes = draw(st.lists(st.builds(Note, _texts, st.integers(-1, 50)), max_size=2))
    return Piece(
        None if rows is None else from_rows(rows),
        np.array(numbers, np.float64).reshape(count, steps),
        np.array(there, bool).reshape(count, steps),
        tuple(notes),
    )


def _shown(piece):
    return (
        piece.labels and piece.labels.rows(),
        piece.values.shape,
        piece.values[piece.present].view(np.uint64).tolist(),
        piece.present.tolist(),
        piece.notes,
    )


@given(pieces())
def test_a_piece_comes_back_equal(piece):
    data = seal(KEY, encode(piece))
    assert _shown(decode(unseal(KEY, data))) == _shown(piece)


def test_a_part_of_which_nothing_may_be_kept_comes_back_as_none():
    assert decode(unseal(KEY, seal(KEY, encode(None)))) is None


@given(pieces(), st.data())
def test_any_changed_byte_is_seen(piece, data):
    sealed = seal(KEY, encode(piece))
    at = data.draw(st.integers(0, len(sealed) - 1))
    changed = bytes([*sealed[:at], sealed[at] ^ data.draw(st.integers(1, 255)), *sealed[at + 1 :]])
    with pytest.raises(InvalidValue) as fault:
        unseal(KEY, changed)
    assert fault.value.reason is (ValueFault.FOREIGN if at == 0 else ValueFault.DAMAGED)


@given(st.binary(max_size=60))
def test_foreign_bytes_are_no_value(data):
    with pytest.raises(InvalidValue):
        unseal(KEY, data)


@given(pieces())
def test_a_value_of_another_key_is_none_of_this(piece):
    with pytest.raises(InvalidValue):
        unseal(KEY[:-1] + b"x", seal(KEY, encode(piece)))


@given(pieces(), st.data())
def test_content_that_is_cut_or_changed_is_refused_or_a_piece(piece, data):
    content = encode(piece)
    cut = content[: data.draw(st.integers(0, len(content)))]
    at = data.draw(st.integers(0, len(content) - 1))
    changed = bytes([*content[:at], data.draw(st.integers(0, 255)), *content[at + 1 :]])
    for bad in (cut, content + b"\0", changed):
        try:
            found = decode(bad)
        except InvalidValue:
            continue
        assert found is None or found.values.shape == found.present.shape


def test_content_that_claims_to_be_huge_takes_no_memory():
    sealed = bytearray(seal(KEY, b"x" * 100))
    sealed[9:13] = (values.MAX_CONTENT + 1).to_bytes(4, "little")
    with pytest.raises(InvalidValue):
        unseal(KEY, bytes(sealed))


def test_a_kept_piece_is_small(golden):
    """An hour of 100 counters at 15 s: values of eight bytes, without labels again and again."""
    labels = from_rows(
        [{"__name__": "x", "instance": f"host-{number}", "job": "node"} for number in range(100)]
    )
    numbers = np.cumsum(np.ones((100, 240)), axis=1)
    content = encode(Piece(labels, numbers, np.ones(numbers.shape, bool)))
    assert len(seal(KEY, content)) < numbers.nbytes / 10
    small = Piece(labels.take(np.arange(2)), numbers[:2, :3], np.array([[True, False, True], [True] * 3]))
    assert golden("kept_piece.bin", encode(small)) == encode(small)


def _piece(series, steps, labels, notes=b"", notes_count=0, present=b"", values=b""):
    head = struct.pack("<BIIHH", 1, series, steps, len(labels), notes_count)
    return head + present + values + b"".join(labels) + notes


def _label(texts, series, name=b"abcd"):
    return struct.pack("<I4sI", 4, name, len(texts)) + b"".join(texts) + bytes(4 * series)


_EMPTY = bytes(4)
_SHORT = [struct.pack("<I2s", 2, b"%02x" % (number % 256)) for number in range(30_000)]
CRAFTED = {
    "values that are not there": _piece(4000, 500, [], present=bytes(4000 * 500 // 8)),
    "texts of a label without series": _piece(0, 20, [_label([_EMPTY, *_SHORT], 0)]),
    "texts of a label that no series has": _piece(
        10_000, 20, [_label([_EMPTY, *_SHORT[:10_000]], 10_000)], present=bytes(10_000 * 20 // 8)
    ),
    "labels without series": _piece(0, 20, [_label([_EMPTY], 0, b"%04x" % number) for number in range(5000)]),
    "notes": _piece(0, 20, [], notes=struct.pack("<iI2s", 0, 2, b"ab") * 30_000, notes_count=30_000),
}


@pytest.mark.parametrize("content", CRAFTED.values(), ids=CRAFTED)
def test_what_a_value_takes_is_known_before_it_is_decoded(content):
    tracemalloc.start()
    try:
        with suppress(InvalidValue):
            decode(content)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < values.decoded_bytes(content) + 100_000


def test_a_label_with_more_values_than_series_is_refused():
    assert decode(_piece(1, 8, [_label([_EMPTY, _SHORT[0]], 1)], present=b"\0"))
    with pytest.raises(InvalidValue):
        decode(_piece(1, 8, [_label([_EMPTY, *_SHORT[:2]], 1)], present=b"\0"))
