"""State of the store's blocks for the result cache, and the identity of a store."""

from collections.abc import Mapping, Sequence

from schemas.tables import Resolution
from streamgauge import build
from streamgauge.config import Config
from streamgauge.gateway.cache.values import VERSION
from streamgauge.store.changes import Change
from streamgauge.store.reader import Reader
from streamgauge.store.reading import Reading


class ReaderState:
    """`asked.State` of a reader."""

    def __init__(self, reader: Reader) -> None:
        self._blocks = reader.blocks

    def progress(
        self, resolutions: Sequence[Resolution], reading: Reading
    ) -> Mapping[Resolution, Mapping[int, int]]:
        """Where each lane is sealed up to (ms), by resolution."""
        return {each: self._blocks.progress(each, reading) for each in resolutions}

    def index_progress(self, reading: Reading) -> Mapping[int, int]:
        """Where the index of each lane is sealed up to (ms)."""
        return self._blocks.index_progress(reading)

    def changes(
        self, periods: Mapping[Resolution, set[int]], reading: Reading
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
