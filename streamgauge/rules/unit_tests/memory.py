"""Samples in memory, which grow tick by tick."""

import struct
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from streamgauge.series.labels import NAME, SEPARATOR
from streamgauge.series.matchers import Matcher, metric_of
from streamgauge.series.samples import Samples


class _Series:
    def __init__(self, labels: Mapping[str, str]) -> None:
        self.labels = {name: value.encode() for name, value in labels.items()}
        pairs = sorted((name.encode(), value.encode()) for name, value in labels.items())
        # a test may have series without a name
        self.data = SEPARATOR.join(part for pair in pairs for part in pair)
        self.times: list[int] = []
        self.values: list[float] = []

    def matches(self, matchers: Sequence[Matcher]) -> bool:
        return all(matcher.matches(self.labels.get(matcher.name, b"")) for matcher in matchers)


class Memory:
    """A source of samples. Nothing later than `until` (ms) is seen."""

    def __init__(self) -> None:
        self.until = 0
        self._series: dict[tuple[tuple[str, str], ...], _Series] = {}
        self._by_name: dict[str, list[_Series]] = defaultdict(list)

    def put(self, labels: Mapping[str, str], time: int, value: float) -> str | None:
        """Add a sample at a time in ms; why it is not taken, in promtool's words, if a rule must not write it."""
        series = self._at(labels)
        at = bisect_right(series.times, self.until)
        if at and series.times[at - 1] > time:
            return "out of order sample"
        if at and series.times[at - 1] == time:
            is_same = struct.pack("d", series.values[at - 1]) == struct.pack("d", value)
            return None if is_same else "duplicate sample for timestamp"
        series.times.insert(at, time)
        series.values.insert(at, value)
        return None

    def load(self, labels: Mapping[str, str], start: int, every: int, values: Sequence[float | None]) -> None:
        """Set a series whose values lie `every` ms apart."""
        series = self._at(labels)
        there = [(start + at * every, value) for at, value in enumerate(values) if value is not None]
        series.times = [time for time, _ in there]
        series.values = [value for _, value in there]

    def fetch(
        self, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> tuple[Sequence[bytes], Samples]:
        """What `streamgauge.promql.data.query.Source` asks for."""
        name = metric_of(matchers)
        candidates = list(self._series.values()) if name is None else self._by_name.get(name, [])
        labels: list[bytes] = []
        offsets, times, values = [0], list[int](), list[float]()
        for series in sorted(candidates, key=lambda one: one.data):
            first = bisect_left(series.times, start_ms)
            last = bisect_right(series.times, min(end_ms, self.until))
            if first < last and series.matches(matchers):
                labels.append(series.data)
                times += series.times[first:last]
                values += series.values[first:last]
                offsets.append(len(times))
        ids = np.array([(0, row) for row in range(len(labels))], np.uint64).reshape(-1, 2)
        return labels, Samples(
            ids, np.array(offsets, np.int64), np.array(times, np.int64), np.array(values, np.float64)
        )

    def _at(self, labels: Mapping[str, str]) -> _Series:
        key = tuple(sorted(labels.items()))
        if key not in self._series:
            self._series[key] = _Series(labels)
            self._by_name[labels.get(NAME, "")].append(self._series[key])
        return self._series[key]
