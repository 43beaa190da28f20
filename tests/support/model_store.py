"""A store in memory that changes step by step as the jobs change the real one: data first, generations after.

Batches wait in a log of each lane, which two jobs read, each in its own time. The store job puts a batch into the head
and what is new in it into the index; the rollup job seals minutes into blocks, rolls them up, and flushes to blocks,
level by level, what comes later. What the operators decide is decided here by the same classes.
"""

from collections import defaultdict, deque
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from schemas.tables import Resolution, StorageClass, index_period
from schemas.units import MINUTE_MS
from streamgauge.promql.data.query import SAMPLES, Level
from streamgauge.series.ids import from_bytes, lane_of, series_id, split, to_bytes
from streamgauge.series.known_series import KNOWN_LIMIT, IndexedMinutes, KnownSeries
from streamgauge.series.labels import canonical
from streamgauge.series.matchers import fulfils
from streamgauge.series.samples import Samples, between, concat
from streamgauge.store.blocks.rollups import by_series, of_samples
from streamgauge.store.changes import Change
from streamgauge.store.reader import SEALED_HEAD_MINUTES

LANES = 2
DAY_MS = 86_400_000
BEGIN = 1_763_892_000_000
"""A whole hour."""
ROLLED = (Resolution.MIN1, Resolution.MIN5)
KEPT = StorageClass("standard", dict.fromkeys(Resolution, 30 * DAY_MS))


class Batch(NamedTuple):
    """Samples of a series and minute, as they are in the log."""

    minute: int
    data: bytes
    time: int
    value: float


class Step(NamedTuple):
    """What a job does at once. is_note: whether it raises a generation, for something that can be seen already."""

    act: Callable[[], None]
    is_note: bool = False


class StoreJob:
    """`StoreHead` and `IndexSeries`: what they do is one step each, after which either may fail and begin again.

    :param limit: of the series that are remembered.
    """

    def __init__(self, store: "ModelStore", limit: int = KNOWN_LIMIT) -> None:
        self._store = store
        self._limit = limit
        self._begin(dict.fromkeys(range(LANES), 0))

    def restart(self, rewind: int = 0) -> None:
        """A new worker goes on from a checkpoint so many batches before what is done."""
        self._begin({lane: max(0, self.done(lane) - rewind) for lane in range(LANES)})

    def _begin(self, position: dict[int, int]) -> None:
        self._position = position
        self._known = KnownSeries(self._limit)
        self._lanes = {lane: IndexedMinutes(to) for lane, to in self._store.index_sealed.items()}
        self._rows: dict[int, deque[tuple[int, int, bytes | None]]] = {lane: deque() for lane in range(LANES)}
        self.steps: deque[Step] = deque()

    def done(self, lane: int) -> int:
        """How many batches of the log the index has seen, or need not see."""
        return self._rows[lane][0][0] if self._rows[lane] else self._position[lane]

    def is_sealed(self, lane: int, minute: int) -> bool:
        """Whether a batch of the minute is late for the index."""
        return self._lanes[lane].is_sealed(minute)

    def step(self, lanes: range | list[int] = range(LANES)) -> bool:
        """The next step, if there is any."""
        if self.steps:
            self.steps.popleft().act()
            return True
        for lane in lanes:
            if self._rows[lane]:
                self._index(lane)
                return True
            if self._position[lane] < len(self._store.log[lane]):
                self._head(lane)
                return True
        return False

    def seal(self, lane: int, to: int) -> None:
        """Time passes `to`."""
        if self._lanes[lane].seal(to):
            self._store.index_sealed[lane] = to

    def _head(self, lane: int) -> None:
        at = self._position[lane]
        batch = self._store.log[lane][at]
        self._position[lane] += 1
        self._store.head[batch.data][batch.time] = batch.value
        new = self._known.new(lane, batch.minute, [series_id(batch.data)])
        if self._known.hand_on(lane, batch.minute, new):
            self._rows[lane].append((at, batch.minute, batch.data if new else None))

    def _index(self, lane: int) -> None:
        _, minute, data = self._rows[lane][0]
        if data is not None:
            self._store.indexed.add((index_period(minute, lane), data))
        if self._lanes[lane].is_sealed(minute):
            for level in (Resolution.RAW, *ROLLED):
                self.steps.append(self._store.note(level, lane, minute))
            self.steps.append(Step(lambda: self._rows[lane].popleft()))
        else:
            self._lanes[lane].open(minute)
            self._rows[lane].popleft()


