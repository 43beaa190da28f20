"""Which buckets of a lane are built when: what `RollUp` decides, without Flink.

On time, a bucket is built when the stream's time passes its end. Later it is marked when what it is built from has
changed, and built again when nothing inside it was marked for a while, or when it has waited long enough; each time
that it was, it may wait longer, so that a client which catches up on hours does not make it be built with every batch.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from schemas.tables import ABOVE, ROLLED, Resolution
from streamgauge.rollup.marks import Mark

GROWTH = 3
"""How much longer a bucket waits each time that it was built again."""
LONGEST_QUIET = 9
LONGEST_WAIT = 120
"""The limits of that growth, in quiet times: for a pause between marks, and for all of the waiting."""
AT_A_TIME = 16
"""So many buckets of a lane are built again before other lanes, seals and checkpoints have their turn."""

Bucket = tuple[Resolution, int]


@dataclass(slots=True)
class _Waiting:
    mark: Mark
    first: int
    last: int


@dataclass(slots=True)
class _Rebuilt:
    times: int
    last: int


class LaneLevels:
    """One lane. Times are ms; `progress` is up to where each level is built, `now` the clock.

    :param quiet_ms: without another mark for so long, a bucket is built again.
    """

    def __init__(self, progress: dict[Resolution, int], quiet_ms: int) -> None:
        self._progress = progress
        self._quiet_ms = quiet_ms
        self._waiting: dict[Bucket, _Waiting] = {}
        self._rebuilt: dict[Bucket, _Rebuilt] = {}

    def begin(self, minute: int) -> Iterator[Bucket]:
        """The first minute of a lane: where each level that has no progress yet begins."""
        for level in ROLLED:
            if level not in self._progress:
                self._progress[level] = _start(level, minute)
                yield level, self._progress[level]

    def is_closed(self, level: Resolution, window_start: int) -> bool:
        """Whether the bucket has been built on time."""
        return window_start + level.value.width_ms <= self._progress.get(level, 0)

    def seal(self, to: int) -> bool:
        """Every minute that ends at or before `to` is closed; whether that is new."""
        new = to > self._progress.get(Resolution.MIN1, 0)
        if new:
            self._progress[Resolution.MIN1] = to
        return new

    def closing(self, to: int) -> Iterator[Bucket]:
        """The coarser buckets that end at or before `to` and are not built, finest first; each is closed then."""
        for level in ROLLED[1:]:
            while self._progress.get(level, to) + level.value.width_ms <= to:
                start = self._progress[level]
                yield level, start
                self._progress[level] = start + level.value.width_ms

    def waits(self, mark: Mark) -> bool:
        """Whether the bucket of a mark waits already."""
        return (mark.level, mark.window_start) in self._waiting

    def mark(self, mark: Mark, now: int) -> Mark | None:
        """Let a bucket wait to be built again; the mark that it then has, if that says more than was known."""
        for around in self._around((mark.level, mark.window_start)):
            around.last = now
        return self._join(mark, now, now)

    def load(self, mark: Mark, now: int) -> None:
        """Let a bucket wait as the store says; one that waits already does not wait any longer for it."""
        if self._join(mark, now, now):
            self.mark(mark, now)

    def mark_above(self, mark: Mark, now: int) -> Mark | None:
        """The mark that follows from a change for the level above, if that is more than was known.

        An open bucket needs none, for it is built later. What waits below has waited for the level above too.
        """
        level = ABOVE.get(mark.level)
        if level is None or not self.is_closed(level, _start(level, mark.window_start)):
            return None
        below = self._waiting.get((mark.level, mark.window_start))
        above = Mark(level, _start(level, mark.window_start), mark.complete, mark.origin)
        return self._join(above, now, below.last if below else now)

    def _join(self, mark: Mark, first: int, last: int) -> Mark | None:
        place = mark.level, mark.window_start
        known = self._waiting.get(place)
        if known is None:
            self._waiting[place] = _Waiting(mark, first, last)
            return mark
        joined = Mark(*place, known.mark.complete or mark.complete, mark.origin or known.mark.origin)
        if joined == known.mark:
            return None
        known.mark = joined
        return joined

    def due(self, now: int) -> list[Mark]:
        """The marks whose time has come, finest level first, but no more than are built at a time."""
        found = [each.mark for each in self._waiting.values() if self._when(each) <= now]
        return _in_order(found)[:AT_A_TIME]

    def inside(self, level: Resolution, window_start: int) -> list[Mark]:
        """The marks of finer levels inside a bucket, finest first."""
        end = window_start + level.value.width_ms
        return _in_order(
            [
                each.mark
                for each in self._waiting.values()
                if each.mark.level.value.width_ms < level.value.width_ms
                and window_start <= each.mark.window_start < end
            ]
        )

    def next_due(self) -> int | None:
        """When the next mark's time comes, if nothing else happens."""
        return min(map(self._when, self._waiting.values()), default=None)

    def done(self, mark: Mark, now: int) -> None:
        """The bucket was built again, as of this mark."""
        place = mark.level, mark.window_start
        self._waiting.pop(place, None)
        rebuilt = self._rebuilt.setdefault(place, _Rebuilt(0, now))
        rebuilt.times, rebuilt.last = rebuilt.times + 1, now
        forgotten = now - 2 * LONGEST_WAIT * self._quiet_ms
        for old in [at for at, each in self._rebuilt.items() if each.last < forgotten]:
            del self._rebuilt[old]

    def _around(self, place: Bucket) -> Iterator[_Waiting]:
        """What waits for this bucket and for those that hold it."""
        finest, start = place
        for level in ROLLED[ROLLED.index(finest) :]:
            if waiting := self._waiting.get((level, _start(level, start))):
                yield waiting

    def _when(self, waiting: _Waiting) -> int:
        rebuilt = self._rebuilt.get((waiting.mark.level, waiting.mark.window_start))
        longer = GROWTH ** min(rebuilt.times, 8) if rebuilt else 1
        quiet = min(longer, LONGEST_QUIET) * self._quiet_ms
        wait = min(longer * GROWTH, LONGEST_WAIT) * self._quiet_ms
        return min(waiting.last + quiet, waiting.first + wait)


def _start(level: Resolution, timestamp: int) -> int:
    return timestamp - timestamp % level.value.width_ms


def _in_order(marks: list[Mark]) -> list[Mark]:
    return sorted(marks, key=lambda mark: (ROLLED.index(mark.level), mark.window_start))
