"""Protobuf's wire format, read field by field: for messages that are few and small."""

from collections.abc import Iterator
from enum import IntEnum

_MOST_VARINT_BYTES = 10
_MASK = (1 << 64) - 1


class Wire(IntEnum):
    """How a field is written."""

    VARINT = 0
    FIXED64 = 1
    BYTES = 2
    FIXED32 = 5


_WIDTHS = {Wire.FIXED64: 8, Wire.FIXED32: 4}


class InvalidProtobuf(ValueError):
    """Bytes that are no protobuf message, or whose fields are of other kinds than asked for."""


def fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The number and the content of each field: varints as unsigned integers, all else as its bytes.

    :raises InvalidProtobuf: with the offset of the fault.
    """
    at, end = 0, len(data)
    while at < end:
        start = at
        tag, at = _varint(data, at)
        number, wire = tag >> 3, tag & 7
        if not 0 < number < 1 << 29 or wire not in Wire.__members__.values():
            raise InvalidProtobuf(f"no field at offset {start} of {end}")
        if wire == Wire.VARINT:
            content, at = _varint(data, at)
            yield number, content
            continue
        length = _WIDTHS.get(Wire(wire), 0)
        if wire == Wire.BYTES:
            length, at = _varint(data, at)
        if length > end - at:
            raise InvalidProtobuf(f"field at offset {start} ends after the message of {end} bytes")
        yield number, data[at : at + length]
        at += length


def integer(content: int | bytes) -> int:
    """An int64 of a field.

    :raises InvalidProtobuf: if it is no varint.
    """
    if not isinstance(content, int):
        raise InvalidProtobuf("bytes where a number is wanted")
    return content - (1 << 64) if content >> 63 else content


def message(content: int | bytes) -> bytes:
    """The bytes of a field.

    :raises InvalidProtobuf: if it is a varint.
    """
    if not isinstance(content, bytes):
        raise InvalidProtobuf("a number where bytes are wanted")
    return content


def text(content: int | bytes) -> str:
    """The string of a field.

    :raises InvalidProtobuf: if it is none in UTF-8.
    """
    try:
        return message(content).decode()
    except UnicodeDecodeError as error:
        raise InvalidProtobuf(f"string that is not UTF-8: {error}") from None


def varint(number: int) -> bytes:
    """A varint of the low 64 bits."""
    number &= _MASK
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def field(number: int, content: bytes) -> bytes:
    """A field of bytes, a string or a message. :param number: below 16."""
    return bytes([number << 3 | Wire.BYTES]) + varint(len(content)) + content


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """The number, and where it ends."""
    number, start = 0, at
    while at < len(data) and at - start < _MOST_VARINT_BYTES:
        byte = data[at]
        number |= (byte & 0x7F) << 7 * (at - start)
        at += 1
        if byte < 0x80:
            if number > _MASK:
                break
            return number, at
    raise InvalidProtobuf(f"no number at offset {start} of {len(data)}")