class RollupJob:
    """`CloseMinutes` and `RollUp`."""

    def __init__(self, store: "ModelStore") -> None:
        self._store = store
        self.position = dict.fromkeys(range(LANES), 0)
        self._open: dict[int, list[Batch]] = {lane: [] for lane in range(LANES)}
        self._late: dict[int, deque[Batch]] = {lane: deque() for lane in range(LANES)}
        self.steps: deque[Step] = deque()

    def step(self) -> bool:
        """The next step, if there is any."""
        if self.steps:
            self.steps.popleft().act()
            return True
        for lane in range(LANES):
            if self._late[lane]:
                self._flush(lane)
                return True
            if self.position[lane] < len(self._store.log[lane]):
                self.read(lane)
                return True
        return False

    def read(self, lane: int) -> None:
        """The next batch waits for its minute's end, or is late."""
        batch = self._store.log[lane][self.position[lane]]
        self.position[lane] += 1
        if batch.minute < self._store.sealed[Resolution.MIN1][lane]:
            self._late[lane].append(batch)
        else:
            self._open[lane].append(batch)

    def seal(self, lane: int, to: int) -> None:
        """Time passes `to`: late parts first, then the blocks, then what is rolled up."""
        while self._late[lane]:
            self._flush(lane)
        waiting = self._open[lane]
        self._open[lane] = [batch for batch in waiting if batch.minute >= to]
        for batch in waiting:
            if batch.minute < to:
                self._store.raw[batch.data][batch.time] = batch.value
        for level in ROLLED:
            width, sealed = level.value.width_ms, self._store.sealed[level]
            for start in range(sealed[lane], to - width + 1, width):
                self._store.build(level, lane, start)
                sealed[lane] = start + width

    def _flush(self, lane: int) -> None:
        batch = self._late[lane].popleft()
        self._store.raw[batch.data][batch.time] = batch.value
        self.steps.appendleft(self._store.note(Resolution.RAW, lane, batch.minute))
        for level in ROLLED:
            start = batch.time - batch.time % level.value.width_ms
            if start < self._store.sealed[level][lane]:
                self.steps.append(Step(lambda at=(level, lane, start): self._rebuild(*at)))

    def _rebuild(self, level: Resolution, lane: int, start: int) -> None:
        self._store.build(level, lane, start)
        self.steps.appendleft(self._store.note(level, lane, start))


