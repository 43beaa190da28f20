"""Builds a bucket from all stored rows of the level below, in order.

On time, late, replayed or after lost state: the same samples give the same bytes.
"""

from collections.abc import Callable, Sequence
from enum import StrEnum

import numpy as np
from cassandra.cluster import Session

from schemas.blocks.blobs import InvalidBlock
from schemas.blocks.columns import ROLLUP_FORMAT
from schemas.blocks.row_directory import DIRECTORY_FORMAT
from schemas.tables import BELOW, RAW_GRACE_MS, Resolution, StorageClass, ttl_seconds
from sinks.cassandra.cut_rows import counts_of
from sinks.cassandra.write_blocks import BlockStore, StoredRows
from streamgauge.rollup.aggregates import Aggregates, aggregate, merge, together
from streamgauge.series.id_kernels import rows_of
from streamgauge.series.ids import Shards
from streamgauge.store.changes import GenerationStore

MARGIN_MS = 60_000
"""Time before the expiry of its parts from which a bucket is no longer rebuilt."""


class Outcome(StrEnum):
    """Outcome of rebuilding a bucket."""

    DAMAGED = "damaged"
    """Its input does not decode; the bucket stays unchanged."""
    SHRUNK = "shrunk"
    """Its input has fewer samples than the stored bucket counts, so some is gone; the bucket stays unchanged."""
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    TOO_OLD = "too_old"
    """Its input or the bucket itself has expired; it stays unchanged."""


class Rebuilder:
    """Builds buckets of a lane, each storage class from and in its own tables. :param clock: gives ms."""

    def __init__(
        self, session: Session, shards: Shards, classes: Sequence[StorageClass], clock: Callable[[], int]
    ) -> None:
        self._stores = [BlockStore(session, shards, kept) for kept in classes]
        self._changes = GenerationStore(session)
        self._clock = clock

    def build(self, level: Resolution, lane: int, window_start: int) -> None:
        """Build a bucket for the first time, when it closes.

        :raises InvalidBlock: for a damaged row.
        """
        for store in self._stores:
            store.write_rollup(level, lane, window_start, _compute(store, level, lane, window_start))

    def rebuild(
        self,
        level: Resolution,
        lane: int,
        window_start: int,
        complete: bool = False,
        before_write: Callable[[], None] = lambda: None,
        write: bool = True,
    ) -> Outcome:
        """Build a bucket that may be there already; rows that are the same are left alone.

        :param complete: all it is built from was stored anew, so its age does not matter.
        :param before_write: called when something has changed, before it is stored.
        :param write: whether to store what has changed.
        :returns: of several classes, the first outcome in the order of `Outcome`.
        """
        outcomes = set()
        for store in self._stores:
            if self._is_too_old(store.kept, level, window_start, complete):
                outcomes.add(Outcome.TOO_OLD)
                continue
            outcome, changed = _compare(store, level, lane, window_start)
            if outcome is Outcome.CHANGED and write:
                before_write()
                store.write_rollup_rows(level, lane, window_start, changed)
            if outcome in (Outcome.CHANGED, Outcome.UNCHANGED) and write:
                # also of what is the same: whoever stored it may have failed before it was noted
                self._changes.write(level, lane, window_start)
            outcomes.add(outcome)
        return next(outcome for outcome in Outcome if outcome in outcomes)

    def _is_too_old(self, kept: StorageClass, level: Resolution, start: int, complete: bool) -> bool:
        now = self._clock()
        if ttl_seconds(now, start, kept.retention_ms[level]) <= 0:
            return True
        grace = RAW_GRACE_MS if level is Resolution.MIN1 else 0
        below_ms = kept.retention_ms[BELOW[level]] + grace - MARGIN_MS
        return not complete and ttl_seconds(now, start, below_ms) <= 0


def _compute(store: BlockStore, level: Resolution, lane: int, start: int) -> Aggregates:
    if level is Resolution.MIN1:
        return aggregate(store.read_raw(lane, start), start, with_digests=store.kept.digests)
    parts = store.read_rollups(BELOW[level], lane, start, start + level.value.width_ms)
    return together([merge(part, start) for part in parts])


def _compare(store: BlockStore, level: Resolution, lane: int, start: int) -> tuple[Outcome, StoredRows]:
    """What building the bucket again would come to, and the rows that differ from those that are stored."""
    try:
        built = _compute(store, level, lane, start)
    except InvalidBlock:
        return Outcome.DAMAGED, {}
    there = store.read_rollup_rows(level, lane, start)
    if _shrinks(there, built):
        return Outcome.SHRUNK, {}
    rows = store.rollup_rows(built)
    changed = {place: row for place, row in rows.items() if there.get(place) != row}
    # pieces must live as long as the directory that names them, which may be kept for longer than it was before
    groups = {group for (group, _), row in changed.items() if row[0] == DIRECTORY_FORMAT}
    changed |= {place: row for place, row in rows.items() if place[0] in groups and place[1] < 0}
    return (Outcome.CHANGED if changed else Outcome.UNCHANGED), changed


def _shrinks(there: StoredRows, built: Aggregates) -> bool:
    """Whether a series would count fewer samples than before, in whatever row: samples are only ever added."""
    counts = built.columns["count"]
    for row in there.values():
        if row[0] != ROLLUP_FORMAT:
            continue
        try:
            old_ids, old_counts = counts_of(row)
        except InvalidBlock:
            continue
        rows = rows_of(built.ids, old_ids)
        if len(rows) < len(old_ids) or np.any(counts[rows] < old_counts):
            return True
    return False
