"""Numbers, texts and arrays one after the other as bytes; reading them back checks every bound."""

import struct
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

_TYPES = (
    np.dtype("<f8"),
    np.dtype("<i8"),
    np.dtype("?"),
    np.dtype("<u1"),
    np.dtype("<u2"),
    np.dtype("<u4"),
    np.dtype("<f4"),
)
_CODES = {kind: code for code, kind in enumerate(_TYPES)}
_NUMBER, _LONG = struct.Struct("<I"), struct.Struct("<q")


class InvalidPack(ValueError):
    """Bytes that are not what was packed."""


class Packer:
    """Puts bytes together."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def number(self, value: int) -> None:
        """A number from 0 on below 2**32."""
        self.parts.append(_NUMBER.pack(value))

    def long(self, value: int) -> None:
        """A number of 64 bits."""
        self.parts.append(_LONG.pack(value))

    def blob(self, data: bytes) -> None:
        """Bytes of any length."""
        self.parts += (_NUMBER.pack(len(data)), data)

    def texts(self, texts: Sequence[str]) -> None:
        """Any number of texts."""
        encoded = [text.encode() for text in texts]
        self.blobs(encoded)

    def blobs(self, blobs: Sequence[bytes]) -> None:
        """Any number of byte strings."""
        sizes = np.fromiter(map(len, blobs), np.uint32, len(blobs))
        self.parts += (_NUMBER.pack(len(blobs)), sizes.tobytes(), *blobs)

    def array(self, array: npt.NDArray[Any]) -> None:
        """An array of one or two dimensions."""
        rows, columns = array.shape if array.ndim == 2 else (len(array), 0)
        code = _CODES[array.dtype]
        self.parts.append(struct.pack("<BBII", code, array.ndim, rows, columns))
        self.parts.append(np.ascontiguousarray(array).tobytes())

    def finish(self) -> bytes:
        """All that was put in."""
        return b"".join(self.parts)


class Unpacker:
    """Takes bytes apart, in the order in which they were put together.

    Every method raises InvalidPack if the bytes end too early or say something impossible.
    """

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)
        self._at = 0

    def number(self) -> int:
        """What `Packer.number` has put in."""
        return int(_NUMBER.unpack(self._take(4))[0])

    def long(self) -> int:
        """What `Packer.long` has put in."""
        return int(_LONG.unpack(self._take(8))[0])

    def blob(self) -> bytes:
        """What `Packer.blob` has put in."""
        return bytes(self._take(self.number()))

    def text(self) -> str:
        """What `Packer.blob` has put in, a text in UTF-8."""
        return _text(self.blob())

    def texts(self) -> list[str]:
        """What `Packer.texts` has put in."""
        return [_text(blob) for blob in self.blobs()]

    def blobs(self) -> list[bytes]:
        """What `Packer.blobs` has put in."""
        count = self.number()
        sizes = np.frombuffer(self._take(4 * count), "<u4")
        ends = np.cumsum(sizes, dtype=np.int64)
        data = bytes(self._take(int(ends[-1]) if count else 0))
        bounds = [0, *ends.tolist()]
        return [data[begin:end] for begin, end in pairwise(bounds)]

    def array(self, kind: str, dimensions: int = 1) -> npt.NDArray[Any]:
        """What `Packer.array` has put in, of this type and number of dimensions; read-only."""
        found = self.any_array()
        if found.dtype != np.dtype(kind) or found.ndim != dimensions:
            raise InvalidPack(f"an array of {found.dtype} with {found.ndim} dimensions instead of {kind}")
        return found

    def any_array(self) -> npt.NDArray[Any]:
        """What `Packer.array` has put in, of any type and shape."""
        code, dimensions, rows, columns = struct.unpack("<BBII", self._take(10))
        if code >= len(_TYPES) or dimensions not in (1, 2):
            raise InvalidPack(f"an array of type {code} with {dimensions} dimensions")
        shape = (rows, columns) if dimensions == 2 else (rows,)
        kind = _TYPES[code]
        data = self._take(kind.itemsize * rows * (columns if dimensions == 2 else 1))
        if kind == np.bool_ and np.frombuffer(data, np.uint8).max(initial=0) > 1:
            raise InvalidPack("a flag that is neither 0 nor 1")
        return np.frombuffer(data, kind).reshape(shape)

    def end(self) -> None:
        """Nothing may follow."""
        if self._at != len(self._data):
            raise InvalidPack(f"{len(self._data) - self._at} bytes too many")

    def _take(self, size: int) -> memoryview:
        if size > len(self._data) - self._at:
            raise InvalidPack("it ends too early")
        self._at += size
        return self._data[self._at - size : self._at]


def _text(blob: bytes) -> str:
    try:
        return blob.decode()
    except UnicodeDecodeError as fault:
        raise InvalidPack(f"a text that is not UTF-8: {fault}") from None
