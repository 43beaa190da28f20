"""The sender's side of remote write 1.0: encoding a request."""

import struct
from collections.abc import Iterable, Mapping, Sequence

import cramjam

from schemas.protobuf import field, varint

Sample = tuple[int, float]
"""Timestamp in ms, value."""


def encode(series: Iterable[tuple[Mapping[str, str], Sequence[Sample]]]) -> bytes:
    """A `prometheus.WriteRequest` of these label sets and samples; labels go out sorted by name."""
    return b"".join(field(1, _series(labels, samples)) for labels, samples in series)


def compress(request: bytes) -> bytes:
    """The body to POST: the request as a snappy block."""
    return bytes(cramjam.snappy.compress_raw(request))


def _series(labels: Mapping[str, str], samples: Sequence[Sample]) -> bytes:
    pairs = sorted((name.encode(), value.encode()) for name, value in labels.items())
    encoded = [field(1, field(1, name) + field(2, value)) for name, value in pairs]
    encoded += [field(2, struct.pack("<Bd", 0x09, value) + b"\x10" + varint(at)) for at, value in samples]
    return b"".join(encoded)
