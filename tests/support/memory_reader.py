"""A reader of the store whose samples are in memory: what the gateway uses of it."""

from collections.abc import Mapping, Sequence

import numpy as np

from streamgauge.series.ids import from_bytes, lane_of, series_id
from streamgauge.series.labels import canonical, parse
from streamgauge.series.matchers import fulfils
from streamgauge.series.samples import Samples, between, take
from streamgauge.store.index.kept_selections import Selection


class MemoryReader:
    """Holds (labels, (time in ms, value) pairs); only raw samples are kept."""

    def __init__(
        self, series: Sequence[tuple[Mapping[str, str], Sequence[tuple[int, float]]]], lanes=8
    ) -> None:
        by_labels = {canonical(labels): points for labels, points in series}
        self.labels = sorted(by_labels, key=series_id)
        self._lanes = lanes
        points = [by_labels[labels] for labels in self.labels]
        times = [time for each in points for time, _ in each]
        values = [value for each in points for _, value in each]
        self.samples = Samples(
            from_bytes(b"".join(map(series_id, self.labels))),
            np.cumsum([0, *map(len, points)]),
            np.array(times, np.int64),
            np.array(values, np.float64),
        )
        self.index = self.blocks = self.head = self.cache = self
        self.size = self.hits = self.misses = 0

    def levels(self):
        return []

    def progress(self, _resolution, _reading):
        return {}

    def select(self, matchers, _start, _end, reading):
        named = [(matcher.name.encode(), matcher) for matcher in matchers]
        rows = [row for row, labels in enumerate(self.labels) if fulfils(labels, named)]
        reading.take_series(len(rows))
        return Selection(self.samples.ids[rows], [self.labels[row] for row in rows])

    def raw(self, selection, start, end, reading):
        reading.left_s()
        chosen = set(selection.labels)
        rows = [row for row, labels in enumerate(self.labels) if labels in chosen]
        found = between(take(self.samples, np.array(rows, np.int64)), start, end)
        reading.take_samples(len(found.values))
        return found

    def label_names(self, _start, _end, _reading):
        return {name for labels in self.labels for name in parse(labels)}

    def label_values(self, name, _start, _end, _reading):
        return {labels[name] for labels in map(parse, self.labels) if name in labels}

    def lane(self, lane, _start, _end, _reading):
        found = [(series_id(labels), labels) for labels in self.labels]
        return [(identity, labels) for identity, labels in found if lane_of(identity, self._lanes) == lane]
