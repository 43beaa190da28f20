"""The store as data source of an evaluation: samples and rollups of selectors, looked up once."""

from collections.abc import Sequence
from typing import NamedTuple

from schemas.tables import OF_WIDTH, Resolution
from streamgauge.promql.data.faults import InvalidQuery, QueryFault
from streamgauge.promql.data.query import Level
from streamgauge.rollup.rollups import Rollups
from streamgauge.series.id_kernels import rows_of
from streamgauge.series.matchers import Matcher
from streamgauge.series.samples import Samples
from streamgauge.store.blocks.rollups import NoDigests
from streamgauge.store.index.kept_selections import Selection
from streamgauge.store.reader import Reader
from streamgauge.store.reading import ReadContext

_WITHOUT_DIGESTS = "a percentile over rollups of series whose storage class keeps no digests"


class Look(NamedTuple):
    """One read of a selector: times in ms, and amounts."""

    matchers: Sequence[Matcher]
    resolution: Resolution
    start: int
    end: int
    series: int
    samples: int
    blocks: int
    bytes: int
    lanes: Sequence[int]


class Looks:
    """The looks of one query, in their order."""

    def __init__(self, reading: ReadContext) -> None:
        self._reading = reading
        self.all: list[Look] = []

    def begin(self) -> tuple[int, int, int]:
        """Before something is read."""
        self._reading.lanes = set()
        return self._counts()

    def end(
        self,
        begun: tuple[int, int, int],
        matchers: Sequence[Matcher],
        resolution: Resolution,
        times: tuple[int, int],
        series: int,
    ) -> None:
        """After it. :param begun: what `begin` gave. :param times: that were asked for, ms."""
        samples, blocks, size = (now - then for now, then in zip(self._counts(), begun, strict=True))
        lanes = sorted(self._reading.lanes)
        self.all.append(Look(matchers, resolution, *times, series, samples, blocks, size, lanes))

    def _counts(self) -> tuple[int, int, int]:
        return self._reading.samples, self._reading.blocks, self._reading.bytes


class KnownSelections:
    """A reader that looks each selection up once, until it is to forget. For one query."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._known: dict[tuple[tuple[Matcher, ...], int, int], Selection] = {}

    def forget(self) -> None:
        """Forget selections, so that they are looked up again."""
        self._known.clear()

    def levels(self) -> Sequence[Level]:
        """Those of the reader."""
        return self._reader.levels()

    def raw(self, selection: Selection, start_ms: int, end_ms: int, reading: ReadContext) -> Samples:
        """What the reader reads."""
        return self._reader.raw(selection, start_ms, end_ms, reading)

    def rollups(
        self,
        selection: Selection,
        resolution: Resolution,
        start_ms: int,
        end_ms: int,
        wanted: Sequence[str],
        reading: ReadContext,
    ) -> Rollups:
        """What the reader reads."""
        return self._reader.rollups(selection, resolution, start_ms, end_ms, wanted, reading)

    def select(
        self, matchers: Sequence[Matcher], start_ms: int, end_ms: int, reading: ReadContext
    ) -> Selection:
        """What the reader selects."""
        key = tuple(matchers), start_ms, end_ms
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._reader.select(matchers, start_ms, end_ms, reading)
        return found


class ReaderSource:
    """Samples and rollups of selectors from the store; records the reads, for explanations."""

    def __init__(self, reader: Reader | KnownSelections, reading: ReadContext) -> None:
        self._reader = reader
        self._reading = reading
        self.looks = Looks(reading)

    def fetch(
        self, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> tuple[Sequence[bytes], Samples]:
        """What `streamgauge.promql.data.query.Source` asks for.

        :raises DeadlinePassed, TooManySeries, TooManySamples: by the reading's limits.
        """
        begun = self.looks.begin()
        selection = self._reader.select(matchers, start_ms, end_ms, self._reading)
        samples = self._reader.raw(selection, start_ms, end_ms, self._reading)
        self.looks.end(begun, matchers, Resolution.RAW, (start_ms, end_ms), len(samples.ids))
        return [selection.labels[row] for row in rows_of(selection.ids, samples.ids).tolist()], samples

    @property
    def levels(self) -> Sequence[Level]:
        """What `streamgauge.promql.data.query.RollupSource` asks for."""
        return self._reader.levels()

    def rollups(
        self, matchers: Sequence[Matcher], start_ms: int, end_ms: int, width: int, wanted: Sequence[str]
    ) -> tuple[Sequence[bytes], Rollups]:
        """What `streamgauge.promql.data.query.RollupSource` asks for.

        :raises DeadlinePassed, TooManySeries, TooManySamples: by the reading's limits.
        :raises InvalidQuery: for percentiles of series that have none.
        """
        begun = self.looks.begin()
        # the last window goes on, perhaps into another period of the index
        selection = self._reader.select(matchers, start_ms, end_ms + width - 1, self._reading)
        resolution = OF_WIDTH[width]
        try:
            found = self._reader.rollups(selection, resolution, start_ms, end_ms, wanted, self._reading)
        except NoDigests:
            raise InvalidQuery(QueryFault.NOT_SUPPORTED, _WITHOUT_DIGESTS) from None
        self.looks.end(begun, matchers, resolution, (start_ms, end_ms), len(found.ids))
        return [selection.labels[row] for row in rows_of(selection.ids, found.ids).tolist()], found
