"""Executing a plan: in each lane its pieces, then everything else on what the lanes have shipped."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np

from streamgauge.promql.data.annotations import Annotations, Remark
from streamgauge.promql.data.faults import InvalidQuery, QueryFault
from streamgauge.promql.data.labels import LabelTable
from streamgauge.promql.data.query import Grid, Limits, Query, Source
from streamgauge.promql.data.vectors import Matrix, Vector, merged, same_labels
from streamgauge.promql.engine.calls import absent
from streamgauge.promql.engine.evaluator import Evaluator, Known, Result, Value, answer, size
from streamgauge.promql.engine.selection import milliseconds
from streamgauge.promql.functions import aggregations
from streamgauge.promql.functions.partials import Partial, of_vector, stacked, to_vector
from streamgauge.promql.plan.planner import Piece, Plan, Ships, plan
from streamgauge.promql.syntax.ast import (
    Aggregate,
    AggregateOp,
    Call,
    Expr,
    MatrixSelector,
    Subquery,
)
from streamgauge.series.matchers import Matcher
from streamgauge.series.samples import Samples


class NotByLanes(Exception):
    """A lane has series with the labels __type__ or __unit__, which its plan does not allow for."""


@dataclass(frozen=True, slots=True)
class LaneAnswer:
    """What one lane gives for a plan.

    partials, remarks: for each of the plan's tasks, in their order. series: how many each selector gave.
    samples: how many were read.
    """

    partials: Sequence[Partial]
    remarks: Sequence[Sequence[Remark]]
    series: Sequence[int]
    samples: int


def run_lane(planned: Plan, query: Query, source: Source, limits: Limits) -> LaneAnswer:
    """Evaluate the pieces of a plan on the series of one lane.

    :param limits: of this lane.
    :raises InvalidQuery: for what the query asks, and by the limits. :raises NotByLanes: for a plan that does not
        hold for these series.
    """
    evaluator = Evaluator(query, source, limits, Annotations())
    return lane_answer(planned, evaluator)


def lane_answer(planned: Plan, evaluator: Evaluator) -> LaneAnswer:
    """What `run_lane` gives, from an evaluator of one's own.

    :raises InvalidQuery, NotByLanes: as there.
    """
    evaluator.prepare(planned.expression)
    partials, remarks = [], []
    try:
        for piece, grid, heeds_boundaries in planned.tasks(evaluator.query):
            evaluator.annotations = Annotations()
            with nullcontext() if heeds_boundaries else evaluator.selection.without_boundaries():
                partials.append(_shipped(evaluator, piece, grid))
            remarks.append(evaluator.annotations.remarks())
    except RecursionError:
        raise InvalidQuery(QueryFault.TOO_DEEP, "the expression is nested too deeply") from None
    selection = evaluator.selection
    if selection.has_metadata and not planned.metadata_labels:
        raise NotByLanes
    return LaneAnswer(partials, remarks, selection.series, evaluator.limits.samples)


def finish(
    planned: Plan,
    query: Query,
    answers: Sequence[LaneAnswer],
    limits: Limits | None = None,
    text: str = "",
    evaluators: Callable[
        [Query, Source, Limits, Annotations, Mapping[tuple[int, Grid], Known]], Evaluator
    ] = Evaluator,
) -> Result:
    """The result from the answers of all lanes, at least one.

    :param evaluators: makes what evaluates the rest.
    :raises InvalidQuery: for what the query asks, and by the limits.
    """
    limits = limits or Limits()
    limits.check_steps(query.grid.count)
    for counts in zip(*(found.series for found in answers), strict=True):
        limits.check_series(sum(counts))
    limits.take_samples(sum(found.samples for found in answers))
    # the samples themselves stay in the lanes
    limits.held = 0
    known: dict[tuple[int, Grid], Known] = {}
    evaluator = evaluators(query, _Nothing(), limits, Annotations(text), known)
    for at, (piece, grid, heeds_boundaries) in enumerate(planned.tasks(query)):
        before = limits.held
        limits.settle(before, sum(found.partials[at].nbytes for found in answers))
        with nullcontext() if heeds_boundaries else evaluator.selection.without_boundaries():
            value = _merged(evaluator, piece, grid, [found.partials[at] for found in answers])
        limits.settle(before, size(value))
        known[id(piece.node), grid] = Known(value, [found.remarks[at] for found in answers])
    return answer(planned.expression, evaluator)


def execute(
    expression: Expr,
    query: Query,
    sources: Iterable[Source],
    limits: Limits | None = None,
    text: str = "",
    each: Callable[[Callable[[Source], LaneAnswer], Iterable[Source]], Iterable[LaneAnswer]] = map,
) -> Result:
    """Plan an expression whose durations are resolved, and execute it.

    :param sources: one a lane, at least one. :param each: how a function is called for each of them: `map`, or that
        of an executor, whose threads then run at once.
    :raises InvalidQuery: for what the query asks, and by the limits.
    """
    limits = limits or Limits()
    limits.check_steps(query.grid.count)
    sources = list(sources)
    try:
        return _executed(plan(expression), query, sources, limits, text, each)
    except NotByLanes:
        return _executed(plan(expression, metadata_labels=True), query, sources, limits, text, each)


def _executed(
    planned: Plan,
    query: Query,
    sources: Sequence[Source],
    limits: Limits,
    text: str,
    each: Callable[[Callable[[Source], LaneAnswer], Iterable[Source]], Iterable[LaneAnswer]],
) -> Result:
    answers = each(lambda source: run_lane(planned, query, source, limits.again()), sources)
    return finish(planned, query, list(answers), limits, text)


def _shipped(evaluator: Evaluator, piece: Piece, grid: Grid) -> Partial:
    if piece.ships is Ships.SAMPLES:
        matrix = evaluator.matrix(piece.lane, grid)
        sizes = np.diff(matrix.offsets)
        columns = {"sizes": sizes, "timestamps": matrix.timestamps, "values": matrix.values}
        return Partial(matrix.labels, columns)
    vector = evaluator.vector(piece.lane, grid)
    node = piece.node
    if piece.ships is Ships.SERIES:
        return of_vector(vector.seen())
    if not isinstance(node, Aggregate):
        return Partial(LabelTable(1, {}), {"present": vector.present.any(axis=0)[None, :]})
    if node.op is AggregateOp.COUNT_VALUES:
        label = evaluator.counted_label(node, grid)
        return of_vector(aggregations.count_values(node, vector, label, evaluator.limits))
    param = evaluator.param(node, grid)
    return aggregations.collect(node, vector, param, evaluator.limits, evaluator.annotations)


def _merged(evaluator: Evaluator, piece: Piece, grid: Grid, partials: Sequence[Partial]) -> Value:
    node = piece.node
    match piece.ships:
        case Ships.SAMPLES:
            return _matrix(evaluator, node, grid, partials)
        case Ships.SERIES:
            return _vector(piece, partials)
    if isinstance(node, Call):
        present = stacked(partials).columns["present"]
        return absent(node.args[0], Vector(LabelTable(len(present), {}), np.ones(present.shape), present))
    if not isinstance(node, Aggregate):
        raise TypeError(f"{piece.ships} of {type(node)}")
    if node.op is AggregateOp.COUNT_VALUES:
        return aggregations.merge_counts([to_vector(partial) for partial in partials])
    param = evaluator.param(node, grid)
    # each lane has remarked about the parameter
    return aggregations.merge(node, partials, param, evaluator.limits, Annotations())


def _vector(piece: Piece, partials: Sequence[Partial]) -> Vector:
    vector = to_vector(stacked(partials))
    if piece.place.strict and not vector.labels.is_unique:
        raise same_labels()
    return vector if piece.place.aligned else merged(vector)


def _matrix(evaluator: Evaluator, node: Expr, grid: Grid, partials: Sequence[Partial]) -> Matrix:
    rows = stacked(partials)
    if not isinstance(node, MatrixSelector | Subquery):
        raise TypeError(f"samples of {type(node)}")
    moved = node.selector if isinstance(node, MatrixSelector) else node
    return Matrix(
        rows.labels,
        np.concatenate([np.zeros(1, np.int64), np.cumsum(rows.columns["sizes"])]),
        rows.columns["timestamps"],
        rows.columns["values"],
        evaluator.selection.ends(moved.at, moved.offset, grid),
        milliseconds(node.range),
    )


class _Nothing:
    """The source of what needs none."""

    def fetch(self, _: Sequence[Matcher], __: int, ___: int) -> tuple[Sequence[bytes], Samples]:
        raise LookupError("a selector outside of the plan's pieces")
