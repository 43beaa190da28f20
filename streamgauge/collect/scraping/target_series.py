"""From pages of one target to samples: labels attached, vanished series marked stale, reports added.

As Prometheus does it: a series without a timestamp of its own that is missing from the next page gets a stale
marker there, and all of them do when a scrape fails; of a series given twice on a page the first counts. Unlike there,
a series whose labels exceed a limit is refused by itself, and the rest of the page is taken.
"""

import numpy as np

from schemas import limits
from schemas.limits import ExceededLimit
from streamgauge.collect.incoming.metadata import Metadata, exposed_metadata
from streamgauge.collect.incoming.refusals import Refusals
from streamgauge.collect.incoming.rows import Rows
from streamgauge.collect.incoming.series_table import SeriesTable
from streamgauge.collect.scraping import exposition
from streamgauge.collect.scraping.exposition import Line
from streamgauge.collect.scraping.targets import REPORTS, Target
from streamgauge.series.labels import NAME, canonical
from streamgauge.series.samples import STALE


class TargetSeries:
    """The series of one target, as its last good page had them."""

    def __init__(self, target: Target) -> None:
        self.metadata: tuple[Metadata, ...] = ()
        self.refused = Refusals()
        self._target = target
        self._table: SeriesTable | None = None
        self._known: dict[str, int | ExceededLimit] = {}
        self._followed: set[int] = set()
        self._reports: list[int] = []

    def scraped(self, page: bytes, table: SeriesTable, time: int, seconds: float) -> Rows:
        """Return the samples of a page fetched at `time` (ms).

        :raises InvalidExposition: then call `failed`.
        """
        self._rebase(table)
        found: list[tuple[int, int, float]] = []
        known: dict[str, int | ExceededLimit] = {}
        refused = Refusals()
        followed: set[int] = set()
        given: set[int] = set()
        comments: dict[str, None] = {}
        count = 0
        for line in exposition.lines(page, comments):
            count += 1
            ordinal = known.get(line.series)
            if ordinal is None:
                ordinal = known[line.series] = self._ordinal(line, table)
            own_time = line.timestamp if self._target.honor_timestamps else None
            if isinstance(ordinal, ExceededLimit):
                refused.add_series(ordinal, 1, time if own_time is None else own_time)
                continue
            if own_time is None:
                followed.add(ordinal)
                if ordinal in given:
                    continue
                given.add(ordinal)
            found.append((ordinal, time if own_time is None else own_time, line.value))
        taken = count - sum(each.samples for each in refused)
        added = sum(isinstance(known[series], int) for series in known.keys() - self._known.keys())
        found += [(ordinal, time, STALE) for ordinal in sorted(self._followed - followed)]
        self._known, self._followed, self.refused = known, followed, refused
        self.metadata = exposed_metadata(tuple(comments))
        return _rows(found + self._report(time, (1.0, seconds, count, taken, added)))

    def failed(self, table: SeriesTable, time: int, seconds: float) -> Rows:
        """Return stale markers and reports of a scrape that failed at `time` (ms)."""
        self._rebase(table)
        stale = [(ordinal, time, STALE) for ordinal in sorted(self._followed)]
        self._followed = set()
        return _rows(stale + self._report(time, (0.0, seconds, 0, 0, 0)))

    def ended(self, table: SeriesTable, time: int) -> Rows:
        """Stale markers for everything, reports too: this target is scraped no more."""
        self._rebase(table)
        ordinals = sorted(self._followed) + self._reports
        self._followed = set()
        return _rows([(ordinal, time, STALE) for ordinal in ordinals])

    def _ordinal(self, line: Line, table: SeriesTable) -> int | ExceededLimit:
        ordinal = self._known.get(line.series)
        if ordinal is not None:
            return ordinal
        data = canonical(self._target.attach(exposition.series_labels(line.series)))
        try:
            limits.check(data)
        except ExceededLimit as fault:
            # without its traceback, which would keep the page alive
            return fault.with_traceback(None)
        return table.intern(data)

    def _report(self, time: int, values: tuple[float, ...]) -> list[tuple[int, int, float]]:
        return [(ordinal, time, value) for ordinal, value in zip(self._reports, values, strict=True)]

    def _rebase(self, table: SeriesTable) -> None:
        """Ordinals are of one table: find them anew in another."""
        old, self._table = self._table, table
        if table is old:
            return
        if old is not None:
            moved = {
                ordinal: table.intern(old.canonical(ordinal))
                for ordinal in self._known.values()
                if isinstance(ordinal, int)
            }
            self._known = {
                series: moved[known] if isinstance(known, int) else known
                for series, known in self._known.items()
            }
            self._followed = {moved[ordinal] for ordinal in self._followed}
        self._reports = [table.intern(canonical(self._target.attach({NAME: name}))) for name in REPORTS]


def _rows(found: list[tuple[int, int, float]]) -> Rows:
    ordinals, times, values = zip(*found, strict=True) if found else ((), (), ())
    return Rows(
        np.array(ordinals, np.int64),
        np.ones(len(found), np.int64),
        np.array(times, np.int64),
        np.array(values, np.float64),
    )
