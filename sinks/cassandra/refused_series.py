"""Which series of batches no table takes: what the index cannot hold, and what is too old for its storage class."""

from collections.abc import Callable, Sequence

from schemas.batches.batch import BatchFault, Envelope, InvalidBatch
from schemas.limits import unindexable
from schemas.tables import Resolution, StorageClass, ttl_seconds
from streamgauge.series.class_rules import ClassRules
from streamgauge.series.ids import split, to_bytes
from streamgauge.series.known_classes import KnownClasses
from streamgauge.series.samples import Samples

Labels = dict[bytes, bytes]
"""Canonical labels by packed id."""


class RefusedSeries:
    """Remembers the series that the index cannot hold.

    :param classes: in the order of their rules.
    """

    def __init__(self, classes: Sequence[StorageClass], rules: ClassRules) -> None:
        self._rules = rules
        self._kept_ms = [kept.retention_ms[Resolution.RAW] for kept in classes]
        self._unindexable: dict[bytes, str] = {}
        self._classes: dict[int, KnownClasses] = {}

    def learn(self, labels: Labels) -> None:
        """Look at series that are new."""
        for identity, data in labels.items():
            if detail := unindexable(data):
                self._unindexable[identity] = detail

    def clear(self) -> None:
        """Forget what was learned; the series are new once more then."""
        self._unindexable.clear()

    def of(
        self, place: Envelope, samples: Samples, now: int, labels: Callable[[], Labels]
    ) -> dict[bytes, InvalidBatch]:
        """Why series of a batch are not stored, by packed id.

        :param now: in ms. :param labels: of all its series, called if their classes have to be known.
        :raises InvalidBatch: if it is too old for every class.
        """
        refused = {}
        if self._unindexable:
            for identity in self._unindexable.keys() & set(split(to_bytes(samples.ids))):
                detail = self._unindexable[identity]
                refused[identity] = InvalidBatch(BatchFault.LABELS_TOO_LONG, detail)
        takes = [ttl_seconds(now, place.minute, kept_ms) > 0 for kept_ms in self._kept_ms]
        if not any(takes):
            raise InvalidBatch(BatchFault.TOO_OLD, f"minute {place.minute} is no longer kept")
        if not all(takes):
            known = self._classes.setdefault(place.lane, KnownClasses(self._rules))
            detail = f"minute {place.minute} is no longer kept for series of this class"
            for number, own in known.split(samples, labels):
                if not takes[number]:
                    for identity in split(to_bytes(own.ids)):
                        refused[identity] = InvalidBatch(BatchFault.TOO_OLD, detail)
        return refused
