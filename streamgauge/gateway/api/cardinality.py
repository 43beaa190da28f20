"""/api/v1/status/tsdb: numbers of series by metric, label and value, from the index."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from schemas.units import HOUR_MS
from streamgauge.gateway.formats import prometheus_json as answer
from streamgauge.gateway.query.queries import Answer, document
from streamgauge.gateway.request.faults import ErrorType, InvalidRequest
from streamgauge.gateway.request.parameters import Form
from streamgauge.go_numbers import InvalidNumber, integer
from streamgauge.series.labels import NAME
from streamgauge.series.matchers import Matcher, fulfils
from streamgauge.store.reader import Reader
from streamgauge.store.reading import ReadContext

LOOKED_AT_MS = HOUR_MS
"""Series of the index periods that touch the last hour are counted."""
MAX_SERIES = 200_000
"""Number of series after which no further lane is read; a lane is an even sample of all label sets."""
COUNTED_BYTES = 2048
"""Estimated memory of a counted series with the counts of its labels."""
KEPT_S = 60.0
"""Lifetime of a count."""
PAIR_BYTES = 512
"""Of a label and value while the most frequent are found."""
_LENGTH_BYTES = 2
"""Bytes that Prometheus adds for the lengths of a label's name and value."""
DEFAULT_LIMIT, MAX_LIMIT = 10, 10_000


@dataclass(slots=True)
class Count:
    """Series counts of a subset of the lanes."""

    lanes: int = 0
    series: int = 0
    metrics: Counter[str] = field(default_factory=Counter)
    pairs: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, data: bytes) -> None:
        """Count a series by its canonical labels."""
        labels = answer.label_set(data)
        self.series += 1
        self.metrics[labels.get(NAME, "")] += 1
        self.pairs.update(labels.items())


class Cardinality:
    """Counts series in the index, at most once a minute per kind of user, in one thread. clock: returns ms."""

    def __init__(self, reader: Reader, lanes: int, clock: Callable[[], int]) -> None:
        self._reader = reader
        self._lanes = lanes
        self._clock = clock
        self._counted: dict[Sequence[Matcher], tuple[float, Count]] = {}

    def status(self, form: Form, reading: ReadContext) -> Answer:
        """/api/v1/status/tsdb

        :raises InvalidRequest: for a limit that is none. :raises DeadlinePassed: by the reading.
        """
        limit = _limit(form)
        now = self._clock()
        reading.left_s()
        count = self._count(form.principal.enforced, now, reading)
        reading.hold(len(count.pairs) * PAIR_BYTES)
        scale = self._lanes / count.lanes
        values = Counter(name for name, _ in count.pairs)
        size: Counter[str] = Counter()
        for (name, value), number in count.pairs.items():
            size[name] += number * (len(name.encode()) + len(value.encode()) + _LENGTH_BYTES)
        content = {
            "headStats": {
                "numSeries": round(count.series * scale),
                "numLabelPairs": len(count.pairs),
                "chunkCount": 0,
                "minTime": now - LOOKED_AT_MS,
                "maxTime": now,
            },
            "seriesCountByMetricName": _top(count.metrics, limit, scale),
            "labelValueCountByLabelName": _top(values, limit),
            "memoryInBytesByLabelName": _top(size, limit, scale),
            "seriesCountByLabelValuePair": _top(
                {f"{name}={value}": number for (name, value), number in count.pairs.items()}, limit, scale
            ),
        }
        return document(content, reading, self._remarks(count), len(count.pairs) * PAIR_BYTES)

    def _count(self, enforced: Sequence[Matcher], now: int, reading: ReadContext) -> Count:
        at, known = self._counted.get(enforced, (0.0, None))
        if known is not None and time.monotonic() - at < KEPT_S:
            return known
        named = [(matcher.name.encode(), matcher) for matcher in enforced]
        count, looked_at = Count(), 0
        while count.lanes < self._lanes and looked_at < MAX_SERIES:
            seen = dict(self._reader.index.lane(count.lanes, now - LOOKED_AT_MS, now, reading))
            for data in reading.watched(seen.values()):
                if fulfils(data, named):
                    count.add(data)
            looked_at += len(seen)
            reading.hold(looked_at * COUNTED_BYTES)
            count.lanes += 1
        self._forget()
        self._counted[enforced] = time.monotonic(), count
        return count

    def _forget(self) -> None:
        old = time.monotonic() - KEPT_S
        self._counted = {key: kept for key, kept in self._counted.items() if kept[0] >= old}

    def _remarks(self, count: Count) -> list[str]:
        if count.lanes == self._lanes:
            return []
        return [
            f"counted in {count.lanes} of {self._lanes} lanes: numbers of series are estimates, those of labels and "
            "values are lower bounds"
        ]


def _top(counts: Mapping[str, int], limit: int, scale: float = 1.0) -> list[dict[str, Any]]:
    found: Iterable[tuple[str, int]] = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:limit]
    return [{"name": name, "value": round(number * scale)} for name, number in found]


def _limit(form: Form) -> int:
    given = form.get("limit")
    if not given:
        return DEFAULT_LIMIT
    try:
        limit = integer(given)
    except InvalidNumber:
        limit = 0
    if limit < 1:
        raise InvalidRequest(ErrorType.BAD_DATA, "limit must be a positive number")
    if limit > MAX_LIMIT:
        raise InvalidRequest(ErrorType.BAD_DATA, f"limit must not exceed {MAX_LIMIT}")
    return limit
