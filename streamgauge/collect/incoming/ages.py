"""Maximum ages of samples: samples too old for the raw table of their storage class are refused."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from schemas.tables import StorageClass, accepted_ms
from streamgauge.collect.incoming.series_table import Ordinals, SeriesTable
from streamgauge.series.class_rules import ClassRules


class Ages:
    """The greatest ages (ms) of samples, by the storage class of their series.

    :param classes: in the order of their rules.
    """

    def __init__(self, classes: Sequence[StorageClass], rules: ClassRules) -> None:
        self._rules = rules
        self._accepted = np.array([accepted_ms(kept) for kept in classes], np.int64)
        self.youngest = int(self._accepted.min())
        self._table: SeriesTable | None = None
        self._classes: dict[int, int] = {}

    def of(self, table: SeriesTable, ordinals: Ordinals) -> npt.NDArray[np.int64]:
        """The greatest age of samples of each of these series, which may come again."""
        if len(self._rules) == 1:
            return np.full(len(ordinals), self.youngest)
        if table is not self._table:
            self._table, self._classes = table, {}
        series, place = np.unique(ordinals, return_inverse=True)
        return self._accepted[[self._class(table, ordinal) for ordinal in series.tolist()]][place]

    def _class(self, table: SeriesTable, ordinal: int) -> int:
        found = self._classes.get(ordinal)
        if found is None:
            found = self._classes[ordinal] = self._rules.of(table.canonical(ordinal))
        return found
