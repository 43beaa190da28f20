"""The storage classes of the series that were seen."""

from collections.abc import Callable, Iterator

import numpy as np

from streamgauge.series.class_rules import ClassRules
from streamgauge.series.id_kernels import rows_of
from streamgauge.series.ids import Ids, from_bytes
from streamgauge.series.samples import Samples, take

REMEMBERED = 1_000_000


class KnownClasses:
    """The classes of the series of one lane that were seen; where there is one class, nothing is remembered."""

    def __init__(self, rules: ClassRules) -> None:
        self._rules = rules
        self._classes: dict[bytes, int] = {}
        self._members: list[Ids] = [np.zeros((0, 2), np.uint64) for _ in range(len(rules))]

    def split(
        self, samples: Samples, labels: Callable[[], dict[bytes, bytes]]
    ) -> Iterator[tuple[int, Samples]]:
        """The samples of each class.

        :param labels: called if series were not seen before; gives canonical labels by packed id.
        """
        if len(self._rules) == 1:
            yield 0, samples
            return
        rows = [rows_of(samples.ids, members) for members in self._members]
        if sum(map(len, rows)) < len(samples.ids):
            self._learn(labels())
            rows = [rows_of(samples.ids, members) for members in self._members]
        for number, own in enumerate(rows):
            if len(own):
                yield number, take(samples, own)

    def _learn(self, labels: dict[bytes, bytes]) -> None:
        if len(self._classes) > REMEMBERED:
            self._classes.clear()
        for identity, data in labels.items():
            if identity not in self._classes:
                self._classes[identity] = self._rules.of(data)
        for number in range(len(self._rules)):
            own = sorted(identity for identity, known in self._classes.items() if known == number)
            self._members[number] = from_bytes(b"".join(own))
