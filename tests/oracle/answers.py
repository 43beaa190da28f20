"""An answer of either engine in one shape, and what is different between two."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from random import Random
from unittest.mock import patch

import numpy as np

from streamgauge.promql.data.faults import InvalidQuery
from streamgauge.promql.data.labels import LabelTable
from streamgauge.promql.data.query import Query
from streamgauge.promql.data.vectors import Matrix, Vector
from streamgauge.promql.engine import evaluator as engine
from streamgauge.promql.engine.evaluator import Evaluator
from streamgauge.promql.functions.vector_functions import MATH
from streamgauge.promql.syntax.ast import BinaryOp, Call, bare
from streamgauge.promql.syntax.durations import resolve
from streamgauge.promql.syntax.functions_table import ValueType
from streamgauge.promql.syntax.invalid_expression import InvalidExpression
from streamgauge.promql.syntax.parser import parse
from tests.oracle.random_queries import RandomQuery

RELATIVE, FLOOR = 1e-9, 1e-9
_SOME = 20
_BITS = 16
_INEXACT = frozenset(MATH) - {"abs", "ceil", "deg", "floor", "rad", "sgn", "sqrt"}
_GIVEN = re.compile(r"got ([-+.\d][-+.e\d]*)")
_LABELS = re.compile(r"\{[^}]*\}")
_COUNT = re.compile(r"over -?\d+ samples")
Labels = tuple[tuple[str, str], ...]


@dataclass
class Answer:
    """error: why there is none. series: by label pairs, the values by time in ms. order: of those labels."""

    error: str | None = None
    series: dict[Labels, dict[int, float]] = field(default_factory=dict)
    order: list[Labels] = field(default_factory=list)
    text: str | None = None
    warnings: list[str] = field(default_factory=list)
    infos: list[str] = field(default_factory=list)


def of_prometheus(answer: dict) -> Answer:
    """What Prometheus's JSON says."""
    if answer["status"] != "success":
        return Answer(f"{answer['errorType']}: {answer['error']}")
    kind, result = answer["data"]["resultType"], answer["data"]["result"]
    found = Answer(warnings=answer.get("warnings", []), infos=answer.get("infos", []))
    if kind == "string":
        found.text = result[1]
    elif kind == "scalar":
        _add(found, {}, [result])
    else:
        for row in result:
            _add(found, row["metric"], row["values"] if "values" in row else [row["value"]])
    return found


class _Shuffling(Evaluator):
    """Gives the series of every vector in a random order."""

    random = Random()

    def value(self, node, grid):
        found = super().value(node, grid)
        if isinstance(found, Vector):
            rows = range(found.labels.count)
            return found.take(np.array(self.random.sample(rows, len(rows)), np.int64))
        return found


class _Nudging(Evaluator):
    """Changes the last bits of what powers, exponentials, logarithms and trigonometry give."""

    random = np.random.default_rng()

    def value(self, node, grid):
        found = super().value(node, grid)
        return self._nudged(found) if isinstance(node, Call) and node.function in _INEXACT else found

    def _operated(self, node, left, right):
        found = super()._operated(node, left, right)
        return self._nudged(found) if node.op in (BinaryOp.POW, BinaryOp.ATAN2) else found

    def _nudged(self, found):
        values = found.values if isinstance(found, Vector) else found
        with np.errstate(all="ignore"):
            nudged = values * (1 + self.random.integers(-_BITS, _BITS + 1, values.shape) * 2.0**-52)
        values = np.where(np.abs(values) < 1e300, nudged, values)
        return replace(found, values=values) if isinstance(found, Vector) else values


def of_streamgauge_with_other_bits(query: RandomQuery, source, seed: int) -> Answer:
    """What our engine says when functions that Go computes otherwise give other last bits."""
    with (
        patch.object(engine, "Evaluator", _Nudging),
        patch.object(_Nudging, "random", np.random.default_rng(seed)),
    ):
        return of_streamgauge(query, source)


