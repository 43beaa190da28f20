"""What was selected before, for as long as the index stays as it was."""

import threading
import time
from collections import OrderedDict
from typing import NamedTuple

from streamgauge.series.ids import Ids
from streamgauge.store.block_cache import MAX_AGE_S

MOST_SERIES = 1_000_000
Key = tuple[object, ...]


class Selection(NamedTuple):
    """Series by id. ids: (n, 2) uint64, sorted, distinct. labels: the canonical bytes of each."""

    ids: Ids
    labels: list[bytes]


class _Kept(NamedTuple):
    version: bytes
    since: float
    checked: float
    selection: Selection


class KeptSelections:
    """Selections, each with the version of the index it was made of; the least recently used is dropped first.

    :param fresh_s: so long after a look at its version a selection counts without another one, where that is asked for.
    :param most_series: of all together.
    """

    def __init__(self, fresh_s: float = 0.0, most_series: int = MOST_SERIES) -> None:
        self._fresh_s = fresh_s
        self._most_series = most_series
        self._lock = threading.Lock()
        self._kept: OrderedDict[Key, _Kept] = OrderedDict()
        self._series = 0

    def recent(self, key: Key) -> Selection | None:
        """What was right a moment ago."""
        with self._lock:
            kept = self._kept.get(key)
            is_fresh = kept is not None and time.monotonic() - kept.checked < self._fresh_s
            return kept.selection if kept is not None and is_fresh else None

    def get(self, key: Key, version: bytes, read_at: float) -> Selection | None:
        """What is right with this version of the index, which was read at a time of `time.monotonic`."""
        with self._lock:
            kept = self._kept.get(key)
            if kept is None or kept.version != version or read_at - kept.since > MAX_AGE_S:
                return None
            self._kept[key] = kept._replace(checked=max(kept.checked, read_at))
            self._kept.move_to_end(key)
            return kept.selection

    def put(self, key: Key, version: bytes, read_at: float, selection: Selection) -> None:
        """Keep what was made of the index after this version of it was read."""
        with self._lock:
            before = self._kept.pop(key, None)
            self._series += _size(selection) - (_size(before.selection) if before else 0)
            self._kept[key] = _Kept(version, read_at, read_at, selection)
            while self._series > self._most_series:
                _, dropped = self._kept.popitem(last=False)
                self._series -= _size(dropped.selection)


def _size(selection: Selection) -> int:
    """A selection without series has its place too."""
    return len(selection.labels) + 1
