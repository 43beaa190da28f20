"""Writing the minutes of lanes from the batches that came for them, each storage class in its tables."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from cassandra.cluster import Session

from schemas.batches.batch import InvalidBatch, decode, labels_by_id
from schemas.blocks.codec import ON_TIME, late_part
from schemas.tables import Resolution
from sinks.cassandra.write_blocks import BlockStore
from streamgauge.config import Config
from streamgauge.rollup.aggregates import aggregate
from streamgauge.rollup.pending_batches import PendingBatch
from streamgauge.series.known_classes import KnownClasses
from streamgauge.series.samples import Samples, concat
from streamgauge.store.changes import GenerationStore
from streamgauge.store.stored_batches import StoredBatches


class Written(NamedTuple):
    """Numbers of stored samples, and of messages skipped because they are not batches."""

    samples: int
    skipped: int


class MinuteStore:
    """Writes minutes; a write returns when all is stored, or raises."""

    def __init__(self, session: Session, config: Config) -> None:
        self._lanes = config.layout.lanes
        self._rules = config.class_rules
        self._stores = [BlockStore(session, config.shards, kept) for kept in config.storage_classes]
        self._changes = GenerationStore(session)
        self._stored = StoredBatches(session)
        self._known: dict[int, KnownClasses] = {}

    def write_on_time(self, lane: int, minute: int, batches: Sequence[PendingBatch]) -> Written:
        """Store the on-time raw block of a minute (ms), and its rollup."""
        samples, found = self._decode(lane, minute, batches)
        are_stored = True
        for store, own in self._by_class(lane, minute, samples, batches):
            are_stored &= store.write_raw(lane, minute, ON_TIME, own)
            rolled = aggregate(own, minute, with_digests=store.kept.digests)
            store.write_rollup(Resolution.MIN1, lane, minute, rolled)
        # what came too late for one of its classes is missing, for the audit
        self._stored.write(lane, minute, ON_TIME, found if are_stored else [])
        return Written(len(samples.values), len(batches) - len(found))

    def write_late(self, lane: int, minute: int, batches: Sequence[PendingBatch]) -> Written:
        """Store a late part of a minute (ms), named after the offsets of its batches, all of one partition."""
        return self.late(lane, minute, batches)()

    def late(
        self, lane: int, minute: int, batches: Sequence[PendingBatch], keep_ms: int = 0
    ) -> Callable[[], Written]:
        """Prepare a late part; calling the result stores it as `write_late` does, in any thread.

        :param keep_ms: how long it lives at least, whatever its age.
        """
        offsets = [batch.offset for batch in batches]
        part = late_part(batches[0].partition, min(offsets), max(offsets))
        samples, found = self._decode(lane, minute, batches)
        classes = self._by_class(lane, minute, samples, batches)

        def write() -> Written:
            are_stored = True
            for store, own in classes:
                are_stored &= store.write_raw(lane, minute, part, own, keep_ms)
            self._changes.write(Resolution.RAW, lane, minute)
            self._stored.write(lane, minute, part, found if are_stored else [])
            return Written(len(samples.values), len(batches) - len(found))

        return write

    def compare(self, lane: int, minute: int, batches: Sequence[PendingBatch]) -> tuple[Written, bool]:
        """Return what `write_late` would store, and whether it would change the minute's rollup.

        :raises InvalidBlock: for a damaged raw block.
        """
        samples, good = self._decode(lane, minute, batches)
        changes = False
        for store, own in self._by_class(lane, minute, samples, batches):
            everything = concat([store.read_raw(lane, minute), own])
            rolled = aggregate(everything, minute, with_digests=store.kept.digests)
            found = store.rollup_rows(rolled)
            changes |= found != store.read_rollup_rows(Resolution.MIN1, lane, minute)
        return Written(len(samples.values), len(batches) - len(good)), changes

    def _decode(
        self, lane: int, minute: int, batches: Sequence[PendingBatch]
    ) -> tuple[Samples, list[tuple[int, int, int]]]:
        """All samples, and of each message that is a batch partition, offset and number of samples."""
        parts, found = [], []
        for batch in batches:
            try:
                samples = decode(batch.payload, lane, minute, self._lanes).samples
            except InvalidBatch:
                continue
            parts.append(samples)
            found.append((batch.partition, batch.offset, len(samples.values)))
        return concat(parts), found

    def _by_class(
        self, lane: int, minute: int, samples: Samples, batches: Sequence[PendingBatch]
    ) -> list[tuple[BlockStore, Samples]]:
        known = self._known.get(lane)
        if known is None:
            known = self._known[lane] = KnownClasses(self._rules)
        labels: Callable[[], dict[bytes, bytes]] = lambda: self._labels(lane, minute, batches)  # noqa: E731
        return [(self._stores[number], own) for number, own in known.split(samples, labels)]

    def _labels(self, lane: int, minute: int, batches: Sequence[PendingBatch]) -> dict[bytes, bytes]:
        found: dict[bytes, bytes] = {}
        for batch in batches:
            try:
                found |= labels_by_id(decode(batch.payload, lane, minute, self._lanes, labels=True))
            except InvalidBatch:
                continue
        return found
