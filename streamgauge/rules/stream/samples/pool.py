"""Samples of many series that grow at their ends and are forgotten at their starts, in a few large arrays."""

from collections import defaultdict
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from streamgauge.promql.data.vectors import Times
from streamgauge.rules.stream.samples import window_kernels as kernels
from streamgauge.series.samples import Samples

Slots = npt.NDArray[np.int64]
Number = TypeVar("Number", bound=np.generic)
_SMALLEST = 8
SAMPLE_BYTES = 16
BLOCK_BYTES = 40
"""Of a slot, beside its samples."""


class Pool:
    """Each slot has a block of a power of two of samples, which moves into a larger one when it is full.

    A block that was left is used again by the next that needs one of its size.
    """

    def __init__(self) -> None:
        self._begins = np.zeros(64, np.int64)
        self._sizes = np.zeros(64, np.int64)
        self._firsts = np.zeros(64, np.int64)
        self._lasts = np.zeros(64, np.int64)
        self.oldest = np.zeros(64, np.int64)
        """Of each slot: older samples (ms) are not taken, and forgotten by `drop`."""
        self._times = np.zeros(1024, np.int64)
        self._bits = np.zeros(1024, np.uint64)
        self._used = 0
        self._blocks: dict[int, list[int]] = defaultdict(list)
        self._free: list[int] = []
        self._count = 0

    @property
    def nbytes(self) -> int:
        """The bytes of all arrays."""
        return self._times.nbytes + self._bits.nbytes + BLOCK_BYTES * len(self._begins)

    def new_slot(self) -> int:
        """A slot without samples."""
        if self._free:
            return self._free.pop()
        slot = self._count
        self._count += 1
        if self._count > len(self._begins):
            for name in ("_begins", "_sizes", "_firsts", "_lasts", "oldest"):
                setattr(self, name, _grown(getattr(self, name), self._count))
        return slot

    def free(self, slot: int) -> None:
        """Give a slot back, with its samples."""
        if self._sizes[slot]:
            self._blocks[int(self._sizes[slot])].append(int(self._begins[slot]))
        for column in (self._begins, self._sizes, self._firsts, self._lasts):
            column[slot] = 0
        self._free.append(slot)

    def append(self, slots: Slots, samples: Samples) -> None:
        """Put in the samples of each row, whatever their times; a negative slot leaves its row out.

        Of two samples at one time that counts which does everywhere.
        """
        done = np.zeros(2, np.int64)
        values = np.ascontiguousarray(samples.values).view(np.uint64)
        while True:
            full = kernels.append(
                slots,
                samples.offsets,
                samples.timestamps,
                values,
                self.oldest,
                self._begins,
                self._sizes,
                self._firsts,
                self._lasts,
                self._times,
                self._bits,
                done,
            )
            if full == kernels.FREE:
                return
            self._make_room(full)

    def drop(self) -> None:
        """Forget the samples before the oldest time of each slot."""
        used = slice(0, self._count)
        kernels.drop_before(self.oldest[used], self._firsts[used], self._lasts[used], self._times)

    def counts(self, slots: Slots) -> Slots:
        """How many samples each slot has."""
        found: Slots = self._lasts[slots] - self._firsts[slots]
        return found

    def read(self, slots: Slots, start: int, end: int) -> tuple[Times, Times, npt.NDArray[np.float64]]:
        """Offsets (slots + 1,), timestamps and values of the samples from `start` to `end`, both included (ms)."""
        begins, offsets = np.empty(len(slots), np.int64), np.empty(len(slots) + 1, np.int64)
        kernels.bounds(slots, start, end, self._firsts, self._lasts, self._times, begins, offsets)
        times, bits = np.empty(offsets[-1], np.int64), np.empty(offsets[-1], np.uint64)
        kernels.copy(begins, offsets, self._times, self._bits, times, bits)
        return offsets, times, bits.view(np.float64)

    def _make_room(self, slot: int) -> None:
        begin, size = int(self._begins[slot]), int(self._sizes[slot])
        own = slice(int(self._firsts[slot]), int(self._lasts[slot]))
        own = slice(own.start + int(np.searchsorted(self._times[own], self.oldest[slot])), own.stop)
        count = own.stop - own.start
        target = begin
        if 2 * count > size or not size:
            target = self._block(max(_SMALLEST, 2 * size))
        for column in (self._times, self._bits):
            column[target : target + count] = column[own].copy()
        if target != begin or not size:
            if size:
                self._blocks[size].append(begin)
            self._begins[slot], self._sizes[slot] = target, max(_SMALLEST, 2 * size)
        self._firsts[slot], self._lasts[slot] = target, target + count

    def _block(self, size: int) -> int:
        if self._blocks[size]:
            return self._blocks[size].pop()
        begin = self._used
        self._used += size
        self._times = _grown(self._times, self._used)
        self._bits = _grown(self._bits, self._used)
        return begin


def _grown(column: npt.NDArray[Number], size: int) -> npt.NDArray[Number]:
    if size <= len(column):
        return column
    more = np.zeros(max(size - len(column), len(column) // 2), column.dtype)
    return np.concatenate([column, more])
