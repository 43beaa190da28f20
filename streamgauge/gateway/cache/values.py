"""Encoding of cached values: little-endian, arrays by column, compressed.

    version u8 | checksum u64, of the key and all that follows | length of the content u32 | zstd of the content

The content of a piece is

    kind u8 | series u32 | steps u32 | labels u16 | notes u16
    the bits of where there is a value, then the values that are there, all their lowest bytes first
    each label: its name, how many values u32, the values, a code u32 a series
    each note: place i32, text

where a text is its length u32 and UTF-8. A refusal is its kind alone. Bytes come from outside: every length is checked.
The checksum finds what was damaged; whoever can write to Redis can make one that is right, so it is trusted in nothing.
"""

import struct
from enum import StrEnum
from typing import Any

import cramjam
import numpy as np
import numpy.typing as npt
import xxhash

from streamgauge.gateway.cache.pieces import Note, Piece
from streamgauge.gateway.request.faults import InvalidRequest
from streamgauge.promql.data.labels import Column, LabelTable
from streamgauge.store.reading import ReadContext

VERSION = 1
MAX_CONTENT = 64 * 1024 * 1024
_ENVELOPE = struct.Struct("<BQI")
_HEAD = struct.Struct("<BIIHH")
_U32, _I32 = struct.Struct("<I"), struct.Struct("<i")
_SCALAR, _VECTOR, _REFUSED = range(3)
_LEVEL = 1
_VALUE_BYTES = 8 + 1 + 1 + 8
"""Of a step of a series: its value, whether it is there, its bit, and a copy."""
_TEXT_BYTES = 8 + 49
"""Of a text beside its characters: where it is, and the object."""
_LABEL_BYTES, _NOTE_BYTES = 512, 128
"""Of a label beside its texts and codes, and of a note beside its text."""


class ValueFault(StrEnum):
    """Reason for which a cached value is rejected."""

    FOREIGN = "foreign"
    """Of another version, or nothing of ours."""
    DAMAGED = "damaged"
    TOO_LARGE = "too_large"
    """It would take more memory than there is for it."""


class InvalidValue(ValueError):
    """A cached value that does not decode. :param reason: for counters."""

    def __init__(self, reason: ValueFault) -> None:
        super().__init__(reason.value)
        self.reason = reason


def seal(key: bytes, content: bytes) -> bytes:
    """Content under a key, as it is kept."""
    body = bytes(cramjam.zstd.compress(content, level=_LEVEL))
    length = _U32.pack(len(content))
    return _ENVELOPE.pack(VERSION, _checksum(key, length + body), len(content)) + body


def length(data: bytes) -> int:
    """Size of the content that the data declares, in bytes; at most `MAX_CONTENT` is accepted."""
    if len(data) < _ENVELOPE.size:
        return 0
    _, _, found = _ENVELOPE.unpack_from(data)
    return min(int(found), MAX_CONTENT)


def unseal(key: bytes, data: bytes) -> bytes:
    """The content.

    :raises InvalidValue: for anything else than what `seal` gives for the key.
    """
    if len(data) < _ENVELOPE.size or data[0] != VERSION:
        raise InvalidValue(ValueFault.FOREIGN)
    _, checksum, length = _ENVELOPE.unpack_from(data)
    body = data[_ENVELOPE.size :]
    if length > MAX_CONTENT or checksum != _checksum(key, _U32.pack(length) + body):
        raise InvalidValue(ValueFault.DAMAGED)
    content = bytearray(length)
    try:
        written = cramjam.zstd.decompress_into(body, content)
    except cramjam.DecompressionError:
        raise InvalidValue(ValueFault.DAMAGED) from None
    if written != length:
        raise InvalidValue(ValueFault.DAMAGED)
    return bytes(content)


def hold(reading: ReadContext, size: int) -> None:
    """Account for the bytes of a value in a reading.

    :raises InvalidValue: if it may not: the query is refused if it needs as many without the value.
    """
    try:
        reading.hold(size)
    except InvalidRequest:
        raise InvalidValue(ValueFault.TOO_LARGE) from None


