"""Queries to the result cache, its view of the store, and its results."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from schemas.tables import Resolution
from streamgauge.gateway.cache.refusals import Refusal
from streamgauge.promql.data.annotations import Annotations
from streamgauge.promql.data.levels import Level
from streamgauge.promql.data.query import Limits, Query
from streamgauge.promql.engine.evaluator import Value
from streamgauge.promql.syntax.ast import Expr
from streamgauge.store.changes import Change
from streamgauge.store.reading import Reading


class State(Protocol):
    """State of the store's blocks."""

    def progress(
        self, resolutions: Sequence[Resolution], reading: Reading
    ) -> Mapping[Resolution, Mapping[int, int]]:
        """Where each lane is sealed up to (ms), by resolution."""
        ...

    def index_progress(self, reading: Reading) -> Mapping[int, int]:
        """Where the index of each lane is sealed up to (ms)."""
        ...

    def changes(
        self, periods: Mapping[Resolution, set[int]], reading: Reading
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
