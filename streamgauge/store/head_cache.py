"""The head of each lane: batches of minutes that are not sealed, decoded once and kept."""

import threading
import time
from collections import OrderedDict, defaultdict
from collections.abc import Iterable

from cassandra.cluster import Session

from schemas.batch import InvalidBatch, decode
from streamgauge.series.samples import Samples, concat
from streamgauge.store.reading import Damage, DeadlinePassed, Reading, fetch

MAX_BYTES = 256 * 1024 * 1024
FRESH_S = 0.03
PAYLOADS_A_REQUEST = 20
BYTES_A_KEY = 200
BYTES_A_MINUTE = 1000
"""What a minute without any batch costs: many places that are asked for are empty."""

Place = tuple[int, int]
"""A lane and the start (ms) of a UTC minute."""


class HeadMinute:
    """The batches of one lane and minute: the keys seen, and their samples merged into few parts."""

    def __init__(self) -> None:
        self.keys: set[tuple[int, int]] = set()
        self.parts: list[Samples] = []
        self.damages: list[Damage] = []
        self.listed = float("-inf")

    @property
    def size(self) -> int:
        """Bytes in memory."""
        return BYTES_A_MINUTE + len(self.keys) * BYTES_A_KEY + sum(_bytes(part) for part in self.parts)

    def add(self, samples: Samples) -> None:
        """Put in a batch; parts double in size, so that each sample is merged a few times only."""
        self.parts.append(samples)
        while len(self.parts) > 1 and _bytes(self.parts[-2]) < 2 * _bytes(self.parts[-1]):
            self.parts[-2:] = [concat(self.parts[-2:])]


class HeadCache:
    """Follows the head: a minute's keys are listed, and only payloads not seen yet are fetched.

    Offsets may become visible in any order, so a last offset would not do. The least recently read minutes
    are dropped where all together pass `max_bytes`.
    """

    def __init__(self, session: Session, lanes: int, max_bytes: int = MAX_BYTES) -> None:
        self._session = session
        self._lanes = lanes
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._minutes: OrderedDict[Place, HeadMinute] = OrderedDict()
        self._size = 0
        self._oldest = 0
        self._list = session.prepare(
            'SELECT partition, "offset" FROM metrics_head WHERE lane = ? AND minute = ?'
        )
        self._fetch = session.prepare(
            'SELECT "offset", payload FROM metrics_head WHERE lane = ? AND minute = ? AND partition = ? '
            'AND "offset" IN ?'
        )

    @property
    def size(self) -> int:
        """Bytes in memory."""
        return self._size

    def read(self, places: Iterable[Place], reading: Reading, oldest: int) -> dict[Place, list[Samples]]:
        """The samples of these minutes, as stored when asked or at most FRESH_S before.

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

    def _kept(self, place: Place) -> HeadMinute:
        minute = self._minutes.get(place)
        if minute is None:
            minute = self._minutes[place] = HeadMinute()
            self._size += minute.size
        self._minutes.move_to_end(place)
        return minute

    def _refresh(self, minutes: dict[Place, HeadMinute], reading: Reading) -> None:
        now = time.monotonic()
        aged = [place for place, minute in minutes.items() if now - minute.listed > FRESH_S]
        missing: dict[tuple[int, int, int], list[int]] = defaultdict(list)
        for (lane, start), (partition, offset) in fetch(self._session, self._list, aged, reading):
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
        for place in aged:
            minutes[place].listed = now

    def _add(
        self, minute: HeadMinute, lane: int, start: int, partition: int, offset: int, payload: bytes
    ) -> None:
        before = minute.size
        try:
            minute.add(decode(payload, lane, start, self._lanes).samples)
        except InvalidBatch as fault:
            row = f"metrics_head lane={lane} minute={start} partition={partition} offset={offset}"
            minute.damages.append(Damage(fault.reason.value, row))
        minute.keys.add((partition, offset))
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