def of_streamgauge_in_some_order(query: RandomQuery, source, seed: int) -> Answer:
    """What our engine says when series come in an order that is random for every vector, and ties are drawn."""
    with (
        patch.object(engine, "Evaluator", _Shuffling),
        patch.object(_Shuffling, "random", Random(seed)),
        patch.object(LabelTable, "order", _random_order),
    ):
        return of_streamgauge(query, source)


def _random_order(labels: LabelTable):
    return np.array(_Shuffling.random.sample(range(labels.count), labels.count), np.int64)


def of_streamgauge(query: RandomQuery, source, evaluate=None) -> Answer:
    """What our engine says, or what `evaluate`, which is called as that of the engine is, makes of the source."""
    try:
        parsed = parse(query.text)
        if query.step and parsed.type not in (ValueType.SCALAR, ValueType.VECTOR):
            # in the words of the gateway, which asks this
            return Answer(
                f'invalid expression type "{parsed.type.documented}" for range query, must be Scalar'
            )
        expression = resolve(parsed, query.step, query.end - query.start, query.text)
        steps = Query(query.start, query.end, query.step or 1)
        result = (evaluate or engine.evaluate)(expression, steps, source, text=query.text)
    except (InvalidExpression, InvalidQuery) as refusal:
        return Answer(str(refusal))
    found = Answer(warnings=result.warnings, infos=result.infos)
    value, times = result.value, result.times.tolist()
    if isinstance(value, str):
        found.text = value
    elif isinstance(value, Vector):
        for row, labels in enumerate(value.labels.rows()):
            points = zip(times, value.values[row].tolist(), value.present[row].tolist(), strict=True)
            _put(found, labels, {at: number for at, number, is_there in points if is_there})
    elif isinstance(value, Matrix):
        for row, labels in enumerate(value.labels.rows()):
            part = slice(value.offsets[row], value.offsets[row + 1])
            points = zip(value.timestamps[part].tolist(), value.values[part].tolist(), strict=True)
            _put(found, labels, dict(points))
    else:
        _put(found, {}, dict(zip(times, value.tolist(), strict=True)))
    return found


def difference(query: RandomQuery, ours: Answer, theirs: Answer) -> str | None:
    """The first difference that matters, in words. The order of equal values does not."""
    if ours.error is not None or theirs.error is not None:
        return None if _same_error(ours, theirs) else f"error: ours {ours.error}, theirs {theirs.error}"
    if ours.text != theirs.text:
        return f"string: ours {ours.text!r}, theirs {theirs.text!r}"
    if points := differing(ours, theirs):
        labels, at = min(points)
        found, expected = _value(ours, labels, at), _value(theirs, labels, at)
        return f"{len(points)} values: {dict(labels)} at {at}: ours {found}, theirs {expected}"
    if query.in_order and not _same_order(query, ours, theirs):
        return f"order: ours {ours.order}, theirs {theirs.order}"
    for found, expected in ((ours.warnings, theirs.warnings), (ours.infos, theirs.infos)):
        if not _same_remarks(found, expected):
            return f"remarks: ours {found}, theirs {expected}"
    return None


def differing(ours: Answer, theirs: Answer) -> set[tuple[Labels, int]]:
    """Labels and times at which only one has a value, or another one."""
    points = {(labels, at) for one in (ours, theirs) for labels, row in one.series.items() for at in row}
    return {point for point in points if not _alike_at(ours, theirs, point)}


def depends_on_order(query: RandomQuery, ours: Answer, theirs: Answer, others: Iterator[Answer]) -> bool:
    """Whether the difference is one between two orders in which series may come, such as a tie of topk.

    In range queries Prometheus takes them from a map, in an order that is another one each time. At every place
    where it has something else than we have, one of `others`, our answers for other orders, has to have it too.

    :param others: our answers to the query for the same series in other orders, until they are enough.
    """
    if theirs.error is not None or ours.error is not None:
        found = list(islice(others, _SOME))
        if any(_same_error(one, theirs) for one in found):
            return True
        # one error about another pair of series
        alike = _same_error(_without_labels(ours), _without_labels(theirs))
        return alike and (query.has_steps or any(one.error != ours.error for one in found))
    points = differing(ours, theirs)
    if not points:
        return any(not one.error and difference(query, one, ours) for one in others)
    for one in others:
        if not one.error:
            points = {point for point in points if not _alike_at(one, theirs, point)}
        if not points:
            return True
    return False


