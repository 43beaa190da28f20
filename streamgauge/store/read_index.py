"""Reading the series index: which series fulfil matchers, and the names and values of labels."""

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from cassandra.cluster import Session

from schemas.tables import INDEX_PERIOD_MS, INDEX_RETENTION_MS, index_period
from streamgauge.series import ids as series_ids
from streamgauge.series.ids import Ids, Shards
from streamgauge.series.labels import NAME, SEPARATOR
from streamgauge.series.matchers import Matcher, fulfils, metric_of
from streamgauge.store.reading import Reading, fetch

AHEAD_MS = 60_000
IDS_A_REQUEST = 100
KEPT_SERIES = 500_000
WORTH_INTERSECTING = 4
"""Ids of a label are read too if there are at most as many times more than of the most selective one."""
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
        self._select_first = session.prepare(
            "SELECT id FROM series WHERE lane = ? AND period = ? AND metric_group = ? "
            "AND id >= ? AND id <= ? LIMIT ?"
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

        Matchers that name a value come first, the most selective of them: the metric's name reads a range of ids, any
        other the ids of its label. How many each would give is looked up in one lane; labels hash evenly over lanes.
        Without such a matcher everything is read.

        :raises DeadlinePassed, TooManySeries: by the reading's limits.
        """
        named = [(matcher.name.encode(), matcher) for matcher in matchers]
        metric = metric_of(matchers)
        labels = [
            matcher.name.encode() + SEPARATOR + matcher.value.encode()
            for matcher in matchers
            if matcher.picks and matcher.name != NAME
        ]
        chosen = self._most_selective(metric, labels, start, end, reading)
        if chosen:
            candidates = self._by_labels(chosen, _prefix(metric), start, end, reading)
        else:
            candidates = self._by_range(metric, start, end, reading)
        found: Found = {}
        for identity, data in candidates:
            if identity not in found and fulfils(data, named):
                found[identity] = data
                reading.take_series(len(found))
        order = sorted(found)
        return Selection(series_ids.from_bytes(b"".join(order)), [found[identity] for identity in order])

    def _most_selective(
        self, metric: str | None, labels: Sequence[bytes], start: int, end: int, reading: Reading
    ) -> list[bytes]:
        """The labels whose ids are to be intersected; none if the ids of the metric, or all, are to be read."""
        if len(labels) + (metric is not None) < 2:
            return list(labels)
        lane, period = max(self._periods(start, end), key=lambda place: (place[1], place[0]), default=(0, 0))
        sizes = dict.fromkeys(labels, 0)
        requests = [(lane, period, label) for label in labels]
        for (_, _, label), (packed,) in fetch(self._session, self._select_ids, requests, reading):
            sizes[label] += len(packed) // series_ids.ID_BYTES
        fewest = min(sizes.values())
        if metric is not None and self._count(metric, lane, period, fewest, reading) <= fewest:
            return []
        return [label for label, size in sizes.items() if size <= WORTH_INTERSECTING * fewest]

    def _count(self, metric: str, lane: int, period: int, limit: int, reading: Reading) -> int:
        """How many series a metric has in a lane, counted to just above a limit."""
        group = series_ids.metric_group(metric.encode(), self._shards.groups)
        request = (lane, period, group, *_range(_prefix(metric)), limit + 1)
        return sum(1 for _ in fetch(self._session, self._select_first, [request], reading))

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
        if metric is not None:
            groups = [series_ids.metric_group(metric.encode(), self._shards.groups)]
        first, last = _range(_prefix(metric))
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
        self, labels: Sequence[bytes], prefix: bytes, start: int, end: int, reading: Reading
    ) -> Iterator[tuple[bytes, bytes]]:
        """The series with all of these labels whose ids begin so."""
        ids: dict[tuple[int, int], dict[bytes, set[bytes]]] = defaultdict(lambda: defaultdict(set))
        requests = ((lane, period, label) for lane, period in self._periods(start, end) for label in labels)
        for (lane, period, label), (packed,) in fetch(self._session, self._select_ids, requests, reading):
            ids[lane, period][label].update(series_ids.split(packed))
        unknown: dict[tuple[int, int, int], list[bytes]] = defaultdict(list)
        for (lane, period), by_label in ids.items():
            for identity in set.intersection(*(by_label.get(label, set()) for label in labels)):
                if not identity.startswith(prefix):
                    continue
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


def _prefix(metric: str | None) -> bytes:
    """What the ids of a metric's series begin with."""
    return b"" if metric is None else series_ids.name_hash(metric.encode()).to_bytes(4, "big")


def _range(prefix: bytes) -> tuple[bytes, bytes]:
    """The first and the last possible id that begins so."""
    return prefix.ljust(series_ids.ID_BYTES, b"\x00"), prefix.ljust(series_ids.ID_BYTES, b"\xff")
