"""The store, for rules with ranges longer than the samples kept in memory."""

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from cassandra import DriverException, OperationTimedOut, RequestExecutionException
from cassandra.cluster import NoHostAvailable, Session

from streamgauge.config import Config
from streamgauge.promql.data.faults import InvalidQuery, QueryFault
from streamgauge.promql.data.query import Level
from streamgauge.rollup.rollups import Rollups
from streamgauge.series.matchers import Matcher
from streamgauge.series.samples import Samples
from streamgauge.store.reader import Reader
from streamgauge.store.reading import DeadlinePassed, ReadContext, TooMuch
from streamgauge.store.session import connect
from streamgauge.store.source import ReaderSource

READ_S = 10.0
"""Timeout of one selector."""

Answer = TypeVar("Answer")


class StoredSamples:
    """A source that connects when it is first asked, and whose failures are errors of the rule that asks."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._session: Session | None = None
        self._reader: Reader | None = None

    def fetch(
        self, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> tuple[Sequence[bytes], Samples]:
        """What `streamgauge.promql.data.query.Source` asks for.

        :raises InvalidQuery: if the store does not give it.
        """
        return self._asked(lambda source: source.fetch(matchers, start_ms, end_ms))

    @property
    def levels(self) -> Sequence[Level]:
        """What `streamgauge.promql.data.query.RollupSource` asks for."""
        return self._asked(lambda source: source.levels)

    def rollups(
        self, matchers: Sequence[Matcher], start_ms: int, end_ms: int, width: int, wanted: Sequence[str]
    ) -> tuple[Sequence[bytes], Rollups]:
        """What `streamgauge.promql.data.query.RollupSource` asks for.

        :raises InvalidQuery: if the store does not give it.
        """
        return self._asked(lambda source: source.rollups(matchers, start_ms, end_ms, width, wanted))

    def close(self) -> None:
        """Leave the store."""
        if self._session is not None:
            self._session.cluster.shutdown()

    def _asked(self, ask: Callable[[ReaderSource], Answer]) -> Answer:
        try:
            if self._reader is None:
                self._session = connect(self._config.cassandra)
                self._reader = Reader(self._session, self._config.shards, self._config.storage_classes)
            return ask(ReaderSource(self._reader, ReadContext(deadline=time.monotonic() + READ_S)))
        except DeadlinePassed:
            raise InvalidQuery(QueryFault.TIMEOUT, f"the store takes longer than {READ_S:.0f} s") from None
        except TooMuch as fault:
            raise InvalidQuery(QueryFault.TOO_MANY_SAMPLES, str(fault)) from None
        except (NoHostAvailable, OperationTimedOut, RequestExecutionException, DriverException) as fault:
            raise InvalidQuery(QueryFault.NOT_SUPPORTED, f"the store does not answer: {fault}") from None
