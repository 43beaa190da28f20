"""The sender's side of remote write 1.0: encoding a request."""

import struct
from collections.abc import Iterable, Mapping, Sequence

import cramjam

Sample = tuple[int, float]
"""Timestamp in ms, value."""


def encode(series: Iterable[tuple[Mapping[str, str], Sequence[Sample]]]) -> bytes:
    """A `prometheus.WriteRequest` of these label sets and samples; labels go out sorted by name."""
    return b"".join(_field(1, _series(labels, samples)) for labels, samples in series)


def compress(request: bytes) -> bytes:
    """The body to POST: the request as a snappy block."""
    return bytes(cramjam.snappy.compress_raw(request))


def varint(number: int) -> bytes:
    """A protobuf varint of the low 64 bits."""
    number &= (1 << 64) - 1
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _series(labels: Mapping[str, str], samples: Sequence[Sample]) -> bytes:
    pairs = sorted((name.encode(), value.encode()) for name, value in labels.items())
    encoded = [_field(1, _field(1, name) + _field(2, value)) for name, value in pairs]
    encoded += [_field(2, struct.pack("<Bd", 0x09, value) + b"\x10" + varint(at)) for at, value in samples]
    return b"".join(encoded)


def _field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2]) + varint(len(content)) + content
