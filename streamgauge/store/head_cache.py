"""The head of each lane: batches of minutes that are not sealed, decoded once and kept."""

import threading
import time
from collections import OrderedDict, defaultdict
from collections.abc import Iterable

from cassandra.cluster import Session

from schemas.batches.batch import InvalidBatch, decode
from streamgauge.series.samples import Samples, concat
from streamgauge.store.reading import Damage, DeadlinePassed, ReadContext, fetch

MAX_BYTES = 256 * 1024 * 1024
FRESH_S = 0.03
WHOLE_S = 1.0
"""Interval between listings of all keys of a minute; in between only newer keys are listed."""
IN_DISORDER = 256
"""Messages of a partition that are written at the same time by far, and so become visible in any order."""
PAYLOADS_A_REQUEST = 20
BYTES_A_KEY = 200
BYTES_A_MINUTE = 1000
"""Memory of a minute without batches; many requested ones are empty."""

LaneMinute = tuple[int, int]
"""A lane and the start (ms) of a UTC minute."""


class HeadMinute:
    """The batches of one lane and minute: the keys seen, and their samples merged into few parts.

    newest: by partition, the newest offset seen. listed, listed_whole: when, on the clock of `time.monotonic`.
    """

    def __init__(self) -> None:
        self.keys: set[tuple[int, int]] = set()
        self.parts: list[Samples] = []
        self.damages: list[Damage] = []
        self.newest: dict[int, int] = {}
        self.listed = self.listed_whole = float("-inf")

    @property
    def size(self) -> int:
        """Bytes in memory."""
        return BYTES_A_MINUTE + len(self.keys) * BYTES_A_KEY + sum(_bytes(part) for part in self.parts)

    def see(self, partition: int, offset: int) -> None:
        """A batch is known, good or not."""
        self.keys.add((partition, offset))
        self.newest[partition] = max(offset, self.newest.get(partition, offset))

    def add(self, samples: Samples) -> None:
        """Put in a batch; parts double in size, so that each sample is merged a few times only."""
        self.parts.append(samples)
        while len(self.parts) > 1 and _bytes(self.parts[-2]) < 2 * _bytes(self.parts[-1]):
            self.parts[-2:] = [concat(self.parts[-2:])]


class HeadCache:
    """Follows the head: a minute's keys are listed, and only payloads not seen yet are fetched.

    Offsets become visible nearly in their order, so most often only those after the newest are listed; what comes
    out of all order is seen when a minute is listed as a whole. The least recently read minutes are dropped where all
    together pass `max_bytes`.
    """

    def __init__(self, session: Session, lanes: int, max_bytes: int = MAX_BYTES) -> None:
        self._session = session
        self._lanes = lanes
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._minutes: OrderedDict[LaneMinute, HeadMinute] = OrderedDict()
        self._size = 0
        self._oldest = 0
        self._list = session.prepare(
            'SELECT partition, "offset" FROM metrics_head WHERE lane = ? AND minute = ?'
        )
        self._list_newest = session.prepare(
            'SELECT partition, "offset" FROM metrics_head WHERE lane = ? AND minute = ? AND partition = ? '
            'AND "offset" > ?'
        )
        self._fetch = session.prepare(
            'SELECT "offset", payload FROM metrics_head WHERE lane = ? AND minute = ? AND partition = ? '
            'AND "offset" IN ?'
        )

    @property
    def size(self) -> int:
        """Bytes in memory."""
        return self._size

    def read(
        self, places: Iterable[LaneMinute], reading: ReadContext, oldest: int
    ) -> dict[LaneMinute, list[Samples]]:
        """Return the samples of these minutes as stored at most FRESH_S ago, or WHOLE_S for what came late.

        The parts of a minute may overlap. Damaged payloads are left out and noted in the reading.

        :param oldest: the start (ms) of the oldest minute worth keeping.
        :raises DeadlinePassed: at the reading's deadline.
        """
        asked = list(places)
        if not self._lock.acquire(timeout=reading.left_s()):
            raise DeadlinePassed
        try:
            self._drop_before(oldest)
            minutes = {place: self._kept(place) for place in asked}
            self._refresh(minutes, reading)
            for minute in minutes.values():
                reading.damages += minute.damages
            return {place: list(minute.parts) for place, minute in minutes.items()}
        finally:
            self._evict()
            self._lock.release()

    def _kept(self, place: LaneMinute) -> HeadMinute:
        minute = self._minutes.get(place)
        if minute is None:
            minute = self._minutes[place] = HeadMinute()
            self._size += minute.size
        self._minutes.move_to_end(place)
        return minute

    def _refresh(self, minutes: dict[LaneMinute, HeadMinute], reading: ReadContext) -> None:
        now = time.monotonic()
        aged = {place: minute for place, minute in minutes.items() if now - minute.listed > FRESH_S}
        whole = [
            place for place, minute in aged.items() if not minute.keys or now - minute.listed_whole > WHOLE_S
        ]
        newest = [
            (*place, partition, offset - IN_DISORDER)
            for place in aged.keys() - set(whole)
            for partition, offset in aged[place].newest.items()
        ]
        missing: dict[tuple[int, int, int], list[int]] = defaultdict(list)
        for statement, listed in ((self._list, whole), (self._list_newest, newest)):
            for (lane, start, *_), (partition, offset) in fetch(self._session, statement, listed, reading):
                if (partition, offset) not in minutes[lane, start].keys:
                    missing[lane, start, partition].append(offset)
        requests = [
            (*place, offsets[at : at + PAYLOADS_A_REQUEST])
            for place, offsets in missing.items()
            for at in range(0, len(offsets), PAYLOADS_A_REQUEST)
        ]
        for (lane, start, partition, _), (offset, payload) in fetch(
            self._session, self._fetch, requests, reading
        ):
            self._add(minutes[lane, start], lane, start, partition, offset, payload)
        for minute in aged.values():
            minute.listed = now
        for place in whole:
            minutes[place].listed_whole = now

    def _add(
        self, minute: HeadMinute, lane: int, start: int, partition: int, offset: int, payload: bytes
    ) -> None:
        before = minute.size
        try:
            minute.add(decode(payload, lane, start, self._lanes).samples)
        except InvalidBatch as fault:
            row = f"metrics_head lane={lane} minute={start} partition={partition} offset={offset}"
            minute.damages.append(Damage(fault.reason.value, row))
        minute.see(partition, offset)
        self._size += minute.size - before

    def _drop_before(self, oldest: int) -> None:
        if oldest == self._oldest:
            return
        self._oldest = oldest
        for place in [place for place in self._minutes if place[1] < oldest]:
            self._size -= self._minutes.pop(place).size

    def _evict(self) -> None:
        while self._size > self._max_bytes and len(self._minutes) > 1:
            _, dropped = self._minutes.popitem(last=False)
            self._size -= dropped.size


def _bytes(samples: Samples) -> int:
    return sum(array.nbytes for array in samples)
