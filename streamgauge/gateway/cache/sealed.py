"""Whether the input of a part is final: sealed in every lane, and retained for as long as the part.

A part is final if everything it reads is in blocks of the resolution that it reads. Blocks change by late data, by
rollups that follow it, and by nothing else; each change raises a generation afterwards. Blocks also expire: what
expires while a part is kept would still be seen in it.

Which series are looked for in blocks follows from the index, which another job writes. It knows all that blocks hold
once it is sealed as far as they are; what it learns later of a sealed minute raises a generation too.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import xxhash

from schemas.tables import INDEX_RETENTION_MS, OF_WIDTH, Resolution, StorageClass
from schemas.units import MINUTE_MS
from streamgauge import build
from streamgauge.config import Config
from streamgauge.gateway.cache.values import VERSION
from streamgauge.promql.data.query import SAMPLES
from streamgauge.promql.engine.selection import Read
from streamgauge.store.changes import Change, packed
from streamgauge.store.reader import SEALED_HEAD_MINUTES, Reader
from streamgauge.store.reading import ReadContext

MARGIN_MS = 60_000
"""Tolerance of expiry times."""


def resolution_of(read: Read) -> Resolution:
    """Whose blocks are read."""
    return Resolution.RAW if read.width == SAMPLES else OF_WIDTH[read.width]


def is_sealed(read: Read, progress: Mapping[Resolution, Mapping[int, int]], lanes: int) -> bool:
    """Whether the blocks of every lane contain all input.

    :param progress: where each lane is sealed up to (ms), by resolution; that of samples is that of minutes.
    """
    sealed = progress[sealed_with(resolution_of(read))]
    to = min(sealed.get(lane, 0) for lane in range(lanes))
    if read.width == SAMPLES:
        # the last minutes are read from the head too, which holds what is late before any block does
        return read.end < to - SEALED_HEAD_MINUTES * MINUTE_MS
    return read.end - read.end % read.width + read.width <= to


def is_indexed(indexed: Mapping[int, int], minutes: Mapping[int, int], lanes: int) -> bool:
    """Whether the index of every lane is sealed as far as its minutes are.

    :param indexed: where the index is sealed up to (ms), by lane. :param minutes: where minutes are.
    """
    return all(lane in indexed and indexed[lane] >= minutes.get(lane, 0) for lane in range(lanes))


def sealed_with(resolution: Resolution) -> Resolution:
    """The resolution whose progress tells up to when blocks are complete."""
    return Resolution.MIN1 if resolution is Resolution.RAW else resolution


def is_kept(read: Read, classes: Sequence[StorageClass], now: int, for_ms: int) -> bool:
    """Whether no input expires within this time (ms) from `now`."""
    until = now + for_ms + MARGIN_MS
    if read.start + INDEX_RETENTION_MS < until:
        return False
    resolution = resolution_of(read)
    for each in classes:
        kept_ms = each.retention_ms[resolution]
        # a replay may keep samples longer than their class does
        gone = resolution is not Resolution.RAW and read.end + kept_ms < now - MARGIN_MS
        if not gone and read.start + kept_ms < until:
            return False
    return True


def periods_of(reads: Iterable[Read]) -> dict[Resolution, set[int]]:
    """The periods (starts in ms) whose changes affect the input."""
    found: dict[Resolution, set[int]] = {}
    for read in reads:
        level = resolution_of(read).value
        first = level.period(read.start - read.start % level.width_ms)
        found.setdefault(resolution_of(read), set()).update(range(first, read.end + 1, level.period_ms))
    return found


def generation(reads: Iterable[Read], changes: Mapping[Resolution, Sequence[Change]]) -> bytes:
    """Digest (16 bytes) of all changes that affect the input; each change gives another one."""
    hashed = xxhash.xxh3_128()
    for number, read in enumerate(reads):
        level = resolution_of(read).value
        first = level.mark(read.start - read.start % level.width_ms)
        own = [each for each in changes[resolution_of(read)] if first <= each.mark <= read.end]
        if own:
            hashed.update(np.array([number, len(own)], np.int64).tobytes() + packed(own))
    return hashed.digest()


class ReaderState:
    """`asked.State` of a reader."""

    def __init__(self, reader: Reader) -> None:
        self._blocks = reader.blocks

    def progress(
        self, resolutions: Sequence[Resolution], reading: ReadContext
    ) -> Mapping[Resolution, Mapping[int, int]]:
        """Where each lane is sealed up to (ms), by resolution."""
        return {each: self._blocks.progress(each, reading) for each in resolutions}

    def index_progress(self, reading: ReadContext) -> Mapping[int, int]:
        """Where the index of each lane is sealed up to (ms)."""
        return self._blocks.index_progress(reading)

    def changes(
        self, periods: Mapping[Resolution, set[int]], reading: ReadContext
    ) -> Mapping[Resolution, Sequence[Change]]:
        """Return the changes in these periods."""
        return {each: self._blocks.changes.read(each, own, reading) for each, own in periods.items()}


def scope(config: Config, store: str) -> str:
    """Return the part of every key that separates stores, layouts, retentions and builds of the gateway.

    :param store: its identity (`schema.identity`).
    """
    classes = [
        (each.name, sorted((level.name, ms) for level, ms in each.retention_ms.items()), each.digests)
        for each in config.storage_classes
    ]
    return repr((VERSION, build.identity(), store, config.layout.model_dump(), classes))
