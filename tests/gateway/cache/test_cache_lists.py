"""The bytes of kept lists: what comes back is what was kept, or nothing."""

import json
import struct
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgauge.gateway.cache.answers import Answers, Listing, decode, encode
from streamgauge.gateway.cache.values import InvalidValue, ValueFault, seal
from streamgauge.gateway.request.faults import ErrorType, InvalidRequest
from streamgauge.store.reading import ReadContext
from tests.support.cached_system import Dictionary

_ANSWER = Listing('["a"]', ["a warning"])


class _Index:
    """Stands for a reader of which only the generations of the index are asked for."""

    def __init__(self):
        self.index = self.blocks = self.changes = self

    def periods(self, *_):
        return [(0, 0)]

    def read_series(self, *_):
        return []


def _warned(text):
    return struct.pack("<I", len(text)) + text + b"[]"


CRAFTED = {
    "nothing": b"",
    "no JSON": b"\xff" * 40,
    "more warnings than bytes": struct.pack("<I", 1 << 31) + b"[]",
    "no list": _warned(b"7"),
    "warnings that are no text": _warned(b"[1]"),
    "nested": _warned(b"[" * 60_000),
    "no UTF-8": _warned(b"[]") + b"\xff",
    "many": _warned(b"[" + b"[]," * 1_000_000 + b"[]]"),
    "as before": json.dumps(_ANSWER).encode(),
}


class _Little(ReadContext):
    """A reading that may hold so many bytes."""

    def hold(self, size):
        if size > 1 << 20:
            raise InvalidRequest(ErrorType.UNAVAILABLE, f"not enough memory for {size} bytes")


def _kept(change, reading):
    """The answer when what was kept is another now, and what was not taken."""
    kept, invalid = Dictionary(), []
    answers = Answers("test", _Index(), kept, invalid.append)
    question = ("labels",), (0, 0), lambda: _ANSWER
    assert answers.answer(*question, reading) == (_ANSWER, False)
    assert answers.answer(*question, reading) == (_ANSWER, True)
    [key] = kept.values
    kept.values[key] = change(key), 60
    return answers.answer(*question, reading), invalid


@given(st.text() | st.just("\ud800"), st.lists(st.text()))
def test_a_list_comes_back_equal(data, warnings):
    assert decode(encode(Listing(data, warnings))) == (data, warnings)


@pytest.mark.parametrize("content", CRAFTED.values(), ids=CRAFTED)
def test_a_crafted_list_is_a_miss_though_its_checksum_is_right(content):
    assert _kept(lambda key: seal(key, content), ReadContext()) == ((_ANSWER, False), [ValueFault.DAMAGED])


def test_a_list_that_would_take_more_memory_than_there_is_is_a_miss():
    found = _kept(lambda key: seal(key, bytes(8 << 20)), _Little())
    assert found == ((_ANSWER, False), [ValueFault.TOO_LARGE])


@pytest.mark.parametrize("content", CRAFTED.values(), ids=CRAFTED)
def test_a_crafted_list_takes_no_more_memory_than_is_held_for_it(content):
    tracemalloc.start()
    try:
        with pytest.raises(InvalidValue):
            decode(content)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4_000_000
