"""Series that may match: as few as the index can select without reading their labels."""

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from cassandra.cluster import Session

from schemas.limits import MAX_INDEX_LABEL_BYTES
from schemas.units import DAY_MS
from streamgauge.lru_cache import ENTRY_BYTES, LruCache, bytes_of
from streamgauge.series import ids as series_ids
from streamgauge.series.ids import Shards
from streamgauge.series.labels import NAME, SEPARATOR
from streamgauge.series.matchers import Matcher, names_of
from streamgauge.store.blocks.block_cache import MAX_AGE_S
from streamgauge.store.reading import ReadContext, fetch

KEYS_A_REQUEST = 100
SERIES_BYTES = 200
"""Of a series that is remembered: its id, and its place among others; its labels come on top."""
WORTH_INTERSECTING = 4
"""Ids of a condition are read too if there are at most as many times more than of the most selective one."""
IDS_A_LABEL = 4
"""Cost of a label lookup, as a number of ids."""
MOST_VALUES = 200
"""Of a regex in some places, so that its labels are looked up, instead of everything being read."""
LanePeriod = tuple[int, int]
"""A lane, and the start (ms) of one of its index periods."""
Series = tuple[bytes, bytes]
"""Packed id and canonical labels."""
Labels = Sequence[Sequence[bytes]]
"""Of each condition the labels that fulfil it, as the table `series_by_label` has them."""
Range = tuple[int, int, int, bytes, bytes]
"""A lane, period and metric group of the table `series`, and its first and last possible id."""


class _Known(NamedTuple):
    version: int
    since: float
    series: dict[bytes, bytes]


