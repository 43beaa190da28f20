"""Keys that anyone can choose take no more steps than any others: every hash table of a kernel that is not compiled."""

import sys
from functools import cache
from unittest.mock import patch

import numpy as np
import pytest

from schemas.blocks import column_kernels, time_kernels
from streamgauge.promql.data import label_kernels
from streamgauge.rules.stream.samples import window_kernels
from streamgauge.series import id_kernels

KEYS = 400
_PLACES = 1024
"""Of a table for so many keys."""
_RANDOM = np.random.default_rng(7)
_FACTORS = _RANDOM.integers(0, 1 << 64, 60, np.uint64) | np.uint64(1)
"""Processes draw theirs by chance: what holds for one of them says little about the next."""


def _steps(kernel, *arguments):
    """How many lines of a kernel run, those of other kernels apart."""
    code, steps = kernel.py_func.__code__, 0

    def line(_frame, event, _argument):
        nonlocal steps
        steps += event == "line"
        return line

    around = kernel.py_func.__globals__
    # compiled ones give Python's numbers to what is not, and take no larger ones
    plain = {name: each.py_func for name, each in around.items() if hasattr(each, "py_func")}
    before = sys.gettrace()
    sys.settrace(lambda frame, *_: line if frame.f_code is code else None)
    try:
        with np.errstate(over="ignore"), patch.dict(around, plain):
            kernel.py_func(*arguments)
    finally:
        sys.settrace(before)
    return steps


def _ids(words):
    return np.ascontiguousarray(words, np.uint64).reshape(-1, 2)


def _numbered(ids, factor):
    return _steps(id_kernels.numbered.kernel, ids, len(ids), factor)


def _entered(ids, factor):
    table, keys = np.full(_PLACES, window_kernels.FREE, np.int32), np.zeros((_PLACES, 2), np.uint64)
    return _steps(window_kernels.put.kernel, table, keys, ids, np.arange(len(ids)), factor)


def _found(ids, factor):
    table, keys = np.full(_PLACES, window_kernels.FREE, np.int32), np.zeros((_PLACES, 2), np.uint64)
    window_kernels.put(table, keys, ids, np.arange(len(ids)), factor)
    return _steps(window_kernels.find.kernel, table, keys, ids, np.empty(len(ids), np.int64), factor)


def _coded(texts, factor):
    cells = [part for text in texts for part in (b"n", text)]
    ends = np.cumsum([len(cell) for cell in cells])
    begins = ends - [len(cell) for cell in cells]
    codes, firsts = np.empty((2, len(texts)), np.int64)
    data = np.frombuffer(b"".join(cells), np.uint8)
    return _steps(label_kernels.encoded.kernel, data, begins, ends, 2, len(texts), 1, codes, firsts, factor)


def _listed(lists, factor):
    offsets = np.arange(len(lists) + 1) * lists.shape[1]
    out = np.empty(10 * (len(lists) + lists.size), np.uint8)
    codes = np.empty(len(lists), np.uint32)
    return _steps(time_kernels.encode.kernel, offsets, lists.reshape(-1), 0, codes, out, factor)


def _columned(bits, factor):
    entries, codes = np.empty(256, np.uint64), np.empty(len(bits), np.uint8)
    return _steps(column_kernels.dictionary, bits, entries, codes, factor)


_LOW = np.arange(KEYS, dtype=np.uint64)
_HIGH = _LOW << np.uint64(48)
_ANY = _RANDOM.integers(0, 1 << 64, 2 * KEYS, np.uint64)


def _sharing(keys, hashed):
    """So many of these keys as have one hash, of which the table takes as many bits as it has places."""
    with np.errstate(over="ignore"):
        places = hashed(keys) % np.uint64(_PLACES)
    shared = keys[places == np.bincount(places.astype(np.int64)).argmax()]
    assert len(shared) >= KEYS
    return shared[:KEYS]


def _without_a_key(lists):
    """What lists of times were looked up by before, an array (n,)."""
    mixed = np.full(len(lists), lists.shape[1], np.uint64)
    for times in lists.T:
        mixed = (mixed ^ times.astype(np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(29)
    return mixed


def _fnv(texts):
    """What label values were looked up by before, an array (n,)."""
    hashed = np.full(len(texts), 0xCBF29CE484222325, np.uint64)
    for column in texts.T:
        hashed = (hashed ^ column) * np.uint64(0x100000001B3)
    return hashed * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(32)


_MULTIPLIED = pow(0x9E3779B97F4A7C15, -1, 1 << 64)
_NONE = np.zeros(KEYS, np.uint64)
_WORDS = _RANDOM.integers(97, 123, (KEYS, 8), np.uint8)
_OTHERS = {
    _numbered: _ids(_ANY),
    _entered: _ids(_ANY),
    _found: _ids(_ANY),
    _columned: _ANY[:250],
    _coded: [row.tobytes() for row in _WORDS],
    _listed: np.sort(_RANDOM.integers(0, 60_000, (KEYS, 2))),
}
"""Keys that nobody has chosen."""
_CHOSEN = {
    "ids of halves that differ by the same": (_numbered, _ids(np.stack([_HIGH, _HIGH ^ np.uint64(5)], 1))),
    "ids of equal halves": (_numbered, _ids(np.stack([_LOW, _LOW], 1))),
    "ids in a row": (_numbered, _ids(np.stack([_LOW, _NONE], 1))),
    "ids of lower halves in a row": (_numbered, _ids(np.stack([_NONE, _LOW], 1))),
    "ids that differ in upper bits": (_numbered, _ids(np.stack([_HIGH, _NONE], 1))),
    "ids of lower halves that differ in upper bits": (
        _numbered,
        _ids(np.stack([_NONE, _LOW << np.uint64(32)], 1)),
    ),
    "ids entered": (_entered, _ids(np.stack([_LOW, _HIGH], 1))),
    "ids in a row entered": (_entered, _ids(np.stack([_LOW, _NONE], 1))),
    "ids found": (_found, _ids(np.stack([_LOW, _HIGH], 1))),
    "ids in a row found": (_found, _ids(np.stack([_LOW, _NONE], 1))),
    "label values in a row": (_coded, [b"pod-%04d" % number for number in range(KEYS)]),
    "lists of times in a row": (_listed, np.stack([_LOW, _LOW + np.uint64(1000)], 1).astype(np.int64)),
    "values in a row": (_columned, _LOW[:250]),
    "values that share a product": (
        _columned,
        np.array([number * _MULTIPLIED % (1 << 64) for number in range(250)], np.uint64),
    ),
}


@cache
def _steps_of_others(steps, factor):
    return steps(_OTHERS[steps], factor)


def _take_no_more_steps(steps, chosen):
    for factor in _FACTORS:
        assert steps(chosen, factor) < 2 * _steps_of_others(steps, factor), f"with the factor {factor}"


def test_label_values_that_share_the_hash_without_a_key_take_no_more_steps():
    texts = _RANDOM.integers(97, 123, (KEYS * _PLACES * 5 // 4, 8), np.uint8)
    _take_no_more_steps(_coded, [row.tobytes() for row in _sharing(texts, _fnv)])


def test_lists_of_times_that_share_the_hash_without_a_key_take_no_more_steps():
    lists = np.sort(_RANDOM.integers(0, 60_000, (KEYS * _PLACES * 5 // 4, 2)))
    _take_no_more_steps(_listed, _sharing(lists, _without_a_key))


@pytest.mark.parametrize(("steps", "chosen"), _CHOSEN.values(), ids=_CHOSEN)
def test_numbers_that_share_bits_take_no_more_steps(steps, chosen):
    _take_no_more_steps(steps, chosen)