def is_ill_conditioned(ours: Answer, theirs: Answer, nudged: list[Answer]) -> bool:
    """Whether the same places have values, and where they differ the last bits of a function change them too.

    :param nudged: our answers with others of those.
    """
    if ours.series.keys() != theirs.series.keys() or not (points := differing(ours, theirs)):
        return False
    pairs = [(_value(ours, *point), _value(theirs, *point)) for point in points]
    if not all(None not in pair and all(map(math.isfinite, pair)) for pair in pairs):
        return False
    return points <= set().union(*(differing(ours, one) for one in nudged))


def without_counts(answer: Answer) -> Answer:
    """The answer without the number of samples in an info, which Prometheus doubles with each step."""
    return replace(answer, infos=[_COUNT.sub("over some samples", info) for info in answer.infos])


def by_rounded_numbers(answer: Answer) -> Answer:
    """The answer with the numbers in its labels, which count_values writes, to 12 digits."""
    series = {}
    for labels, row in answer.series.items():
        key = tuple((name, _rounded(value)) for name, value in labels)
        # numbers that are then the same were counted apart
        held = series.setdefault(key, {})
        for at, number in row.items():
            held[at] = held.get(at, 0.0) + number
    return replace(answer, series=series, order=list(series))


def alike(found: float, expected: float) -> bool:
    """Whether both are NaN, or close enough."""
    if math.isnan(found) or math.isnan(expected):
        return math.isnan(found) and math.isnan(expected)
    return math.isclose(found, expected, rel_tol=RELATIVE, abs_tol=FLOOR)


def _value(answer: Answer, labels: Labels, at: int) -> float | None:
    return answer.series.get(labels, {}).get(at)


def _alike_at(one: Answer, other: Answer, point: tuple[Labels, int]) -> bool:
    left, right = _value(one, *point), _value(other, *point)
    return left is right if left is None or right is None else alike(left, right)


def _same_error(ours: Answer, theirs: Answer) -> bool:
    """Whether both give none, or Prometheus our words after its own name of the kind."""
    if ours.error is None or theirs.error is None:
        return ours.error is theirs.error
    return ours.error.strip() in theirs.error


def _without_labels(answer: Answer) -> Answer:
    return replace(answer, error=answer.error and _LABELS.sub("{}", answer.error))


def _same_order(query: RandomQuery, ours: Answer, theirs: Answer) -> bool:
    if "sort_by_label(" in query.text and not query.text.startswith("sort_by_label"):
        return True
    if query.text.startswith("sort_by_label"):
        names = [name.value for name in bare(parse(query.text)).args[1:]]
        there = [tuple(name in dict(labels) for name in names) for labels in ours.order]
        # to Prometheus each of two series comes after the other if but one of them has the label
        return ours.order == theirs.order or len(set(there)) > 1
    if len(ours.order) != len(theirs.order):
        return False
    return all(
        left == right
        or list(map(str, ours.series[left].values())) == list(map(str, ours.series[right].values()))
        for left, right in zip(ours.order, theirs.order, strict=True)
    )


def _same_remarks(found: list[str], expected: list[str]) -> bool:
    if expected and expected[-1].endswith("annotations omitted"):
        # which ones Prometheus leaves out is another one each time
        return found[-1:] == expected[-1:]
    return set(map(_with_rounded_number, found)) == set(map(_with_rounded_number, expected))


def _with_rounded_number(remark: str) -> str:
    return _GIVEN.sub(lambda found: f"got {_rounded(found[1])}", remark)


def _rounded(text: str) -> str:
    try:
        return f"{float(text):.12g}"
    except ValueError:
        return text


def _add(answer: Answer, labels: dict[str, str], points) -> None:
    _put(answer, labels, {round(at * 1000): float(number) for at, number in points})


def _put(answer: Answer, labels: dict[str, str], values: dict[int, float]) -> None:
    key = tuple(sorted(labels.items()))
    if key in answer.series:
        raise ValueError(f"two series {labels}")
    answer.series[key] = values
    answer.order.append(key)
