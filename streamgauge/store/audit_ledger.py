"""The comparison of the audit: acknowledged batches not known to be stored. Pure."""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import numpy as np

from schemas.batches.batch_records import MAX_OFFSET, Records, concat, take
from schemas.tables import STORED_BATCHES_RETENTION_MS
from schemas.units import MINUTE_MS

SETTLED_MS = 3 * MINUTE_MS
"""A lane that is sealed so far beyond an acknowledgement has stored what was acknowledged: late batches are written
before their lane's next minute is sealed, and no collector's clock is more than a minute ahead of another's."""
MAX_WAITING = 2_000_000
"""Records that are not compared yet; beyond that the audit reads on when jobs have come further."""
MAX_MISSING = 100_000
"""Records that are known to be missing; beyond that the rest is only counted."""

LaneMinute = tuple[int, int]
"""A lane and a minute (ms)."""


class Missing(NamedTuple):
    """Acknowledged samples of a lane and minute (ms) that are not stored.

    offsets: partition and offset of each batch. published: when Kafka had the newest acknowledgement, ms.
    """

    lane: int
    minute: int
    samples: int
    offsets: list[tuple[int, int]]
    published: int


class _Open(NamedTuple):
    """Records of one page. closed: on the clock of its collector, ms. published: on Kafka's, ms."""

    closed: int
    published: int
    records: Records


class Ledger:
    """Collects pages and compares their records with the store when they are due.

    A page may come twice: its records are then compared twice.

    verified: records that were found to be stored. waiting: those that are too new to be compared. uncounted: those
    that are missing, and too many to be kept.
    """

    def __init__(self) -> None:
        self.verified = 0
        self.waiting = 0
        self.uncounted = 0
        self._waiting: dict[LaneMinute, list[_Open]] = {}
        self._missing: dict[LaneMinute, list[_Open]] = {}

    @property
    def is_full(self) -> bool:
        """Whether no more pages should be taken now."""
        return self.waiting >= MAX_WAITING

    @property
    def oldest(self) -> int | None:
        """When Kafka had the oldest acknowledgement that waits to be compared, ms."""
        return min((each.published for found in self._waiting.values() for each in found), default=None)

    def add(self, closed: int, published: int, page: Records) -> None:
        """Add acknowledgements of a collector.

        :param closed: before this moment on its clock, ms. :param published: on Kafka's clock, ms.
        """
        self.waiting += len(page.lanes)
        places = np.stack([page.lanes, page.minutes], axis=1)
        distinct, where = np.unique(places, axis=0, return_inverse=True)
        for at, (lane, minute) in enumerate(distinct.tolist()):
            own = take(page, where.reshape(-1) == at)
            self._waiting.setdefault((lane, minute), []).append(_Open(closed, published, own))

    def due(self, sealed: Mapping[int, int]) -> list[LaneMinute]:
        """Return the records to compare now, and those missing before.

        :param sealed: up to where each lane is sealed, ms.
        """
        found = {
            place
            for place, opened in self._waiting.items()
            if any(_is_settled(place, each, sealed) for each in opened)
        }
        return sorted(found | self._missing.keys())

    def compare(self, place: LaneMinute, stored: Records, sealed: Mapping[int, int]) -> None:
        """Remove stored records; others stay missing until they are stored."""
        there = _keys(stored)
        later: list[_Open] = []
        missing: list[_Open] = []
        for was_missing, opened in (
            (False, self._waiting.pop(place, [])),
            (True, self._missing.pop(place, [])),
        ):
            for each in opened:
                left = take(each.records, ~np.isin(_keys(each.records), there))
                self.verified += len(each.records.lanes) - len(left.lanes)
                rest = each._replace(records=left)
                if not was_missing and not _is_settled(place, each, sealed):
                    self.waiting -= len(each.records.lanes) - len(left.lanes)
                    later.append(rest)
                    continue
                self.waiting -= 0 if was_missing else len(each.records.lanes)
                missing.append(rest)
        self._keep(self._waiting, place, later)
        self._keep(self._missing, place, missing)
        self._cut()

    def forget(self, now: int) -> list[Missing]:
        """Drop and return records whose storage can no longer be checked."""
        lost = [each for each in self.missing() if each.published < now - STORED_BATCHES_RETENTION_MS]
        for each in lost:
            del self._missing[each.lane, each.minute]
        return lost

    def missing(self) -> list[Missing]:
        """Missing records by lane and minute."""
        found = []
        for (lane, minute), opened in sorted(self._missing.items()):
            rows = concat([each.records for each in opened])
            offsets = sorted(zip(rows.partitions.tolist(), rows.offsets.tolist(), strict=True))
            published = max(each.published for each in opened)
            found.append(Missing(lane, minute, int(rows.samples.sum()), offsets, published))
        return found

    def _keep(
        self, places: dict[LaneMinute, list[_Open]], place: LaneMinute, opened: Iterable[_Open]
    ) -> None:
        if kept := [each for each in opened if len(each.records.lanes)]:
            places[place] = kept

    def _cut(self) -> None:
        """Count what is too much to be kept."""
        room = MAX_MISSING
        for place in list(self._missing):
            count = sum(len(each.records.lanes) for each in self._missing[place])
            room -= count
            if room < 0:
                self.uncounted += count
                del self._missing[place]


def compare_all(ledger: Ledger, sealed: Mapping[int, int], read: Callable[[int, list[int]], Records]) -> None:
    """Compare everything that is due.

    :param read: gives the records that are stored of minutes (ms) of a lane.
    """
    by_lane: dict[int, list[int]] = {}
    for lane, minute in ledger.due(sealed):
        by_lane.setdefault(lane, []).append(minute)
    for lane, minutes in by_lane.items():
        stored = read(lane, minutes)
        for minute in minutes:
            ledger.compare((lane, minute), take(stored, stored.minutes == minute), sealed)


def _is_settled(place: LaneMinute, opened: _Open, sealed: Mapping[int, int]) -> bool:
    lane, minute = place
    return sealed.get(lane, 0) >= max(minute + MINUTE_MS, opened.closed + SETTLED_MS)


def _keys(found: Records) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """A number for each place in Kafka."""
    return found.partitions * MAX_OFFSET + found.offsets
