"""The labels of the series of a window, column-wise, so that those of any of them are picked without being read."""

import numpy as np

from streamgauge.promql.data.labels import Codes, Column, LabelTable
from streamgauge.rules.stream.samples.pool import Slots
from streamgauge.series.labels import SEPARATOR

_MANY = 10_000


class SlotLabels:
    """The labels of each slot. Values that no series has any more stay until all is put in anew."""

    def __init__(self) -> None:
        self._size = 64
        self._codes: dict[str, Codes] = {}
        self._values: dict[str, dict[str, int]] = {}
        self._put = 0
        self._freed = 0

    @property
    def has_garbage(self) -> bool:
        """Whether most of what was put in is gone."""
        return self._freed > _MANY and 2 * self._freed > self._put

    def put(self, slot: int, data: bytes) -> None:
        """Set the labels of a slot that is free, from their canonical bytes."""
        self._put += 1
        if slot >= self._size:
            self._size = 2 * slot
            for name, codes in self._codes.items():
                self._codes[name] = np.concatenate([codes, np.zeros(self._size - len(codes), np.int64)])
        parts = [part.decode() for part in data.split(SEPARATOR)]
        for name, value in zip(parts[::2], parts[1::2], strict=True):
            if name not in self._codes:
                self._codes[name] = np.zeros(self._size, np.int64)
                self._values[name] = {"": 0}
            values = self._values[name]
            self._codes[name][slot] = values.setdefault(value, len(values))

    def free(self, slot: int) -> None:
        """Take the labels of a slot away."""
        self._freed += 1
        for codes in self._codes.values():
            codes[slot] = 0

    def table(self, slots: Slots) -> LabelTable:
        """The labels of these, those alone that any of them has."""
        columns = {}
        for name, codes in self._codes.items():
            own = codes[slots]
            if own.any():
                columns[name] = Column(own, list(self._values[name]))
        return LabelTable(len(slots), columns)
