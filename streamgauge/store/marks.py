"""Marks: buckets that are closed and have to be built again, kept in the store until that is done.

They survive a job that starts without state, and are how a replay asks the live job to rebuild what it has
replayed. A mark that is done stays for some hours with what became of it.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from cassandra.cluster import Session

from schemas.tables import MARK_RETENTION_MS, OUTCOME_RETENTION_MS, Resolution
from streamgauge.store.rebuild import Outcome


@dataclass(frozen=True, slots=True)
class Mark:
    """A bucket of a lane that waits.

    complete: what it is built from need not be older than the mark, for a replay has written all of it anew.
    origin: the replay that asks for it, or empty.
    """

    level: Resolution
    window_start: int
    complete: bool = False
    origin: str = ""


class MarkStore:
    """Reads and writes `rollup_marks`."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._insert = session.prepare(
            "INSERT INTO rollup_marks (lane, resolution, window_start, pending, complete, origin, outcome) "
            "VALUES (?, ?, ?, ?, ?, ?, ?) USING TTL ?"
        )
        self._insert_as_of = session.prepare(f"{self._insert.query_string} AND TIMESTAMP ?")
        self._select = session.prepare(
            "SELECT resolution, window_start, pending, complete, origin, outcome FROM rollup_marks WHERE lane = ?"
        )
        self._select_one = session.prepare(
            "SELECT resolution, window_start, pending, complete, origin FROM rollup_marks "
            "WHERE lane = ? AND resolution = ? AND window_start = ?"
        )
        self._levels = {resolution.value.label: resolution for resolution in Resolution}

    def write(self, lane: int, mark: Mark) -> None:
        """Store a mark that waits; returns when it cannot be lost any more."""
        self._session.execute(self._insert, _row(lane, mark, True, "", MARK_RETENTION_MS))

    def done(self, lane: int, mark: Mark, outcome: Outcome, as_of_us: int) -> None:
        """Note what became of a mark.

        :param as_of_us: when the building began, µs of the epoch: a mark that was stored since goes on waiting.
        """
        row = _row(lane, mark, False, outcome.value, OUTCOME_RETENTION_MS)
        self._session.execute(self._insert_as_of, (*row, as_of_us))

    def pending(self, lane: int) -> list[Mark]:
        """The lane's marks that wait."""
        return [self._mark(row) for row in self._session.execute(self._select, (lane,)) if row.pending]

    def waiting(self, lane: int, mark: Mark) -> Mark | None:
        """The mark of the same bucket that waits, if there is one."""
        place = lane, mark.level.value.label, mark.window_start
        row = self._session.execute(self._select_one, place).one()
        return self._mark(row) if row is not None and row.pending else None

    def _mark(self, row: Any) -> Mark:
        return Mark(self._levels[row.resolution], row.window_start, row.complete, row.origin)

    def outcomes(self, lane: int, origin: str) -> "Counter[tuple[Resolution, Outcome | None]]":
        """How many of a replay's marks in the lane came to what; None for those that wait."""
        return Counter(
            (self._levels[row.resolution], None if row.pending else Outcome(row.outcome))
            for row in self._session.execute(self._select, (lane,))
            if row.origin == origin
        )


def _row(lane: int, mark: Mark, pending: bool, outcome: str, keep_ms: int) -> tuple[object, ...]:
    place = lane, mark.level.value.label, mark.window_start
    return *place, pending, mark.complete, mark.origin, outcome, keep_ms // 1000
