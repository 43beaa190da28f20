"""What the rules of a group have recorded, as far as its own rules look at it."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from streamgauge.promql.data.query import Source
from streamgauge.rules.machine.evaluation import Point
from streamgauge.rules.stream.compile.reach import Conditions
from streamgauge.series.id_kernels import rows_of
from streamgauge.series.ids import from_bytes, series_id, split, to_bytes
from streamgauge.series.labels import NAME, canonical
from streamgauge.series.matchers import Matcher, fulfils, metric_of, named
from streamgauge.series.samples import Samples, between, concat, empty

Rows = tuple[Sequence[bytes], Samples]
"""Canonical labels and the samples of each."""


class Recorded:
    """A source of what was put in. Nothing is kept that cannot be seen any more.

    :param history_ms: how far back it can be seen. :param is_used: whether anything looks at it.
    """

    def __init__(self, history_ms: int, is_used: bool) -> None:
        self._history = history_ms
        self.is_used = is_used
        self._series: dict[str, dict[bytes, list[tuple[int, float]]]] = defaultdict(dict)

    def put(self, points: Iterable[Point], time: int) -> None:
        """Add a sample of each series at a time in ms, if anything looks at it."""
        for point in points if self.is_used else ():
            data = canonical(point.labels)
            self._series[point.labels[NAME]].setdefault(data, []).append((time, point.value))

    def prune(self, tick: int) -> None:
        """Forget what no tick from this one (ms) on looks at."""
        for series in self._series.values():
            for data, samples in [*series.items()]:
                del samples[: bisect_left(samples, tick - self._history, key=lambda sample: sample[0])]
                if not samples:
                    del series[data]

    def fetch(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> Rows:
        """What `streamgauge.promql.data.query.Source` asks for."""
        name = metric_of(matchers)
        names = list(self._series) if name is None else [name]
        conditions = named(matchers)
        rows = []
        for data, samples in (item for one in names for item in self._series.get(one, {}).items()):
            inside = [sample for sample in samples if start_ms <= sample[0] <= end_ms]
            if inside and fulfils(data, conditions):
                rows.append((data, inside))
        flat = [sample for _, inside in rows for sample in inside]
        return [data for data, _ in rows], Samples(
            from_bytes(b"".join(series_id(data) for data, _ in rows)),
            np.cumsum([0, *(len(inside) for _, inside in rows)], dtype=np.int64),
            np.array([time for time, _ in flat], np.int64),
            np.array([value for _, value in flat], np.float64),
        )


class Overlaid:
    """A source of what others give together; of two samples of a series at one time one counts, as everywhere."""

    def __init__(self, *sources: Source) -> None:
        self._sources = sources

    def fetch(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> Rows:
        """What `streamgauge.promql.data.query.Source` asks for."""
        return united([source.fetch(matchers, start_ms, end_ms) for source in self._sources])


class Shipped:
    """A source of the samples of a few selectors, from all shards."""

    def __init__(self, rows: Mapping[Conditions, Rows]) -> None:
        """Take rows whose series are in the order of their ids."""
        self._rows = rows

    def fetch(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> Rows:
        """What `streamgauge.promql.data.query.Source` asks for."""
        labels, samples = self._rows[tuple(matchers)]
        inside = between(samples, start_ms, end_ms)
        return [labels[row] for row in rows_of(samples.ids, inside.ids).tolist()], inside


def united(rows: Sequence[Rows]) -> Rows:
    """All samples of all, series in the order of their ids."""
    rows = [one for one in rows if one[0]]
    if not rows:
        return [], empty()
    packed = [[series_id(data) for data in labels] for labels, _ in rows]
    parts = [
        samples._replace(ids=from_bytes(b"".join(ids)))
        for ids, (_, samples) in zip(packed, rows, strict=True)
    ]
    found = concat(parts)
    by_id = {
        one: data
        for ids, (labels, _) in zip(packed, rows, strict=True)
        for one, data in zip(ids, labels, strict=True)
    }
    return [by_id[one] for one in split(to_bytes(found.ids))], found
