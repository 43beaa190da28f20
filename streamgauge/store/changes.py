"""Generations: when late data last changed the sealed blocks or the index of a lane.

Whoever changes a sealed block, or adds series to the index, stores a new version afterwards; whoever keeps something
made of them reads the versions before them. So what was made of old data is never found under the new version.

Every writer has rows of its own: of two writers whose clocks differ the one that is behind would else write what is
passed over, and its change would go unseen.
"""

import secrets
import threading
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

import numpy as np
import xxhash
from cassandra.cluster import Session

from schemas.tables import CHANGES_RETENTION_MS, Resolution
from schemas.units import DAY_MS
from streamgauge.store.reading import ReadContext, fetch

INDEX = "index"
"""Stands where a resolution does, for new series; periods and marks are days then."""
A_REQUEST = 32
"""Maximum number of periods per request."""


class Change(NamedTuple):
    """A row: blocks of the lane whose windows begin in `mark`, of `period` (starts in ms), have changed."""

    period: int
    lane: int
    mark: int
    writer: int
    version: int


class GenerationStore:
    """Reads and writes `generations`. Thread-safe."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._writer = secrets.randbits(63)
        self._version = 0
        # no two changes may have one version, whatever threads write them
        self._lock = threading.Lock()
        self._insert = session.prepare(
            "INSERT INTO generations (resolution, period, lane, mark, writer, version) VALUES (?, ?, ?, ?, ?, ?) "
            f"USING TTL {CHANGES_RETENTION_MS // 1000}"
        )
        self._select = session.prepare(
            "SELECT period, lane, mark, writer, version FROM generations WHERE resolution = ? AND period IN ?"
        )

    def write(self, resolution: Resolution, lane: int, window_start: int) -> None:
        """Note that a sealed block of this window (ms) has changed."""
        level = resolution.value
        self._write(level.label, level.period(window_start), lane, level.mark(window_start))

    def write_all(self, lane: int, timestamp: int) -> None:
        """Note that the sealed blocks that hold a time (ms) have changed, on every level; all at once."""
        futures = []
        for resolution in Resolution:
            level = resolution.value
            start = timestamp - timestamp % level.width_ms
            row = self._row(level.label, level.period(start), lane, level.mark(start))
            futures.append(self._session.execute_async(self._insert, row))
        for future in futures:
            future.result()

    def write_series(self, lane: int, period: int) -> None:
        """Note that the index of this period (ms) of a lane may have new series."""
        self._write(INDEX, period - period % DAY_MS, lane, period - period % DAY_MS)

    def read(self, resolution: Resolution, periods: Collection[int], reading: ReadContext) -> list[Change]:
        """Return the changes in these periods.

        :raises DeadlinePassed: at the reading's deadline.
        """
        return self._read(resolution.value.label, periods, reading)

    def read_series(self, start: int, end: int, reading: ReadContext) -> list[Change]:
        """Return the changes of the index in the periods that begin from `start` to `end` (ms).

        :raises DeadlinePassed: at the reading's deadline.
        """
        return self._read(INDEX, range(start - start % DAY_MS, end + 1, DAY_MS), reading)

    def _write(self, label: str, period: int, lane: int, mark: int) -> None:
        self._session.execute(self._insert, self._row(label, period, lane, mark))

    def _row(self, label: str, period: int, lane: int, mark: int) -> tuple[object, ...]:
        with self._lock:
            self._version = version = max(self._version + 1, time.time_ns() // 1000)
        return label, period, lane, mark, self._writer, version

    def _read(self, label: str, periods: Iterable[int], reading: ReadContext) -> list[Change]:
        wanted = set(periods)
        missing = sorted(period for period in wanted if (label, period) not in reading.known)
        requests = [(label, missing[at : at + A_REQUEST]) for at in range(0, len(missing), A_REQUEST)]
        read: dict[int, list[Change]] = {period: [] for period in missing}
        for _, row in fetch(self._session, self._select, requests, reading):
            read[row[0]].append(Change(*row))
        reading.known.update(((label, period), found) for period, found in read.items())
        return [change for period in wanted for change in reading.known[label, period]]


def versions_of(changes: Iterable[Change]) -> Mapping[tuple[int, int], int]:
    """One number for all changes of each period and lane that has any; another one after every change."""
    found: dict[tuple[int, int], list[Change]] = defaultdict(list)
    for change in changes:
        found[change.period, change.lane].append(change)
    return {place: xxhash.xxh3_64_intdigest(packed(those)) for place, those in found.items()}


def packed(changes: Iterable[Change]) -> bytes:
    """All changes as bytes, in one order."""
    return np.array(sorted(changes), np.int64).tobytes()