class Candidates:
    """Reads ids and labels. An id's labels never change, so they are remembered; a range as long as its version.

    :param recent: where they are kept: labels by id, ranges by what they are of.
    """

    def __init__(self, session: Session, shards: Shards, recent: LruCache[Any, Any]) -> None:
        self._session = session
        self._shards = shards
        self._recent = recent
        where = "WHERE lane = ? AND period = ? AND metric_group = ?"
        self._select_range = session.prepare(f"SELECT id, labels FROM series {where} AND id >= ? AND id <= ?")
        self._select_first = session.prepare(f"SELECT id FROM series {where} AND id >= ? AND id <= ? LIMIT ?")
        self._select_some = session.prepare(f"SELECT id, labels FROM series {where} AND id IN ?")
        self._select_ids = session.prepare(
            "SELECT period, label, ids FROM series_by_label WHERE lane = ? AND period IN ? AND label IN ?"
        )
        self._select_values = session.prepare(
            "SELECT value FROM label_values WHERE lane = ? AND period = ? AND name = ?"
        )

    def find(
        self,
        matchers: Sequence[Matcher],
        places: Sequence[LanePeriod],
        versions: Mapping[tuple[int, int], int],
        reading: ReadContext,
    ) -> Iterator[Series]:
        """Candidates, some of which may come twice.

        What matchers list is looked up, the most selective of them first: metric names by ranges of ids, other labels
        by the ids that have them. How many each would give is found out in two lanes; labels hash evenly over them.
        Where nothing is listed, a regex with few values stands for these; without one everything is read.

        :param versions: of the index by day (ms) and lane, read before this is called.
        :raises DeadlinePassed: by the reading.
        """
        prefixes = tuple(_prefix(name) for name in names_of(matchers))
        listed = [
            [_label(one.name, value) for value in one.values]
            for one in matchers
            if one.values and one.name != NAME
        ]
        examples = _examples(places)
        chosen = self._most_selective(prefixes, listed, examples, reading)
        if chosen:
            yield from self._by_labels(dict.fromkeys(places, chosen), prefixes, reading)
        elif prefixes:
            yield from self._by_range(prefixes, places, versions, reading)
        elif (few := self._fewest_values(matchers, examples, reading)) is not None:
            yield from self._by_labels(self._values_of(few, places, reading), prefixes, reading)
        else:
            yield from self._by_range((b"",), places, versions, reading)

    def lane(self, places: Iterable[LanePeriod], reading: ReadContext) -> Iterator[Series]:
        """Everything in these places; a series may come twice.

        :raises DeadlinePassed: by the reading.
        """
        first, last = _range(b"")
        requests = ((*place, group, first, last) for place in places for group in range(self._shards.groups))
        for _, row in fetch(self._session, self._select_range, requests, reading):
            yield row

    def values(
        self, name: str, places: Iterable[LanePeriod], reading: ReadContext
    ) -> Iterator[tuple[LanePeriod, str]]:
        """The values of a label, or with the empty name the names of all labels, and where each is.

        :raises DeadlinePassed: by the reading.
        """
        fits = len(name.encode()) <= MAX_INDEX_LABEL_BYTES
        requests = ((lane, period, name) for lane, period in places if fits)
        for (lane, period, _), (value,) in fetch(self._session, self._select_values, requests, reading):
            yield (lane, period), value

    def _most_selective(
        self, prefixes: Sequence[bytes], listed: Labels, examples: Sequence[LanePeriod], reading: ReadContext
    ) -> Labels:
        """The conditions whose ids are to be intersected; none if those of the names, or all, are to be read."""
        if len(listed) + bool(prefixes) < 2:
            return listed
        sizes: dict[bytes, int] = defaultdict(int)
        periods: dict[int, list[int]] = defaultdict(list)
        for lane, period in examples:
            periods[lane].append(period)
        wanted = [(lane, own, _distinct(listed)) for lane, own in periods.items()]
        for _, label, packed in self._fetch_ids(wanted, reading):
            sizes[label] += len(packed) // series_ids.ID_BYTES
        a_label = IDS_A_LABEL * len(examples)
        costs = [sum(sizes[label] for label in labels) + a_label * (len(labels) - 1) for labels in listed]
        fewest = min(costs)
        # ranges take a request for each lane and period, labels one a lane
        if prefixes and self._are_fewer(prefixes, examples, fewest, reading):
            return []
        return [
            labels for labels, cost in zip(listed, costs, strict=True) if cost <= WORTH_INTERSECTING * fewest
        ]

    def _are_fewer(
        self, prefixes: Sequence[bytes], examples: Sequence[LanePeriod], than: int, reading: ReadContext
    ) -> bool:
        """Whether these places have fewer series with such ids than so many."""
        if not than:
            return False
        requests = [
            (*place, group, *_range(prefix), than)
            for place in examples
            for prefix in prefixes
            for group in self._groups(prefix)
        ]
        found = fetch(self._session, self._select_first, requests, reading)
        return sum(1 for _ in islice(found, than)) < than

    def _fewest_values(
        self, matchers: Sequence[Matcher], examples: Sequence[LanePeriod], reading: ReadContext
    ) -> Matcher | None:
        """The matcher with the fewest values, that a series must have one of, if these are few."""
        counts = {}
        for one in matchers:
            if one.name != NAME and not one.matches(b""):
                found = {value for _, value in self.values(one.name, examples, reading)}
                counts[one] = sum(one.matches(value.encode()) for value in reading.watched(found))
        if not counts:
            return None
        best = min(counts, key=lambda one: counts[one])
        return best if counts[best] <= MOST_VALUES else None

    def _values_of(
        self, matcher: Matcher, places: Sequence[LanePeriod], reading: ReadContext
    ) -> dict[LanePeriod, list[list[bytes]]]:
        """The labels that fulfil a matcher, by place."""
        found: dict[LanePeriod, list[list[bytes]]] = {}
        for place, value in reading.watched(self.values(matcher.name, places, reading)):
            if matcher.matches(value.encode()):
                found.setdefault(place, [[]])[0].append(_label(matcher.name, value))
        return found

    def _by_range(
        self,
        prefixes: Sequence[bytes],
        places: Sequence[LanePeriod],
        versions: Mapping[tuple[int, int], int],
        reading: ReadContext,
    ) -> Iterator[Series]:
        """The series whose ids begin so."""
        missing: list[Range] = []
        for prefix in prefixes:
            for lane, period in places:
                for group in self._groups(prefix):
                    request = (lane, period, group, *_range(prefix))
                    known = self._get(request, _version(request, versions))
                    if known is None:
                        missing.append(request)
                    else:
                        yield from known.items()
        read: dict[Range, dict[bytes, bytes]] = {request: {} for request in missing}
        for request, (identity, data) in fetch(self._session, self._select_range, missing, reading):
            read[request][identity] = data
            yield identity, data
        for request, series in read.items():
            self._put(request, _Known(_version(request, versions), time.monotonic(), series))

    def _groups(self, prefix: bytes) -> Sequence[int]:
        """The metric groups of the series whose ids begin so."""
        return [int.from_bytes(prefix, "big") % self._shards.groups] if prefix else range(self._shards.groups)

    def _get(self, request: Range, version: int) -> dict[bytes, bytes] | None:
        known: _Known | None = self._recent.get(request)
        if known is None or known.version != version or time.monotonic() - known.since > MAX_AGE_S:
            return None
        return known.series

    def _put(self, request: Range, known: _Known) -> None:
        series = sum(SERIES_BYTES + len(data) for data in known.series.values())
        self._recent.put(request, known, ENTRY_BYTES + bytes_of(request) + series)

    def _by_labels(
        self, by_place: Mapping[LanePeriod, Labels], prefixes: tuple[bytes, ...], reading: ReadContext
    ) -> Iterator[Series]:
        """The series with a label of each condition, whose ids begin so if anything is said of that."""
        unknown: dict[tuple[int, int, int], list[bytes]] = defaultdict(list)
        seen: set[bytes] = set()
        for (lane, period), ids in self._ids(by_place, reading).items():
            wanted = [each for each in ids - seen if not prefixes or each.startswith(prefixes)]
            known = self._recent.get_all(wanted)
            for identity in wanted:
                data = known.get(identity)
                if data is None:
                    [group] = self._groups(identity[:4])
                    unknown[lane, period, group].append(identity)
                else:
                    yield identity, data
            seen |= ids
        requests = [(*place, part) for place, identities in unknown.items() for part in _parts(identities)]
        for _, (identity, data) in fetch(self._session, self._select_some, requests, reading):
            self._recent.put(identity, data, ENTRY_BYTES + SERIES_BYTES + len(data))
            yield identity, data

    def _ids(
        self, by_place: Mapping[LanePeriod, Labels], reading: ReadContext
    ) -> dict[LanePeriod, set[bytes]]:
        """The ids of the series with a label of each condition."""
        together: dict[tuple[int, int], tuple[int, list[int], Labels]] = {}
        for (lane, period), conditions in by_place.items():
            together.setdefault((lane, id(conditions)), (lane, [], conditions))[1].append(period)
        found: dict[LanePeriod, dict[bytes, set[bytes]]] = defaultdict(lambda: defaultdict(set))
        for place, label, packed in self._fetch_ids(
            ((lane, periods, _distinct(conditions)) for lane, periods, conditions in together.values()),
            reading,
        ):
            found[place][label].update(series_ids.split(packed))
        return {
            place: set.intersection(
                *(_union(labels.get(label, ()) for label in condition) for condition in by_place[place])
            )
            for place, labels in found.items()
        }

    def _fetch_ids(
        self, wanted: Iterable[tuple[int, Sequence[int], Sequence[bytes]]], reading: ReadContext
    ) -> Iterator[tuple[LanePeriod, bytes, bytes]]:
        """The packed ids of lanes, periods and labels; those of one label may come in several pieces.

        A label that the index cannot hold has none: Cassandra would refuse to be asked for it.
        """
        requests = (
            (lane, some_periods, some_labels)
            for lane, periods, labels in wanted
            for some_labels in _parts([label for label in labels if len(label) <= MAX_INDEX_LABEL_BYTES])
            for some_periods in _parts(periods, max(1, KEYS_A_REQUEST // len(some_labels)))
        )
        for (lane, _, _), (period, label, packed) in fetch(
            self._session, self._select_ids, requests, reading
        ):
            yield (lane, period), label, packed


def _examples(places: Sequence[LanePeriod]) -> Sequence[LanePeriod]:
    """Places that tell what gives the fewest series: of two lanes the last two periods, as one may just have begun."""
    lanes = {places[0][0], places[-1][0]}
    return [
        place
        for lane in sorted(lanes)
        for place in sorted(place for place in places if place[0] == lane)[-2:]
    ]


def _union(sets: Iterable[Iterable[bytes]]) -> set[bytes]:
    return set().union(*sets)


def _distinct(conditions: Labels) -> list[bytes]:
    return sorted({label for labels in conditions for label in labels})


def _parts(keys: Sequence[Any], size: int = KEYS_A_REQUEST) -> Iterator[Sequence[Any]]:
    return (keys[at : at + size] for at in range(0, len(keys), size))


def _label(name: str, value: str) -> bytes:
    return name.encode() + SEPARATOR + value.encode()


def _prefix(metric: str) -> bytes:
    """What the ids of a metric's series begin with."""
    return series_ids.name_hash(metric.encode()).to_bytes(4, "big")


def _range(prefix: bytes) -> tuple[bytes, bytes]:
    """The first and the last possible id that begins so."""
    return prefix.ljust(series_ids.ID_BYTES, b"\x00"), prefix.ljust(series_ids.ID_BYTES, b"\xff")


def _version(request: Range, versions: Mapping[tuple[int, int], int]) -> int:
    lane, period, *_ = request
    return versions.get((period - period % DAY_MS, lane), 0)
