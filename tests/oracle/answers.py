"""An answer of either engine in one shape, and what is different between two."""

import math
from dataclasses import dataclass, field

from random_queries import RandomQuery

from streamgauge.promql.durations import resolve
from streamgauge.promql.engine import evaluate
from streamgauge.promql.faults import InvalidQuery
from streamgauge.promql.invalid_expression import InvalidExpression
from streamgauge.promql.parser import parse
from streamgauge.promql.query import Query
from streamgauge.promql.value_type import ValueType
from streamgauge.promql.vectors import Matrix, Vector

RELATIVE, FLOOR = 1e-9, 1e-9
_SHOWN = 10
"""Of how many warnings, and of how many infos, Prometheus sends."""


@dataclass
class Answer:
    """error: why there is none. series: by label pairs, the values by time in ms. order: of those labels."""

    error: str | None = None
    series: dict[tuple[tuple[str, str], ...], dict[int, float]] = field(default_factory=dict)
    order: list[tuple[tuple[str, str], ...]] = field(default_factory=list)
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


def of_streamgauge(query: RandomQuery, source, engine=evaluate) -> Answer:
    """What our engine says, or what `engine`, which is called as `evaluate` is, makes of the source."""
    try:
        parsed = parse(query.text)
        if query.step and parsed.type not in (ValueType.SCALAR, ValueType.VECTOR):
            return Answer("not a type for a range query")
        expression = resolve(parsed, query.step, query.end - query.start)
        steps = Query(query.start, query.end, query.step or 1)
        result = engine(expression, steps, source, text=query.text)
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


def difference(ours: Answer, theirs: Answer, in_order: bool) -> str | None:
    """The first difference that matters, in words."""
    if (ours.error is None) != (theirs.error is None):
        return f"error: ours {ours.error}, theirs {theirs.error}"
    if ours.error is not None:
        return None
    if ours.text != theirs.text:
        return f"string: ours {ours.text!r}, theirs {theirs.text!r}"
    if only := set(ours.series) ^ set(theirs.series):
        sides = [("ours" if labels in ours.series else "theirs", dict(labels)) for labels in sorted(only)]
        return f"series only in {sides[0][0]}: {sides[0][1]}, {len(sides)} such series"
    for labels, expected in theirs.series.items():
        found = ours.series[labels]
        if found.keys() != expected.keys():
            return f"presence: {dict(labels)} at {sorted(found.keys() ^ expected.keys())[:3]}"
        for at, number in expected.items():
            if not alike(found[at], number):
                return f"value: {dict(labels)} at {at}: ours {found[at]!r}, theirs {number!r}"
    if in_order and ours.order != theirs.order:
        return f"order: ours {ours.order}, theirs {theirs.order}"
    return None


def remarks_differ(ours: Answer, theirs: Answer) -> str | None:
    """The first difference between warnings or infos. Prometheus sends but some when there are many."""
    if ours.error is not None:
        return None
    for found, expected in ((ours.warnings, theirs.warnings), (ours.infos, theirs.infos)):
        if len(expected) <= _SHOWN and set(found) != set(expected):
            only = [sorted(set(found) - set(expected)), sorted(set(expected) - set(found))]
            return f"remarks: only ours {only[0]}, only theirs {only[1]}"
    return None


def alike(found: float, expected: float) -> bool:
    """Whether both are NaN, or close enough."""
    if math.isnan(found) or math.isnan(expected):
        return math.isnan(found) and math.isnan(expected)
    return math.isclose(found, expected, rel_tol=RELATIVE, abs_tol=FLOOR)


def _add(answer: Answer, labels: dict[str, str], points) -> None:
    _put(answer, labels, {round(at * 1000): float(number) for at, number in points})


def _put(answer: Answer, labels: dict[str, str], values: dict[int, float]) -> None:
    key = tuple(sorted(labels.items()))
    if key in answer.series:
        raise ValueError(f"two series {labels}")
    answer.series[key] = values
    answer.order.append(key)
