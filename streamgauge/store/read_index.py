"""Reading the series index: which series fulfil matchers, and the names and values of labels."""

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from cassandra.cluster import Session

from schemas.tables import INDEX_PERIOD_MS, INDEX_RETENTION_MS, index_period
from streamgauge.series import ids as series_ids
from streamgauge.series.ids import Ids, Shards
from streamgauge.series.labels import SEPARATOR
from streamgauge.series.matchers import Matcher, fulfils, metric_of
from streamgauge.store.reading import Reading, fetch

AHEAD_MS = 60_000
IDS_A_REQUEST = 100
KEPT_SERIES = 500_000
Found = dict[bytes, bytes]
"""Canonical labels by packed series id."""
Range = tuple[int, int, int, bytes, bytes]
"""A lane, period and metric group of the table `series`, and its first and last possible id."""


class Selection(NamedTuple):
    """Series by id. ids: (n, 2) uint64, sorted, distinct. labels: the canonical bytes of each."""

    ids: Ids
    labels: list[bytes]


class IndexReader:
    """Looks series up. An id's labels never change, so they are remembered; so are settled periods.

    :param settled_after_ms: so long after its end an index period can still grow: later samples are too old.
    """

    def __init__(
        self, session: Session, shards: Shards, clock: Callable[[], int], settled_after_ms: int
    ) -> None:
        self._session = session
        self._shards = shards
        self._clock = clock
        self._settled_after_ms = settled_after_ms
        self._labels: OrderedDict[bytes, bytes] = OrderedDict()
        self._settled: OrderedDict[Range, Found] = OrderedDict()
        self._select_range = session.prepare(
            "SELECT id, labels FROM series WHERE lane = ? AND period = ? AND metric_group = ? "
            "AND id >= ? AND id <= ?"
        )
        self._select_some = session.prepare(
            "SELECT id, labels FROM series WHERE lane = ? AND period = ? AND metric_group = ? AND id IN ?"
        )
        self._select_ids = session.prepare(
            "SELECT ids FROM series_by_label WHERE lane = ? AND period = ? AND label = ?"
        )
        self._select_values = session.prepare(
            "SELECT value FROM label_values WHERE lane = ? AND period = ? AND name = ?"
        )

    def select(self, matchers: Sequence[Matcher], start: int, end: int, reading: Reading) -> Selection:
        """The series that fulfil all matchers and may have samples from `start` to `end` (ms).

        A matcher that names the metric reads that range of ids; else the ids of all labels that matchers name
        are intersected; else everything is read.

        :raises DeadlinePassed, TooManySeries: by the reading's limits.
        """
        named = [(matcher.name.encode(), matcher) for matcher in matchers]
        metric = metric_of(matchers)
        picked = [matcher for matcher in matchers if matcher.picks]
        if metric is None and picked:
            candidates = self._by_labels(picked, start, end, reading)
        else:
            candidates = self._by_range(metric, start, end, reading)
        found: Found = {}
        for identity, data in candidates:
            if identity not in found and fulfils(data, named):
                found[identity] = data
                reading.take_series(len(found))
        order = sorted(found)
        return Selection(series_ids.from_bytes(b"".join(order)), [found[identity] for identity in order])

    def label_names(self, start: int, end: int, reading: Reading) -> set[str]:
        """The names of all labels that series had from `start` to `end` (ms), to the day."""
        return self.label_values("", start, end, reading)

    def label_values(self, name: str, start: int, end: int, reading: Reading) -> set[str]:
        """The values of a label that series had from `start` to `end` (ms), to the day."""
        requests = ((lane, period, name) for lane, period in self._periods(start, end))
        return {value for _, (value,) in fetch(self._session, self._select_values, requests, reading)}

    def _periods(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """The lanes and periods that touch these times, within what is kept and possible."""
        now = self._clock()
        start, end = max(start, now - INDEX_RETENTION_MS), min(end, now + AHEAD_MS)
        for lane in range(self._shards.lanes):
            for period in range(index_period(start, lane), end + 1, INDEX_PERIOD_MS):
                yield lane, period

    def _by_range(
        self, metric: str | None, start: int, end: int, reading: Reading
    ) -> Iterator[tuple[bytes, bytes]]:
        groups: Sequence[int] = range(self._shards.groups)
        prefix = b""
        if metric is not None:
            groups = [series_ids.metric_group(metric.encode(), self._shards.groups)]
            prefix = series_ids.name_hash(metric.encode()).to_bytes(4, "big")
        first, last = prefix.ljust(16, b"\x00"), prefix.ljust(16, b"\xff")
        missing = []
        for lane, period in self._periods(start, end):
            for group in groups:
                request = (lane, period, group, first, last)
                known = self._settled.get(request)
                if known is None:
                    missing.append(request)
                else:
                    yield from known.items()
        read: dict[Range, Found] = defaultdict(dict)
        for request, (identity, data) in fetch(self._session, self._select_range, missing, reading):
            read[request][identity] = data
            yield identity, data
        self._remember(missing, read)

    def _remember(self, requests: Sequence[Range], read: dict[Range, Found]) -> None:
        now = self._clock()
        for request in requests:
            if request[1] + INDEX_PERIOD_MS + self._settled_after_ms < now:
                self._settled[request] = read[request]
        kept = sum(len(found) + 1 for found in list(self._settled.values()))
        while kept > KEPT_SERIES:
            _, dropped = self._settled.popitem(last=False)
            kept -= len(dropped) + 1

    def _by_labels(
        self, picked: Sequence[Matcher], start: int, end: int, reading: Reading
    ) -> Iterator[tuple[bytes, bytes]]:
        labels = [matcher.name.encode() + SEPARATOR + matcher.value.encode() for matcher in picked]
        ids: dict[tuple[int, int], dict[bytes, set[bytes]]] = defaultdict(lambda: defaultdict(set))
        requests = ((lane, period, label) for lane, period in self._periods(start, end) for label in labels)
        for (lane, period, label), (packed,) in fetch(self._session, self._select_ids, requests, reading):
            width = series_ids.ID_BYTES
            ids[lane, period][label].update(packed[at : at + width] for at in range(0, len(packed), width))
        unknown: dict[tuple[int, int, int], list[bytes]] = defaultdict(list)
        for (lane, period), by_label in ids.items():
            for identity in set.intersection(*(by_label.get(label, set()) for label in labels)):
                data = self._labels.get(identity)
                if data is None:
                    group = int.from_bytes(identity[:4], "big") % self._shards.groups
                    unknown[lane, period, group].append(identity)
                else:
                    yield identity, data
        yield from self._by_ids(unknown, reading)

    def _by_ids(
        self, unknown: dict[tuple[int, int, int], list[bytes]], reading: Reading
    ) -> Iterator[tuple[bytes, bytes]]:
        requests = [
            (*place, identities[at : at + IDS_A_REQUEST])
            for place, identities in unknown.items()
            for at in range(0, len(identities), IDS_A_REQUEST)
        ]
        for _, (identity, data) in fetch(self._session, self._select_some, requests, reading):
            self._labels[identity] = data
            yield identity, data
        while len(self._labels) > KEPT_SERIES:
            self._labels.popitem(last=False)
