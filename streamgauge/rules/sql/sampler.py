"""Picks from batches the samples that selectors ask for."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from schemas.batches.batch import Batch, decode, labels_by_id
from streamgauge.rules.stream.compile.selectors import Selector, SelectorIndex
from streamgauge.series.ids import split, to_bytes
from streamgauge.series.labels import parse
from streamgauge.series.matchers import Matcher
from streamgauge.series.samples import STALE_BITS

MAX_IGNORED = 1_000_000
"""Of series that no selector asks for; above it they are forgotten, and looked at again when they come."""


class Sample(NamedTuple):
    """A sample for a selector, which is given by its number. time: in ms."""

    selector: int
    time: int
    labels: dict[str, str]
    value: float


class _Series(NamedTuple):
    selectors: tuple[int, ...]
    labels: dict[str, str]


class Sampler:
    """Knows the series that it has seen: labels are decoded only for others.

    :param lanes: of the layout.
    """

    def __init__(self, selectors: Sequence[tuple[Matcher, ...]], lanes: int) -> None:
        self._lanes = lanes
        found = [Selector(matchers, 0) for matchers in selectors]
        self._numbers = {id(selector): number for number, selector in enumerate(found)}
        self._index = SelectorIndex(found)
        self._wanted: dict[bytes, _Series] = {}
        self._ignored: set[bytes] = set()

    def samples(self, payload: bytes, lane: int, minute: int) -> Iterator[Sample]:
        """The samples of a batch that claims this lane and UTC minute (ms); no stale markers.

        :raises InvalidBatch: for what is none.
        """
        batch = decode(payload, lane, minute, self._lanes)
        ids = split(to_bytes(batch.samples.ids))
        unknown = set(ids) - self._ignored - self._wanted.keys()
        if unknown:
            self._learn(decode(payload, lane, minute, self._lanes, labels=True), unknown)
        return self._picked(batch, ids)

    def _picked(self, batch: Batch, ids: Sequence[bytes]) -> Iterator[Sample]:
        samples = batch.samples
        for row, identity in enumerate(ids):
            series = self._wanted.get(identity)
            if series is None:
                continue
            own = slice(samples.offsets[row], samples.offsets[row + 1])
            for time, value, bits in zip(
                samples.timestamps[own].tolist(),
                samples.values[own].tolist(),
                samples.values[own].view("u8").tolist(),
                strict=True,
            ):
                if bits != STALE_BITS:
                    for selector in series.selectors:
                        yield Sample(selector, time, series.labels, value)

    def _learn(self, batch: Batch, unknown: set[bytes]) -> None:
        if len(self._ignored) > MAX_IGNORED:
            self._ignored.clear()
        for identity, data in labels_by_id(batch).items():
            if identity not in unknown:
                continue
            numbers = sorted(self._numbers[id(selector)] for selector in self._index.matching(data))
            if numbers:
                self._wanted[identity] = _Series(tuple(numbers), parse(data))
            else:
                self._ignored.add(identity)
