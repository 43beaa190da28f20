"""Evaluating PromQL over the store, within the limits of a reading."""

import time
from collections.abc import Sequence
from math import inf

from schemas.tables import ROLLED
from streamgauge.gateway.faults import ErrorType, InvalidRequest, invalid_parameter
from streamgauge.promql import durations
from streamgauge.promql.ast import Expr
from streamgauge.promql.engine import Result, evaluate
from streamgauge.promql.faults import InvalidQuery, QueryFault
from streamgauge.promql.invalid_expression import InvalidExpression
from streamgauge.promql.levels import Level
from streamgauge.promql.parser import parse
from streamgauge.promql.query import Limits, Query
from streamgauge.rollup.rollups import Rollups
from streamgauge.series.id_kernels import rows_of
from streamgauge.series.matchers import Matcher
from streamgauge.series.samples import Samples
from streamgauge.store.reader import Reader, Reading
from streamgauge.store.rollups import NoDigests

_MAX_BYTES = 1 << 30
_ERRORS = {
    QueryFault.TIMEOUT: ErrorType.TIMEOUT,
    QueryFault.TOO_MANY_SERIES: ErrorType.COST_LIMIT,
    QueryFault.TOO_MUCH_MEMORY: ErrorType.COST_LIMIT,
    QueryFault.TOO_MANY_STEPS: ErrorType.BAD_DATA,
}


_WITHOUT_DIGESTS = "a percentile over rollups of series whose storage class keeps no digests"


class ReaderSource:
    """The samples and rollups of selectors from the store."""

    def __init__(self, reader: Reader, reading: Reading) -> None:
        self._reader = reader
        self._reading = reading

    def fetch(
        self, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> tuple[Sequence[bytes], Samples]:
        """What `streamgauge.promql.query.Source` asks for.

        :raises DeadlinePassed, TooManySeries, TooManySamples: by the reading's limits.
        """
        selection = self._reader.select(matchers, start_ms, end_ms, self._reading)
        samples = self._reader.raw(selection, start_ms, end_ms, self._reading)
        return [selection.labels[row] for row in rows_of(selection.ids, samples.ids).tolist()], samples

    @property
    def levels(self) -> Sequence[Level]:
        """What `streamgauge.promql.query.RollupSource` asks for."""
        return self._reader.levels()

    def rollups(
        self, matchers: Sequence[Matcher], start_ms: int, end_ms: int, width: int, wanted: Sequence[str]
    ) -> tuple[Sequence[bytes], Rollups]:
        """What `streamgauge.promql.query.RollupSource` asks for.

        :raises DeadlinePassed, TooManySeries, TooManySamples: by the reading's limits.
        :raises InvalidQuery: for percentiles of series that have none.
        """
        selection = self._reader.select(matchers, start_ms, end_ms, self._reading)
        resolution = next(level for level in ROLLED if level.value.width_ms == width)
        try:
            found = self._reader.rollups(selection, resolution, start_ms, end_ms, wanted, self._reading)
        except NoDigests:
            raise InvalidQuery(QueryFault.NOT_SUPPORTED, _WITHOUT_DIGESTS) from None
        return [selection.labels[row] for row in rows_of(selection.ids, found.ids).tolist()], found


def expression(text: str, parameter: str) -> Expr:
    """Parse a parameter.

    :raises InvalidRequest: if it is not PromQL.
    """
    try:
        return parse(text)
    except InvalidExpression as error:
        raise invalid_parameter(parameter, str(error)) from None


def evaluated(text: str, parsed: Expr, query: Query, reader: Reader, reading: Reading) -> Result:
    """The result of a query.

    :raises InvalidRequest: with the reason, if it has none.
    """
    span = query.end - query.start
    limits = Limits(
        max_samples=reading.max_samples,
        max_series=reading.max_series,
        max_bytes=_MAX_BYTES,
        expired=lambda: reading.deadline < inf and time.monotonic() > reading.deadline,
    )
    try:
        resolved = durations.resolve(parsed, query.step if span else 0, span, text)
        return evaluate(resolved, query, ReaderSource(reader, reading), limits, text)
    except InvalidExpression as error:
        raise invalid_parameter("query", str(error)) from None
    except InvalidQuery as error:
        raise InvalidRequest(_ERRORS.get(error.reason, ErrorType.EXECUTION), str(error)) from None
