"""What is asked of the kept parts, what they ask of the store, what comes of it, and why an answer is not kept.

What is kept at a step may depend on that step and on the data alone: not on where the query begins or ends, nor on
what is at its other steps.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, Protocol

from schemas.tables import Resolution
from streamgauge.gateway.cache.parts import LEAST_STEP_MS, steps_a_part
from streamgauge.promql.data.annotations import Annotations
from streamgauge.promql.data.query import Level, Limits, Query
from streamgauge.promql.engine.evaluator import Value
from streamgauge.promql.engine.selection import milliseconds
from streamgauge.promql.syntax.ast import (
    Aggregate,
    At,
    AtBoundary,
    Binary,
    Call,
    Duration,
    Expr,
    NumberLiteral,
    Paren,
    StringLiteral,
    Subquery,
    Unary,
    VectorSelector,
    walk,
)
from streamgauge.store.changes import Change
from streamgauge.store.reading import ReadContext


class Refusal(StrEnum):
    """Reason for which no part of a result is cached."""

    NO_STORE = "no_store"
    """The client has said so."""
    SHORT = "short"
    """It has fewer steps than a part."""
    FINE_STEP = "fine_step"
    NEGATIVE_OFFSET = "negative_offset"
    AT_AHEAD = "at_ahead"
    """It looks at a time after its end."""
    BOUNDARY = "boundary"
    """It looks at its own start, end or range."""
    SORTED = "sorted"
    """Sorting a range is in vain, and warned of."""
    PARAMETER = "parameter"
    """An aggregation's parameter is no constant: what is wrong with it at one step is the error of all."""
    NOTHING_READ = "nothing_read"
    UNSEALED = "unsealed"
    """No part is sealed and kept for long enough."""
    UNINDEXED = "unindexed"
    """The store job is behind the rollup job: blocks may hold series that the index does not know yet. What was kept
    before is used; nothing new is kept."""
    REMARKED = "remarked"
    """There are warnings, damaged rows, or other remarks about all steps together; or it cannot be answered."""


_SORTS = frozenset({"sort", "sort_desc", "sort_by_label", "sort_by_label_desc"})
_BOUNDARIES = frozenset({"start", "end", "range"})


def refusal(expression: Expr, query: Query) -> Refusal | None:
    """Return the reason for which a query is never cached, whatever the data; None if it may be.

    :param expression: with its durations resolved.
    """
    if query.step < LEAST_STEP_MS:
        return Refusal.FINE_STEP
    if query.grid.count < steps_a_part(query.step):
        return Refusal.SHORT
    return next((found for node in walk(expression) for found in _of_node(node, query)), None)


def _of_node(node: Expr, query: Query) -> Iterator[Refusal]:
    match node:
        case VectorSelector() | Subquery():
            yield from _of_time(node.offset, node.at, query)
        case Call() if node.function in _SORTS:
            yield Refusal.SORTED
        case Call() if node.function in _BOUNDARIES:
            yield Refusal.BOUNDARY
        case Aggregate() if node.param is not None and not _is_constant(node.param):
            yield Refusal.PARAMETER


def _of_time(offset: Duration, at: At | None, query: Query) -> Iterator[Refusal]:
    if milliseconds(offset) < 0:
        yield Refusal.NEGATIVE_OFFSET
    if isinstance(at, AtBoundary):
        yield Refusal.BOUNDARY
    elif at is not None and at > query.end:
        yield Refusal.AT_AHEAD


def _is_constant(expression: Expr) -> bool:
    plain = NumberLiteral | StringLiteral | Paren | Unary | Binary
    return all(isinstance(node, plain) for node in walk(expression))


class State(Protocol):
    """State of the store's blocks."""

    def progress(
        self, resolutions: Sequence[Resolution], reading: ReadContext
    ) -> Mapping[Resolution, Mapping[int, int]]:
        """Where each lane is sealed up to (ms), by resolution."""
        ...

    def index_progress(self, reading: ReadContext) -> Mapping[int, int]:
        """Where the index of each lane is sealed up to (ms)."""
        ...

    def changes(
        self, periods: Mapping[Resolution, set[int]], reading: ReadContext
    ) -> Mapping[Resolution, Sequence[Change]]:
        """Return the changes in these periods."""
        ...


class Asked(NamedTuple):
    """A range query: its text, expression with durations resolved, steps, and the resolutions that there are.

    compute: evaluates it at some steps. limits: of its result. tenant: whose series it sees.
    """

    text: str
    expression: Expr
    query: Query
    levels: Sequence[Level]
    compute: Callable[[Query, Annotations], Value]
    limits: Limits
    no_store: bool = False
    tenant: str = ""


@dataclass
class Report:
    """Where an answer came from: why not from kept parts, or which steps (first and last, ms) were `kept`.

    points: series-steps of the answer; kept_points: those from kept parts.
    """

    refusal: Refusal | None = None
    kept: list[tuple[int, int]] = field(default_factory=list)
    computed: list[tuple[int, int]] = field(default_factory=list)
    points: int = 0
    kept_points: int = 0


class Answered(NamedTuple):
    """A result with its warnings and infos."""

    value: Value
    warnings: list[str]
    infos: list[str]
    report: Report