class ModelStore:
    """The source of samples and rollups, and `asked.State`; `happen` is called whenever something is read."""

    def __init__(self, known_limit=KNOWN_LIMIT):
        self.now = BEGIN
        self.happen = lambda: None
        self.sealed = {each: dict.fromkeys(range(LANES), BEGIN) for each in ROLLED}
        self.index_sealed = dict.fromkeys(range(LANES), BEGIN)
        self.generations: dict[tuple[Resolution, int, int], int] = {}
        self.log: dict[int, list[Batch]] = {lane: [] for lane in range(LANES)}
        self.head: dict[bytes, dict[int, float]] = defaultdict(dict)
        self.raw: dict[bytes, dict[int, float]] = defaultdict(dict)
        self._rows: dict[Resolution, dict[bytes, dict[int, dict[int, float]]]] = {
            each: defaultdict(dict) for each in ROLLED
        }
        self.indexed: set[tuple[int, bytes]] = set()
        self.store_job = StoreJob(self, known_limit)
        self.rollup_job = RollupJob(self)

    # what the jobs do

    def write(self, data: bytes, time: int, value: float, stored: bool = True, rolled: bool = True) -> None:
        """A sample arrives; the store job has done all that came up to it at once, and the rollup job has read it."""
        lane = _lane(data)
        self.log[lane].append(Batch(time - time % MINUTE_MS, data, time, value))
        while stored and self.store_job.done(lane) < len(self.log[lane]):
            self.store_job.step([lane])
        while rolled and self.rollup_job.position[lane] < len(self.log[lane]):
            self.rollup_job.read(lane)

    def seal(self, lane: int, minutes: int, index: bool = True) -> None:
        """Time goes on by some minutes for the rollup job, and for the store job too if `index`."""
        to = self.sealed[Resolution.MIN1][lane] + minutes * MINUTE_MS
        self.rollup_job.seal(lane, to)
        if index:
            self.seal_index(lane, to)
        self.now = max(self.now, to + MINUTE_MS)

    def seal_index(self, lane: int, to: int) -> None:
        """Time passes `to` for the store job."""
        self.store_job.seal(lane, to)

    def step(self) -> bool:
        """The next step of either job; whether there was any."""
        return self.rollup_job.step() or self.store_job.step()

    def settle(self) -> None:
        """Whatever can be seen gets its generation."""
        while self.rollup_job.steps and self.rollup_job.steps[0].is_note:
            self.rollup_job.step()
        while lanes := self._unsettled():
            self.store_job.step(lanes)

    def _unsettled(self) -> list[int]:
        """The lanes in which the store job owes a generation: late batches of series that were found elsewhere."""
        if self.store_job.steps:
            return list(range(LANES))
        found = {data for _, data in self.indexed}
        return [
            lane
            for lane, log in self.log.items()
            if any(
                batch.data in found and self.store_job.is_sealed(lane, batch.minute)
                for batch in log[self.store_job.done(lane) : self.rollup_job.position[lane]]
            )
        ]

    def build(self, level: Resolution, lane: int, start: int) -> None:
        """Roll a window up."""
        end = start + level.value.width_ms
        for data, samples in self.raw.items():
            own = {time: value for time, value in samples.items() if start <= time < end}
            if own and _lane(data) == lane:
                self._rows[level][data][start] = own

    def note(self, level: Resolution, lane: int, time: int) -> Step:
        """The step that raises the generation of the block that holds a time."""
        place = level, lane, level.value.mark(time - time % level.value.width_ms)

        def raised() -> None:
            self.generations[place] = self.generations.get(place, 0) + 1

        return Step(raised, is_note=True)

    # what the gateway reads

    def progress(self, resolutions, _):
        self.happen()
        found = {each: dict(self.sealed[each]) for each in resolutions}
        self.happen()
        return found

    def index_progress(self, _):
        self.happen()
        return dict(self.index_sealed)

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
        parts = {data: self._samples(data, start, end) for data in self._selected(matchers, start, end)}
        parts = {data: samples for data, samples in parts.items() if samples}
        self.happen()
        rows = sorted(parts, key=series_id)
        return rows, concat([_packed(data, parts[data]) for data in rows])

    def rollups(self, matchers, start, end, width, wanted):
        self.happen()
        rows = []
        selected = self._selected(matchers, start, end + width - 1)
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

    def _selected(self, matchers, start, end):
        named = [(matcher.name.encode(), matcher) for matcher in matchers]
        found = {
            data
            for period, data in self.indexed
            if index_period(start, _lane(data)) <= period <= end and fulfils(data, named)
        }
        self.happen()
        return sorted(found)

    def _samples(self, data, start, end):
        sealed = self.sealed[Resolution.MIN1][_lane(data)]
        headed = sealed - SEALED_HEAD_MINUTES * MINUTE_MS
        found = {time: value for time, value in self.raw[data].items() if time < sealed}
        found |= {time: value for time, value in self.head[data].items() if time >= headed}
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
