"""What an Arrow stream says of its first record batch before anything of it is unpacked.

The sizes stand in the message's metadata, a FlatBuffer (`Message.fbs` of Apache Arrow), and before each compressed
buffer. Arrow allocates what they say: a buffer of zeros of a 255th of the size is enough.
"""

import struct
from typing import NamedTuple

import pyarrow as pa

_HEADER = 2
"""A field of the table `Message`."""
_LENGTH, _BUFFERS, _COMPRESSION = 0, 2, 3
"""Fields of the table `RecordBatch`."""


class BatchSizes(NamedTuple):
    """rows: of the batch. content: bytes of all its buffers when they are unpacked."""

    rows: int
    content: int


def batch_sizes(stream: bytes) -> BatchSizes:
    """The declared sizes of the first record batch of a stream that has no dictionaries.

    :raises ValueError, struct.error, pyarrow.ArrowException, StopIteration: if there is none, or it is damaged.
    """
    messages = pa.ipc.MessageReader.open_stream(pa.py_buffer(stream))
    messages.read_next_message()
    message = messages.read_next_message()
    if message.type != "record batch":
        raise ValueError(f"a message of type {message.type} where a record batch belongs")
    metadata, body = memoryview(message.metadata), memoryview(message.body)
    batch = _Table.root(metadata).table(_HEADER)
    at, count = batch.vector(_BUFFERS)
    if at + 16 * count > len(metadata):
        raise ValueError(f"{count} buffers in {len(metadata)} bytes of metadata")
    buffers = struct.unpack_from(f"<{2 * count}q", metadata, at)
    is_compressed = batch.has(_COMPRESSION)
    content = 0
    for offset, length in zip(buffers[::2], buffers[1::2], strict=True):
        if offset < 0 or length < 0 or offset + length > len(body):
            raise ValueError(f"a buffer from {offset} of {length} bytes in a body of {len(body)}")
        size = length
        if is_compressed and length:
            if length < 8:
                raise ValueError("a compressed buffer without its size")
            (size,) = struct.unpack_from("<q", body, offset)
            if size < 0:
                # stored as it is
                size = length - 8
        content += size
    return BatchSizes(batch.integer(_LENGTH), content)


class _Table:
    """A table of a FlatBuffer: where it is, and where its fields are after that."""

    def __init__(self, data: memoryview, at: int) -> None:
        self._data = data
        self._at = at
        (back,) = struct.unpack_from("<i", data, at)
        self._fields = at - back
        if self._fields < 0:
            raise ValueError("a table without fields")
        (size,) = struct.unpack_from("<H", data, self._fields)
        self._count = size // 2 - 2

    @classmethod
    def root(cls, data: memoryview) -> "_Table":
        return cls(data, struct.unpack_from("<I", data)[0])

    def has(self, field: int) -> bool:
        return self._place(field) > 0

    def integer(self, field: int) -> int:
        """A field of 64 bits, which is 0 where it is left out."""
        at = self._place(field)
        return int(struct.unpack_from("<q", self._data, at)[0]) if at else 0

    def table(self, field: int) -> "_Table":
        return _Table(self._data, self._referred(field))

    def vector(self, field: int) -> tuple[int, int]:
        """Where the elements begin, and how many there are."""
        at = self._referred(field)
        return at + 4, struct.unpack_from("<I", self._data, at)[0]

    def _referred(self, field: int) -> int:
        at = self._place(field)
        if not at:
            raise ValueError(f"no field {field}")
        return at + int(struct.unpack_from("<I", self._data, at)[0])

    def _place(self, field: int) -> int:
        """Where a field is; 0 if it is left out."""
        if field >= self._count:
            return 0
        (offset,) = struct.unpack_from("<H", self._data, self._fields + 4 + 2 * field)
        return self._at + offset if offset else 0
