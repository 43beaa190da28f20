"""Evaluating PromQL over the store, within the limits of a reading."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import inf

from streamgauge.gateway.query.cost import Budget, Estimate, estimated
from streamgauge.gateway.request.faults import ErrorType, InvalidRequest, invalid_parameter
from streamgauge.promql.data.annotations import Annotations
from streamgauge.promql.data.faults import InvalidQuery, QueryFault
from streamgauge.promql.data.levels import Level
from streamgauge.promql.data.query import Limits, Query, RollupSource
from streamgauge.promql.engine.evaluation import Result, evaluate
from streamgauge.promql.engine.evaluator import Value
from streamgauge.promql.syntax import durations
from streamgauge.promql.syntax.ast import Expr
from streamgauge.promql.syntax.invalid_expression import InvalidExpression
from streamgauge.promql.syntax.parser import parse
from streamgauge.store.reader import Reader, Reading
from streamgauge.store.source import KnownSelections, ReaderSource

_MAX_BYTES = 1 << 30
_ERRORS = {
    QueryFault.TIMEOUT: ErrorType.TIMEOUT,
    QueryFault.TOO_MANY_SERIES: ErrorType.COST_LIMIT,
    QueryFault.TOO_MUCH_MEMORY: ErrorType.COST_LIMIT,
    QueryFault.TOO_MANY_STEPS: ErrorType.BAD_DATA,
}


def expression(text: str, parameter: str) -> Expr:
    """Parse a parameter.

    :raises InvalidRequest: if it is not PromQL.
    """
    try:
        return parse(text)
    except InvalidExpression as error:
        raise invalid_parameter(parameter, str(error)) from None


class Evaluation:
    """One query over the store, evaluated as a whole or in parts; with a budget its cost is estimated first.

    :raises InvalidRequest: if a duration in it cannot be.
    """

    def __init__(self, text: str, parsed: Expr, query: Query, reader: Reader, reading: Reading) -> None:
        self.text = text
        self.query = query
        self._known = KnownSelections(reader)
        self.source = ReaderSource(self._known, reading)
        self._reading = reading
        span = query.end - query.start
        with refusing():
            self.expression = durations.resolve(parsed, query.step if span else 0, span, text)

    @property
    def levels(self) -> Sequence[Level]:
        """The resolutions that there are."""
        return self.source.levels if isinstance(self.source, RollupSource) else ()

    def limits(self) -> Limits:
        """Return the limits, with nothing spent."""
        reading = self._reading
        return Limits(
            max_samples=self._reading.max_samples,
            max_series=self._reading.max_series,
            max_bytes=_MAX_BYTES,
            expired=lambda: reading.deadline < inf and time.monotonic() > reading.deadline,
            hold=reading.hold,
        )

    def whole(self) -> Result:
        """The result.

        :raises InvalidRequest: with the reason, if it has none.
        """
        with refusing():
            self._allow(self.query)
            return evaluate(self.expression, self.query, self.source, self.limits(), self.text)

    def forecast(self) -> Estimate:
        """Estimate the cost.

        :raises InvalidRequest: with the reason, if it has no result.
        """
        with refusing():
            return self._estimated(self.query)

    def compute(self, query: Query, annotations: Annotations) -> Value:
        """The value at some steps.

        :raises InvalidQuery: if it has none. :raises InvalidRequest: if it would cost too much.
        """
        self._allow(query)
        found = evaluate(self.expression, query, self.source, self.limits(), self.text, annotations)
        return found.value

    def _allow(self, query: Query) -> None:
        """Let what has a budget pay for these steps.

        Series are looked up anew: what is kept has to be made of what is read after its generations.
        """
        self._known.forget()
        if isinstance(self._reading, Budget):
            self._reading.allow(self._estimated(query))

    def _estimated(self, query: Query) -> Estimate:
        return estimated(self.expression, query, self.levels, self._known, self._reading)


@contextmanager
def refusing() -> Iterator[None]:
    """Faults of a query as refusals.

    :raises InvalidRequest: with the reason.
    """
    try:
        yield
    except InvalidExpression as error:
        raise invalid_parameter("query", str(error)) from None
    except InvalidQuery as error:
        raise InvalidRequest(_ERRORS.get(error.reason, ErrorType.EXECUTION), str(error)) from None
