"""Cache of selections, valid until the index changes."""

import time
from dataclasses import dataclass
from typing import Any, NamedTuple

from streamgauge.lru_cache import ENTRY_BYTES, LruCache, bytes_of
from streamgauge.series.ids import Ids
from streamgauge.store.blocks.block_cache import MAX_AGE_S

SERIES_BYTES = 64
"""Of a selected series, beside its labels: its id, and its place in the list."""
Key = tuple[object, ...]


class Selection(NamedTuple):
    """Series by id. ids: (n, 2) uint64, sorted, distinct. labels: the canonical bytes of each."""

    ids: Ids
    labels: list[bytes]


@dataclass(slots=True)
class _Kept:
    version: bytes
    since: float
    checked: float
    selection: Selection


class KeptSelections:
    """Selections, each with the version of the index it was made of.

    :param recent: where they are kept. :param fresh_s: so long after a look at its version a selection counts without
        another one, where that is asked for.
    """

    def __init__(self, recent: LruCache[Any, Any], fresh_s: float = 0.0) -> None:
        self._fresh_s = fresh_s
        self._recent = recent

    def recent(self, key: Key) -> Selection | None:
        """Return a selection that was valid a moment ago, or None."""
        kept: _Kept | None = self._recent.get(key) if self._fresh_s else None
        is_fresh = kept is not None and time.monotonic() - kept.checked < self._fresh_s
        return kept.selection if kept is not None and is_fresh else None

    def get(self, key: Key, version: bytes, read_at: float) -> Selection | None:
        """Return a selection valid for this version of the index, read at a time of `time.monotonic`."""
        kept: _Kept | None = self._recent.get(key)
        if kept is None or kept.version != version or read_at - kept.since > MAX_AGE_S:
            return None
        kept.checked = max(kept.checked, read_at)
        return kept.selection

    def put(self, key: Key, version: bytes, read_at: float, selection: Selection) -> None:
        """Store a selection made after this version of the index was read."""
        labels = sum(SERIES_BYTES + len(data) for data in selection.labels)
        size = ENTRY_BYTES + bytes_of(key) + labels
        self._recent.put(key, _Kept(version, read_at, read_at, selection), size)
