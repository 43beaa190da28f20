"""/api/v1/read: Prometheus remote read."""

from collections.abc import Iterator, Mapping

import numpy as np

from streamgauge.gateway.formats.bodies import PIECE_BYTES, Body
from streamgauge.gateway.formats.remote_read_messages import ReadQuery, response, time_series
from streamgauge.gateway.query.queries import kept
from streamgauge.gateway.request.principals import Principal
from streamgauge.promql.data.query import SAMPLES, choose
from streamgauge.series.id_kernels import rows_of
from streamgauge.series.labels import SEPARATOR
from streamgauge.series.matchers import Matcher, MatchOp
from streamgauge.series.samples import Samples, between
from streamgauge.store.reader import Reader
from streamgauge.store.reading import ReadContext
from streamgauge.store.source import ReaderSource


class RemoteRead:
    """Answers from a reader. external: labels for every series that lacks them."""

    def __init__(self, reader: Reader, external: Mapping[str, str]) -> None:
        self._reader = reader
        self._external = {name.encode(): value.encode() for name, value in external.items()}

    def answer(self, asked: list[ReadQuery], principal: Principal, reading: ReadContext) -> Body:
        """The body with the samples of every query, or the last one of each window of the rollup that is read for it.

        :raises DeadlinePassed, TooManySeries, TooManySamples: by the reading's limits.
        """
        source = ReaderSource(self._reader, reading)
        content = response((self._series(source, query, principal) for query in asked), reading.hold)
        return kept([content[at : at + PIECE_BYTES] for at in range(0, len(content), PIECE_BYTES)], reading)

    def _series(self, source: ReaderSource, query: ReadQuery, principal: Principal) -> Iterator[bytes]:
        matchers = [*(each for each in query.matchers if not self._is_external(each)), *principal.enforced]
        labels, samples = _fetched(source, matchers, query)
        for row, data in enumerate(labels):
            part = slice(samples.offsets[row], samples.offsets[row + 1])
            parts = data.split(SEPARATOR)
            own = self._external | dict(zip(parts[::2], parts[1::2], strict=True))
            yield time_series(sorted(own.items()), samples.timestamps[part], samples.values[part])

    def _is_external(self, matcher: Matcher) -> bool:
        """Whether it asks for a label that every series gets on its way out."""
        return (
            matcher.op is MatchOp.EQUAL
            and self._external.get(matcher.name.encode()) == matcher.value.encode()
        )


def _fetched(source: ReaderSource, matchers: list[Matcher], query: ReadQuery) -> tuple[list[bytes], Samples]:
    width = choose(source.levels, query.step, query.start, query.range)
    if width == SAMPLES:
        labels, samples = source.fetch(matchers, query.start, query.end)
        return list(labels), samples
    labels, rollups = source.rollups(
        matchers, query.start - width + 1, query.end, width, ("last", "last_time")
    )
    times = rollups.window_starts + rollups.columns["last_time"].astype(np.int64)
    last = Samples(rollups.ids, rollups.offsets, times, rollups.columns["last"].astype(np.float64))
    kept = between(last, query.start, query.end)
    return [labels[row] for row in rows_of(last.ids, kept.ids).tolist()], kept
