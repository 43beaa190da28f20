"""A store in memory that changes step by step as the jobs change the real one: data first, generations after.

Samples arrive in the head at once. Minutes are sealed into blocks and rolled up; what arrives later waits until it is
flushed to blocks, level by level, each in two steps. A series is in the index when its turn comes.
"""

from collections import defaultdict

import numpy as np

from schemas.tables import MINUTE_MS, Resolution, StorageClass
from streamgauge.promql.levels import SAMPLES, Level
from streamgauge.series.ids import from_bytes, lane_of, series_id, split, to_bytes
from streamgauge.series.labels import canonical
from streamgauge.series.matchers import fulfils
from streamgauge.series.samples import Samples, between, concat
from streamgauge.store.changes import Change
from streamgauge.store.reader import SEALED_HEAD_MINUTES
from streamgauge.store.rollups import by_series, of_samples

LANES = 2
DAY_MS = 86_400_000
BEGIN = 1_763_892_000_000
"""A whole hour."""
ROLLED = (Resolution.MIN1, Resolution.MIN5)
KEPT = StorageClass("standard", dict.fromkeys(Resolution, 30 * DAY_MS))
Place = tuple[int, int]
"""A lane and the start (ms) of a window."""


class ModelStore:
    """The source of samples and rollups, and `asked.State`; `happen` is called whenever something is read."""

    def __init__(self):
        self.now = BEGIN
        self.happen = lambda: None
        self.sealed = {each: dict.fromkeys(range(LANES), BEGIN) for each in ROLLED}
        self.generations: dict[tuple[Resolution, int, int], int] = {}
        self._head: dict[bytes, dict[int, float]] = defaultdict(dict)
        self._raw: dict[bytes, dict[int, float]] = defaultdict(dict)
        self._rows: dict[Resolution, dict[bytes, dict[int, dict[int, float]]]] = {
            each: defaultdict(dict) for each in ROLLED
        }
        self._indexed: set[bytes] = set()
        self._unindexed: list[tuple[bytes, int]] = []
        self._late: list[tuple[bytes, int]] = []
        self._pending: list[tuple[Resolution, int, int]] = []
        self._steps: list = []

    # what the jobs do

    def write(self, data: bytes, time: int, value: float, indexed: bool = True) -> None:
        """A sample arrives; if its minute is sealed it is late."""
        self._head[data][time] = value
        if data not in self._indexed:
            self._unindexed.append((data, time))
            if indexed:
                self._index()
        if time < self.sealed[Resolution.MIN1][_lane(data)]:
            self._late.append((data, time))

    def seal(self, lane: int, minutes: int) -> None:
        """All that has arrived of some minutes is in blocks, then in rollups."""
        begin = self.sealed[Resolution.MIN1][lane]
        end = begin + minutes * MINUTE_MS
        for data, samples in self._head.items():
            if _lane(data) == lane:
                own = {time: value for time, value in samples.items() if begin <= time < end}
                self._raw[data].update(own)
        for level in ROLLED:
            width = level.value.width_ms
            for start in range(self.sealed[level][lane], end - width + 1, width):
                self._build(level, lane, start)
                self.sealed[level][lane] = start + width
        self.now = max(self.now, end + MINUTE_MS)

    def step(self) -> bool:
        """The next step of what follows from late samples, or of the index; whether there was any."""
        if not self._steps:
            self._plan()
        if self._steps:
            self._steps.pop(0)()
            return True
        return False

    def is_settled(self) -> bool:
        """Whether every change that can be seen is in a generation."""
        return not self._pending

    def _plan(self) -> None:
        if self._unindexed:
            self._index()
        elif self._late:
            data, time = self._late.pop(0)
            lane = _lane(data)
            self._steps += [lambda: self._put_late(data, time), self._note]
            for level in ROLLED:
                start = time - time % level.value.width_ms
                if start < self.sealed[level][lane]:
                    self._steps += [lambda at=(level, lane, start): self._rebuild(*at), self._note]

    def _index(self) -> None:
        data, time = self._unindexed.pop(0)
        self._indexed.add(data)
        if time < self.sealed[Resolution.MIN1][_lane(data)]:
            for level in (Resolution.RAW, *ROLLED):
                self._pending.append((level, _lane(data), time - time % level.value.width_ms))
            self._steps.insert(0, self._note)

    def _put_late(self, data: bytes, time: int) -> None:
        self._raw[data][time] = self._head[data][time]
        self._pending.append((Resolution.RAW, _lane(data), time - time % MINUTE_MS))

    def _rebuild(self, level: Resolution, lane: int, start: int) -> None:
        self._build(level, lane, start)
        self._pending.append((level, lane, start))

    def _build(self, level: Resolution, lane: int, start: int) -> None:
        end = start + level.value.width_ms
        for data, samples in self._raw.items():
            own = {time: value for time, value in samples.items() if start <= time < end}
            if own and _lane(data) == lane:
                self._rows[level][data][start] = own

    def _note(self) -> None:
        for level, lane, start in self._pending:
            place = level, lane, level.value.mark(start)
            self.generations[place] = self.generations.get(place, 0) + 1
        self._pending.clear()

    # what the gateway reads

    def progress(self, resolutions, _):
        self.happen()
        found = {each: dict(self.sealed[each]) for each in resolutions}
        self.happen()
        return found

    def changes(self, periods, _):
        self.happen()
        found = {
            wanted: [
                Change(level.value.period(mark), lane, mark, 1, version)
                for (level, lane, mark), version in self.generations.items()
                if level is wanted and level.value.period(mark) in own
            ]
            for wanted, own in periods.items()
        }
        self.happen()
        return found

    @property
    def levels(self):
        oldest = self.now - 30 * DAY_MS
        return [Level(SAMPLES, oldest), *(Level(each.value.width_ms, oldest) for each in ROLLED)]

    def fetch(self, matchers, start, end):
        self.happen()
        parts = {data: self._samples(data, start, end) for data in self._selected(matchers)}
        parts = {data: samples for data, samples in parts.items() if samples}
        self.happen()
        rows = sorted(parts, key=series_id)
        return rows, concat([_packed(data, parts[data]) for data in rows])

    def rollups(self, matchers, start, end, width, wanted):
        self.happen()
        rows = []
        selected = self._selected(matchers)
        for data in selected:
            begin = start
            for level in reversed([each for each in ROLLED if each.value.width_ms <= width]):
                own, sealed = level.value.width_ms, self.sealed[level][_lane(data)]
                first, last = begin + -begin % own, min(end, sealed - own)
                if first > last:
                    continue
                for window, samples in self._rows[level][data].items():
                    if first <= window <= last:
                        row = of_samples(_packed(data, samples), window, wanted)
                        rows.append(row._replace(width=own))
                begin = last - last % own + own
            rest = _packed(data, self._samples(data, begin, end - end % MINUTE_MS + MINUTE_MS - 1))
            for minute in np.unique(rest.timestamps // MINUTE_MS * MINUTE_MS).tolist():
                if begin <= minute <= end:
                    rows.append(of_samples(between(rest, minute, minute + MINUTE_MS - 1), minute, wanted))
        self.happen()
        found = by_series(rows, wanted)
        by_id = {series_id(data): data for data in selected}
        return [by_id[identity] for identity in split(to_bytes(found.ids))], found

    def _selected(self, matchers):
        named = [(matcher.name.encode(), matcher) for matcher in matchers]
        return [data for data in sorted(self._indexed) if fulfils(data, named)]

    def _samples(self, data, start, end):
        sealed = self.sealed[Resolution.MIN1][_lane(data)]
        headed = sealed - SEALED_HEAD_MINUTES * MINUTE_MS
        found = {time: value for time, value in self._raw[data].items() if time < sealed}
        found |= {time: value for time, value in self._head[data].items() if time >= headed}
        return {time: found[time] for time in sorted(found) if start <= time <= end}


def label_set(name: str, number: int) -> bytes:
    """The canonical labels of a series."""
    return canonical({"__name__": name, "n": str(number)})


def _lane(data: bytes) -> int:
    return lane_of(series_id(data), LANES)


def _packed(data: bytes, samples: dict[int, float]) -> Samples:
    return Samples(
        from_bytes(series_id(data)),
        np.array([0, len(samples)]),
        np.array(sorted(samples), np.int64),
        np.array([samples[time] for time in sorted(samples)], np.float64),
    )
