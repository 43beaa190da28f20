"""The series a collector knows: each has an ordinal, by which its id, lane and labels are found."""

import secrets
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from streamgauge.collect.incoming import series_kernels as kernels
from streamgauge.series import ids as series_ids

Number = TypeVar("Number", bound=np.generic)
Ordinals = npt.NDArray[np.int64]
MEAN_BYTES = 512
"""Average bytes of a series' labels above which a table counts as full."""
_FIRST_SLOTS = 1 << 12


class Arena:
    """Byte strings laid end to end; entry i is data[bounds[i]:bounds[i + 1]]."""

    def __init__(self) -> None:
        self.data = np.zeros(1 << 16, np.uint8)
        self.bounds = np.zeros(1 << 10, np.int64)
        self.count = 0

    @property
    def size(self) -> int:
        """Bytes of all entries."""
        return int(self.bounds[self.count])

    def append(self, entry: bytes) -> int:
        """Add an entry and return its number."""
        start = int(self.bounds[self.count])
        end = start + len(entry)
        while end > len(self.data):
            self.data = _doubled(self.data)
        if self.count + 2 > len(self.bounds):
            self.bounds = _doubled(self.bounds)
        self.data[start:end] = np.frombuffer(entry, np.uint8)
        self.count += 1
        self.bounds[self.count] = end
        return self.count - 1


class KeyTable:
    """An exact map from byte strings of requests to ordinals, as arrays that a kernel can read.

    Two different keys never pass for one another: the bytes are kept and compared. The hash has a key of
    its own, so that nobody outside can choose keys that collide.
    """

    def __init__(self) -> None:
        self.seed = np.frombuffer(secrets.token_bytes(16), np.uint64)
        self.slots = np.full(_FIRST_SLOTS, kernels.EMPTY, np.int32)
        self.hashes = np.zeros(1 << 10, np.uint64)
        self.ordinals = np.zeros(1 << 10, np.int64)
        self.arena = Arena()

    def insert(self, key: bytes, ordinal: int) -> None:
        """Map a key to an ordinal, unless it is mapped already."""
        data = np.frombuffer(key, np.uint8)
        arena = self.arena
        hashed, found = kernels.look_up(self.slots, self.hashes, arena.bounds, arena.data, data, self.seed)
        if found != kernels.EMPTY:
            return
        number = arena.append(key)
        if number == len(self.hashes):
            self.hashes = _doubled(self.hashes)
            self.ordinals = _doubled(self.ordinals)
        self.hashes[number] = hashed
        self.ordinals[number] = ordinal
        if 2 * arena.count > len(self.slots):
            self.slots = np.full(2 * len(self.slots), kernels.EMPTY, np.int32)
            number = 0
        kernels.place_all(self.slots, self.hashes, number, arena.count)


class SeriesTable:
    """Every series once, in order of arrival, and the request keys that lead to it.

    A table only grows. When it is `full` its owner starts another; ordinals are of one table.
    """

    def __init__(self, lanes: int, max_series: int) -> None:
        self._lanes = lanes
        self._max_series = max_series
        self._ordinals: dict[bytes, int] = {}
        self._canonical = Arena()
        self.keys = KeyTable()
        self.ids = np.zeros((1 << 10, 2), np.uint64)
        self.lanes = np.zeros(1 << 10, np.int64)
        self.label_bytes = np.zeros(1 << 10, np.int64)

    def __len__(self) -> int:
        return len(self._ordinals)

    @property
    def full(self) -> bool:
        """Whether the bound is reached, by series, by request keys that lead to them, or by bytes."""
        known = max(len(self), self.keys.arena.count)
        size = max(self._canonical.size, self.keys.arena.size)
        return known >= self._max_series or size >= self._max_series * MEAN_BYTES

    def intern(self, canonical: bytes) -> int:
        """The ordinal of the series with these canonical label bytes, which is added if it is new."""
        identity = series_ids.series_id(canonical)
        ordinal = self._ordinals.get(identity)
        if ordinal is None:
            ordinal = self._ordinals[identity] = self._canonical.append(canonical)
            if ordinal == len(self.ids):
                self.ids, self.lanes = _doubled(self.ids), _doubled(self.lanes)
                self.label_bytes = _doubled(self.label_bytes)
            self.ids[ordinal] = series_ids.from_bytes(identity)[0]
            self.lanes[ordinal] = series_ids.lane_of(identity, self._lanes)
            self.label_bytes[ordinal] = len(canonical)
        return ordinal

    def canonical(self, ordinal: int) -> bytes:
        """The canonical label bytes of a series."""
        bounds = self._canonical.bounds
        return self._canonical.data[bounds[ordinal] : bounds[ordinal + 1]].tobytes()

    def labels(self, ordinals: Ordinals) -> pa.BinaryArray:
        """The canonical label bytes of many series as an Arrow column."""
        offsets = np.zeros(len(ordinals) + 1, np.int32)
        out = np.empty(int(self.label_bytes[ordinals].sum()), np.uint8)
        kernels.gather(self._canonical.data, self._canonical.bounds, ordinals, offsets, out)
        buffers = [None, pa.py_buffer(offsets), pa.py_buffer(out)]
        return pa.BinaryArray.from_buffers(pa.binary(), len(ordinals), buffers)


def _doubled(array: npt.NDArray[Number]) -> npt.NDArray[Number]:
    larger: npt.NDArray[Number] = np.zeros((2 * len(array), *array.shape[1:]), array.dtype)
    larger[: len(array)] = array
    return larger
