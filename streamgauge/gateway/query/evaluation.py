"""Evaluating PromQL over the store, within the limits of a reading, and what that is going to cost.

The cost is found out before a sample is read: what a query is going to read, down to the resolution and the times of
every selector, follows from its expression. Which series those are is looked up in the index, and known when the query
itself comes.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import inf
from typing import NamedTuple, TypeVar

from streamgauge.config.gateway import Cost
from streamgauge.gateway.request.faults import ErrorType, InvalidRequest, invalid_parameter
from streamgauge.gateway.request.memory import Share
from streamgauge.promql.data.annotations import Annotations
from streamgauge.promql.data.faults import InvalidQuery, QueryFault
from streamgauge.promql.data.query import (
    MEBIBYTE,
    POINT_BYTES,
    SAMPLE_BYTES,
    Level,
    Limits,
    Query,
    RollupSource,
)
from streamgauge.promql.engine.evaluator import Result, Value, evaluate
from streamgauge.promql.plan.planned_reads import PlannedReads
from streamgauge.promql.syntax import durations
from streamgauge.promql.syntax.ast import Expr
from streamgauge.promql.syntax.invalid_expression import InvalidExpression
from streamgauge.promql.syntax.parser import parse
from streamgauge.store.reader import Reader
from streamgauge.store.reading import ReadContext
from streamgauge.store.source import KnownSelections, ReaderSource

Found = TypeVar("Found")
INTERVAL_MS = 15_000
READ_BYTES = 2 * SAMPLE_BYTES
"""Of a sample that is read: it is there twice when parts are joined."""
SERIES_BYTES = 512
"""Memory of a selected series: id, labels and their hash table."""


class Estimate(NamedTuple):
    """Series of all selectors, samples or aggregates of windows to be read, and bytes of those and of results."""

    series: int = 0
    samples: int = 0
    bytes: int = 0

    def plus(self, other: "Estimate") -> "Estimate":
        """Both together."""
        return Estimate(*(one + another for one, another in zip(self, other, strict=True)))

    def above(self, limit: Cost) -> bool:
        """Whether it is above a limit in any way."""
        return self.series > limit.series or self.samples > limit.samples or self.bytes > limit.bytes

    def __str__(self) -> str:
        return f"{self.series:,} series, {self.samples:,} samples, {self.bytes / MEBIBYTE:,.0f} MiB"


@dataclass(slots=True)
class Budget(ReadContext):
    """A reading with a cost limit, and the warning about its cost."""

    warn_above: Cost = field(default_factory=Cost)
    refuse_above: Cost = field(default_factory=Cost)
    interval_ms: int = INTERVAL_MS
    """Assumed interval between samples of a series, for estimates."""
    notes: list[str] = field(default_factory=list)
    estimate: Estimate = field(default=Estimate(), init=False)
    """Of all parts that were allowed."""
    share: Share | None = None
    """Of the memory of all queries."""
    has_begun: bool = field(default=False, init=False)
    is_kept: bool = field(default=False, init=False)

    def hold(self, size: int) -> None:
        """Reserve at least this many bytes.

        :raises InvalidRequest: if they are not free.
        """
        if self.share is not None:
            self.share.at_least(size)

    def keep(self, size: int) -> object:
        """Return the share, reduced to this many bytes."""
        if self.share is not None:
            self.share.at_least(size)
            self.share.only(size)
        self.is_kept = True
        return self.share

    def run(self, look: Callable[["Budget"], Found]) -> Found:
        """Run a function, then release all memory that is not kept.

        An error that is told on refers to all that was read, so it is not left to the last reference.
        """
        try:
            found = look(self)
        except BaseException:
            self.is_kept = False
            raise
        finally:
            if self.share is not None and not self.is_kept:
                self.share.only(0)
        return found

    def take_series(self, count: int) -> None:
        """Check the number of selected series and reserve their memory."""
        ReadContext.take_series(self, count)
        self.hold(count * SERIES_BYTES)

    def take_samples(self, count: int) -> None:
        """Count decoded samples and reserve their memory."""
        ReadContext.take_samples(self, count)
        self.hold(self.samples * READ_BYTES)

    def restart(self) -> None:
        """Reset the cost of parts that are not used in the response."""
        ReadContext.restart(self)
        self.estimate = Estimate()
        self.notes.clear()

    def allow(self, part: Estimate) -> None:
        """Add the estimate of a part, check the limits, and wait for memory for the first part.

        :raises InvalidRequest: with the estimate, if it is too dear; if there is not enough memory.
        """
        estimate = self.estimate = self.estimate.plus(part)
        if estimate.above(self.refuse_above):
            detail = f"query would cost too much: about {estimate}; at most {_limits(self.refuse_above)} are allowed"
            raise InvalidRequest(ErrorType.COST_LIMIT, detail)
        if estimate.above(self.warn_above):
            self.notes[:] = [f"query is expensive: about {estimate}"]
        if self.share is None:
            return
        if self.has_begun:
            self.share.at_least(estimate.bytes)
        else:
            self.has_begun = True
            self.share.wait_for(estimate.bytes, self.left_s)


def estimated(
    expression: Expr, query: Query, levels: Sequence[Level], reader: KnownSelections, reading: ReadContext
) -> Estimate:
    """Estimate the cost of an expression with resolved durations.

    :raises DeadlinePassed, TooManySeries: by the reading.
    """
    interval_ms = reading.interval_ms if isinstance(reading, Budget) else INTERVAL_MS
    oldest = {level.width: level.oldest for level in levels}
    found = Estimate()
    for read in PlannedReads(expression, levels).of(query):
        last = read.end + max(read.width - 1, 0)
        selection = reader.select(read.selector.conditions, read.start, last, reading)
        start = max(read.start, oldest.get(read.width, read.start))
        each = max(0, read.end - start) // (read.width or interval_ms) + 1
        series = len(selection.labels)
        samples = series * each * max(1, len(read.wanted))
        size = samples * SAMPLE_BYTES + series * query.grid.count * POINT_BYTES
        found = found.plus(Estimate(series, samples, size))
    return found


def _limits(limit: Cost) -> str:
    return str(Estimate(limit.series, limit.samples, limit.bytes))


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

    def __init__(self, text: str, parsed: Expr, query: Query, reader: Reader, reading: ReadContext) -> None:
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
