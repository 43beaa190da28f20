"""Marks: closed buckets to rebuild, kept in the store until they are rebuilt.

They survive a job that starts without state, and are how a replay asks the live job to rebuild what it has
replayed. A mark that is done stays for some hours with what became of it.
"""

from collections import Counter
from typing import Any

from cassandra.cluster import Session

from schemas.tables import MARK_RETENTION_MS, OUTCOME_RETENTION_MS, Resolution
from sinks.cassandra.rebuild import Outcome
from streamgauge.rollup.marks import Mark
from streamgauge.store.write_times import after


class MarkStore:
    """Reads and writes `rollup_marks`.

    A mark that waits is written later than what was there of its bucket, and at an even time; that it is done is
    written one µs after the mark as it was read, so before any other that was stored since, by whatever clocks.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._insert = session.prepare(
            "INSERT INTO rollup_marks (lane, resolution, window_start, pending, complete, origin, outcome) "
            "VALUES (?, ?, ?, ?, ?, ?, ?) USING TTL ? AND TIMESTAMP ?"
        )
        select = (
            "SELECT resolution, window_start, pending, complete, origin, outcome, WRITETIME(pending) AS written "
            "FROM rollup_marks WHERE lane = ?"
        )
        self._select = session.prepare(select)
        self._select_one = session.prepare(f"{select} AND resolution = ? AND window_start = ?")
        self._levels = {resolution.value.label: resolution for resolution in Resolution}

    def write(self, lane: int, mark: Mark) -> None:
        """Store a mark that waits; returns when it cannot be lost any more."""
        there = self._session.execute(self._select_one, _place(lane, mark)).one()
        stamp = after(there.written if there else None)
        row = _row(lane, mark, True, "", MARK_RETENTION_MS, stamp + stamp % 2)
        self._session.execute(self._insert, row)

    def done(self, lane: int, mark: Mark, outcome: Outcome) -> None:
        """Store the outcome of a mark, unless its write time is unknown.

        :param mark: as `waiting` read it before the building began: one that was stored since goes on waiting.
        """
        if mark.written_us:
            row = _row(lane, mark, False, outcome.value, OUTCOME_RETENTION_MS, mark.written_us + 1)
            self._session.execute(self._insert, row)

    def pending(self, lane: int) -> list[Mark]:
        """The lane's marks that wait."""
        return [self._mark(row) for row in self._session.execute(self._select, (lane,)) if row.pending]

    def waiting(self, lane: int, mark: Mark) -> Mark | None:
        """The mark of the same bucket that waits, if there is one."""
        row = self._session.execute(self._select_one, _place(lane, mark)).one()
        return self._mark(row) if row is not None and row.pending else None

    def _mark(self, row: Any) -> Mark:
        return Mark(self._levels[row.resolution], row.window_start, row.complete, row.origin, row.written)

    def outcomes(self, lane: int, origin: str) -> "Counter[tuple[Resolution, Outcome | None]]":
        """Count a replay's marks in the lane by outcome; None for waiting ones."""
        return Counter(
            (self._levels[row.resolution], None if row.pending else Outcome(row.outcome))
            for row in self._session.execute(self._select, (lane,))
            if row.origin == origin
        )


def _place(lane: int, mark: Mark) -> tuple[int, str, int]:
    return lane, mark.level.value.label, mark.window_start


def _row(
    lane: int, mark: Mark, pending: bool, outcome: str, keep_ms: int, written_us: int
) -> tuple[object, ...]:
    place = _place(lane, mark)
    return *place, pending, mark.complete, mark.origin, outcome, keep_ms // 1000, written_us
