"""Reads the series index: series by matchers, label names and label values."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import xxhash
from cassandra.cluster import Session

from schemas.tables import INDEX_PERIOD_MS, INDEX_RETENTION_MS, index_period
from streamgauge.lru_cache import LruCache
from streamgauge.series import ids as series_ids
from streamgauge.series.ids import Shards
from streamgauge.series.matchers import Matcher, fulfils, named
from streamgauge.store.changes import Change, GenerationStore, packed, versions_of
from streamgauge.store.index.candidates import Candidates, LanePeriod, Series
from streamgauge.store.index.kept_selections import KeptSelections, Selection
from streamgauge.store.reading import ReadContext

AHEAD_MS = 60_000
VALUE_BYTES = 256
"""Approximate memory of a label value in a set."""
SERIES_BYTES = 256
"""Of a selected series, beside its labels."""
VALUES_BETWEEN_LOOKS = 4096
KEPT_BYTES = 256 * 1024 * 1024
"""Of series and selections that a process remembers."""


class IndexReader:
    """Looks up series; selections are cached until the index of their periods changes.

    :param fresh_s: so old the answer to a question about now may be, whose series are all but new ones.
    """

    def __init__(
        self, session: Session, shards: Shards, clock: Callable[[], int], fresh_s: float = 0.0
    ) -> None:
        self._shards = shards
        self._clock = clock
        # keys of ids, of ranges and of selections are of different kinds
        recent: LruCache[Any, Any] = LruCache(KEPT_BYTES)
        self._candidates = Candidates(session, shards, recent)
        self._changes = GenerationStore(session)
        self._kept = KeptSelections(recent, fresh_s)

    def select(self, matchers: Sequence[Matcher], start: int, end: int, reading: ReadContext) -> Selection:
        """The series that fulfil all matchers and may have samples from `start` to `end` (ms).

        :raises DeadlinePassed, TooManySeries: by the reading's limits.
        """
        places = tuple(self.periods(start, end))
        key = tuple(matcher.key for matcher in matchers), places
        found = self._kept.recent(key) if reading.is_now else None
        if found is None:
            read_at = time.monotonic()
            changes = self._changes_of(places, reading)
            version = xxhash.xxh3_128_digest(packed(changes))
            found = self._kept.get(key, version, read_at)
            if found is None:
                found = self._select(matchers, places, changes, reading)
                self._kept.put(key, version, read_at, found)
        reading.take_series(len(found.labels))
        return found

    def label_names(self, start: int, end: int, reading: ReadContext) -> set[str]:
        """The names of all labels that series had from `start` to `end` (ms), to the day."""
        return self.label_values("", start, end, reading)

    def label_values(self, name: str, start: int, end: int, reading: ReadContext) -> set[str]:
        """The values of a label that series had from `start` to `end` (ms), to the day."""
        found: set[str] = set()
        size = 0
        for number, (_, value) in enumerate(
            self._candidates.values(name, self.periods(start, end), reading), 1
        ):
            if value not in found:
                found.add(value)
                size += VALUE_BYTES + len(value)
            if number % VALUES_BETWEEN_LOOKS == 0:
                reading.hold(size)
        reading.hold(size)
        return found

    def lane(self, lane: int, start: int, end: int, reading: ReadContext) -> Iterator[Series]:
        """Packed id and canonical labels of the series that a lane had from `start` to `end` (ms), to the day.

        A series may come twice.

        :raises DeadlinePassed: by the reading.
        """
        return self._candidates.lane(
            [place for place in self.periods(start, end) if place[0] == lane], reading
        )

    def periods(self, start: int, end: int) -> Iterator[LanePeriod]:
        """The lanes and periods that touch these times, within what is kept and possible."""
        now = self._clock()
        start, end = max(start, now - INDEX_RETENTION_MS), min(end, now + AHEAD_MS)
        for lane in range(self._shards.lanes):
            for period in range(index_period(start, lane), end + 1, INDEX_PERIOD_MS):
                yield lane, period

    def _changes_of(self, places: Sequence[LanePeriod], reading: ReadContext) -> list[Change]:
        if not places:
            return []
        starts = [period for _, period in places]
        return self._changes.read_series(min(starts), max(starts), reading)

    def _select(
        self,
        matchers: Sequence[Matcher],
        places: Sequence[LanePeriod],
        changes: Sequence[Change],
        reading: ReadContext,
    ) -> Selection:
        found: dict[bytes, bytes] = {}
        if places:
            conditions = named(matchers)
            candidates = self._candidates.find(matchers, places, versions_of(changes), reading)
            size = 0
            for identity, data in reading.watched(candidates):
                if identity not in found and fulfils(data, conditions):
                    found[identity] = data
                    # the bytes, and the texts that are made of them
                    size += SERIES_BYTES + 2 * len(data)
                    reading.take_series(len(found))
                    reading.hold(size)
        order = sorted(found)
        return Selection(series_ids.from_bytes(b"".join(order)), [found[identity] for identity in order])
