"""Cache of sealed rows in their stored form."""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from cassandra.cluster import Session

from streamgauge.lru_cache import ENTRY_BYTES, LruCache
from streamgauge.store.reading import ReadContext, fetch

MAX_BYTES = 256 * 1024 * 1024
BYTES_A_ROW = 300
MAX_AGE_S = 86_400
"""Far below the retention of versions: an entry must not outlive the version that outdates it."""

Request = tuple[int, ...]
"""Lane, period, metric group, slice, first and last window (starts in ms, both included)."""
Key = tuple[Any, ...]


class _Kept(NamedTuple):
    version: int
    first: int
    last: int
    rows: tuple[Any, ...]
    size: int
    since: float


class BlockCache:
    """Keeps, for each statement, lane, period, metric group and slice, the rows of one stretch of windows.

    What is kept holds as long as its version. A stretch without a row is not kept: it would cost a place, and spare
    the cheapest request. The least recently used is dropped where all together pass `max_bytes`.

    hits, misses: requests that were answered without reading anything, and those that were not.
    """

    def __init__(self, session: Session, max_bytes: int = MAX_BYTES) -> None:
        self._session = session
        self._lock = threading.Lock()
        self._kept: LruCache[Key, _Kept] = LruCache(max_bytes)
        self.hits = 0
        self.misses = 0

    @property
    def size(self) -> int:
        """Bytes in memory."""
        return self._kept.size

    def fetch(
        self,
        name: object,
        statement: Any,
        requests: Sequence[Request],
        versions: Mapping[tuple[int, int], int],
        reading: ReadContext,
    ) -> Iterator[tuple[Request, Any]]:
        """Each request with each of its rows, whose first column is the window's start.

        :param name: of the statement. :param versions: by period and lane, read before this is called.
        :raises DeadlinePassed: at the reading's deadline. Whatever `hold` raises.
        """
        found: dict[Request, list[_Kept]] = {}
        missing: dict[Request, Request] = {}
        for request in requests:
            lane, period, group, piece, first, last = request
            version = versions.get((period, lane), 0)
            kept = self._get((name, *request[:4]), version)
            found[request] = [kept] if kept else []
            for begin, end in _missing(kept, first, last):
                missing[lane, period, group, piece, begin, end] = request
        with self._lock:
            read = len(set(missing.values()))
            self.hits += len(found) - read
            self.misses += read
        parts: dict[Request, list[Any]] = {part: [] for part in missing}
        held = 0
        for part, row in fetch(self._session, statement, list(missing), reading):
            parts[part].append(row)
            # a row has all series of its slice, however few are wanted
            held += BYTES_A_ROW + sum(len(blob) for blob in row if isinstance(blob, bytes))
            reading.hold(held)
        for part, rows in parts.items():
            lane, period, *_, first, last = part
            size = sum(
                BYTES_A_ROW + sum(len(blob) for blob in row if isinstance(blob, bytes)) for row in rows
            )
            version = versions.get((period, lane), 0)
            found[missing[part]].append(_Kept(version, first, last, tuple(rows), size, time.monotonic()))
        for request, pieces in found.items():
            whole = _joined(pieces)
            if whole.rows and (len(pieces) > 1 or request in parts):
                self._kept.put((name, *request[:4]), whole, ENTRY_BYTES + whole.size)
            first, last = request[4:]
            for row in whole.rows:
                if first <= row[0] <= last:
                    yield request, row

    def _get(self, key: Key, version: int) -> _Kept | None:
        kept = self._kept.get(key)
        is_right = kept is not None and kept.version == version and time.monotonic() - kept.since <= MAX_AGE_S
        return kept if is_right else None


def _missing(kept: _Kept | None, first: int, last: int) -> list[tuple[int, int]]:
    """The stretches to be read so that with what is kept they are one without a gap."""
    if kept is None:
        return [(first, last)]
    before = [(first, kept.first - 1)] if first < kept.first else []
    after = [(kept.last + 1, last)] if last > kept.last else []
    return before + after


def _joined(pieces: list[_Kept]) -> _Kept:
    pieces = sorted(pieces, key=lambda piece: piece.first)
    rows = tuple(row for piece in pieces for row in piece.rows)
    size = sum(piece.size for piece in pieces)
    since = min(piece.since for piece in pieces)
    return _Kept(pieces[0].version, pieces[0].first, pieces[-1].last, rows, size, since)