def encode(piece: Piece | None) -> bytes:
    """Encode a piece; None stands for a part that must not be cached."""
    if piece is None:
        return bytes([_REFUSED])
    series, steps = piece.values.shape
    columns = {} if piece.labels is None else piece.labels.columns
    kind = _SCALAR if piece.labels is None else _VECTOR
    there = np.ascontiguousarray(piece.values[piece.present], "<f8").view(np.uint8)
    parts = [
        _HEAD.pack(kind, series, steps, len(columns), len(piece.notes)),
        np.packbits(piece.present).tobytes(),
        there.reshape(-1, 8).T.tobytes(),
    ]
    for name, (codes, values) in columns.items():
        # only the values that occur, the absent one first as in every table
        used = np.unique(np.append(codes, 0))
        parts += [_text(name), _U32.pack(len(used)), *(_text(values[code]) for code in used.tolist())]
        parts.append(np.searchsorted(used, codes).astype("<u4").tobytes())
    for text, place in piece.notes:
        parts += [_I32.pack(place), _text(text)]
    return b"".join(parts)


def decoded_bytes(content: bytes) -> int:
    """Size of a decoded piece, in bytes; absent values are one bit in the content."""
    if len(content) < _HEAD.size:
        return 0
    _, series, steps, labels, notes = map(int, _HEAD.unpack_from(content))
    # no more values than there are bits, no more codes and texts than there are numbers of 32 bits
    words = len(content) // 4
    texts = min(labels * (series + 2) + notes, words)
    arrays = min(series * steps, 8 * len(content)) * _VALUE_BYTES + min(labels * series, words) * 12
    return arrays + texts * _TEXT_BYTES + min(labels, words) * _LABEL_BYTES + min(notes, words) * _NOTE_BYTES


def decode(content: bytes) -> Piece | None:
    """The piece.

    :raises InvalidValue: for anything else than what `encode` gives.
    """
    try:
        return _decoded(_Bytes(content))
    except (ValueError, struct.error):
        raise InvalidValue(ValueFault.DAMAGED) from None


def _decoded(data: "_Bytes") -> Piece | None:
    if data.content == bytes([_REFUSED]):
        return None
    kind, series, steps, labels, notes = data.numbers(_HEAD)
    if kind not in (_SCALAR, _VECTOR) or (kind == _SCALAR and (series, labels) != (1, 0)):
        raise ValueError("of no known kind")
    bits = np.unpackbits(data.array(np.uint8, (series * steps + 7) // 8))
    present = bits[: series * steps].astype(bool).reshape(series, steps)
    count = int(present.sum())
    packed = data.array(np.uint8, 8 * count).reshape(8, count)
    values = np.zeros(present.shape)
    values[present] = np.ascontiguousarray(packed.T).reshape(-1).view("<f8")
    columns = {}
    for _ in range(labels):
        name = data.text()
        [distinct] = data.numbers(_U32)
        if distinct > series + 1:
            raise ValueError("more values than series")
        texts = [data.text() for _ in range(distinct)]
        codes = data.array(np.dtype("<u4"), series).astype(np.int64)
        if not texts or texts[0] or (series and codes.max() >= len(texts)):
            raise ValueError("a code without a value")
        columns[name] = Column(codes, texts)
    remarked = []
    for _ in range(notes):
        [place] = data.numbers(_I32)
        remarked.append(Note(data.text(), place))
    data.finish()
    return Piece(None if kind == _SCALAR else LabelTable(series, columns), values, present, tuple(remarked))


def _text(text: str) -> bytes:
    data = text.encode()
    return _U32.pack(len(data)) + data


def _checksum(key: bytes, rest: bytes) -> int:
    return xxhash.xxh3_64_intdigest(key + rest)


class _Bytes:
    """Reads from the front, and never past the end: ValueError or struct.error then."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self._at = 0

    def numbers(self, form: struct.Struct) -> tuple[int, ...]:
        found = form.unpack_from(self.content, self._at)
        self._at += form.size
        return found

    def array(self, dtype: npt.DTypeLike, count: int) -> npt.NDArray[Any]:
        if not count:
            return np.empty(0, dtype)
        found = np.frombuffer(self.content, dtype, count, self._at)
        self._at += found.nbytes
        return found

    def text(self) -> str:
        [length] = self.numbers(_U32)
        if self._at + length > len(self.content):
            raise ValueError("a text that is cut off")
        self._at += length
        return self.content[self._at - length : self._at].decode()

    def finish(self) -> None:
        if self._at != len(self.content):
            raise ValueError("more than there should be")
