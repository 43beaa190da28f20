"""Functions that read or write labels."""

import re
from collections.abc import Callable, Sequence
from functools import cmp_to_key

import numpy as np
import re2

from streamgauge.promql.ast import Expr, MatrixSelector, Paren, VectorSelector
from streamgauge.promql.faults import InvalidQuery, QueryFault
from streamgauge.promql.labels import LabelTable
from streamgauge.promql.vectors import Vector
from streamgauge.series.labels import NAME
from streamgauge.series.matchers import MatchOp

_REFERENCE = re.compile(r"\$(?:\$|(\w+)|\{(\w+)\})", re.ASCII)
_CHUNK = re.compile(r"\d+|\D+", re.ASCII)


def label_replace(target: str, replacement: str, source: str, pattern: str) -> Callable[[Vector], Vector]:
    """What sets a label from what a regex that matches another one whole has captured.

    It raises InvalidQuery if series then have a value under the same labels.

    :raises InvalidQuery: for a bad regex or label name.
    """
    options = re2.Options()
    options.dot_nl = True
    options.log_errors = False
    try:
        fullmatch = re2.compile(pattern, options).fullmatch
    except re2.error:
        raise _bad(f"invalid regular expression in label_replace(): {pattern}") from None
    _check_name(target, "destination", "label_replace")

    def change(value: str) -> str | None:
        match = fullmatch(value)
        return None if match is None else _REFERENCE.sub(lambda found: _captured(match, found), replacement)

    return lambda vector: vector.with_labels(vector.labels.mapped(target, source, change))


def label_join(target: str, separator: str, sources: Sequence[str]) -> Callable[[Vector], Vector]:
    """What sets a label to the values of others, joined.

    It raises InvalidQuery if series then have a value under the same labels.

    :raises InvalidQuery: for a bad label name.
    """
    for name in sources:
        _check_name(name, "source", "label_join")
    _check_name(target, "destination", "label_join")

    def join(vector: Vector) -> Vector:
        columns = [vector.labels.values_of(name) for name in sources]
        joined = [separator.join(row) for row in zip(*columns, strict=True)] or [""] * vector.labels.count
        return vector.with_labels(vector.labels.with_values(target, joined))

    return join


def absent_labels(node: Expr) -> dict[str, str]:
    """The labels that a selector asks for with one =, which absent() gives its result."""
    while isinstance(node, Paren):
        node = node.expr
    if isinstance(node, MatrixSelector):
        node = node.selector
    found: dict[str, str] = {}
    if not isinstance(node, VectorSelector):
        return found
    asked = set()
    for matcher in node.conditions:
        if matcher.name == NAME:
            continue
        if matcher.op is MatchOp.EQUAL and matcher.name not in asked:
            found[matcher.name] = matcher.value
            asked.add(matcher.name)
        else:
            found.pop(matcher.name, None)
    return {name: value for name, value in found.items() if value}


def by_value(vector: Vector, descending: bool) -> Vector:
    """The series of one step sorted by value, NaN last."""
    values = vector.values[:, 0]
    return vector.take(np.argsort(-values if descending else values, kind="stable"))


def by_labels(vector: Vector, names: Sequence[str], descending: bool) -> Vector:
    """The series of one step sorted by the values of labels in natural order, then by all labels."""
    columns = [vector.labels.values_of(name) for name in names]
    whole = all_labels(vector.labels)

    def compare(left: int, right: int) -> int:
        for column in columns:
            if column[left] != column[right]:
                return -1 if _precedes(column[left], column[right]) else 1
        return (whole[left] > whole[right]) - (whole[left] < whole[right])

    rows = sorted(range(vector.labels.count), key=cmp_to_key(compare), reverse=descending)
    return vector.take(np.array(rows, np.int64))


def all_labels(labels: LabelTable) -> list[tuple[tuple[str, str], ...]]:
    """The key by which Prometheus sorts each series."""
    return [tuple(row.items()) for row in labels.rows()]


def _check_name(name: str, role: str, function: str) -> None:
    # a byte that is not UTF-8 comes as a surrogate
    if not name or any("\ud800" <= character <= "\udfff" for character in name):
        raise _bad(f"invalid {role} label name in {function}(): {name}")


def _precedes(left: str, right: str) -> bool:
    lefts, rights = _CHUNK.findall(left), _CHUNK.findall(right)
    for one, other in zip(lefts, rights, strict=False):
        if one.isdigit() and other.isdigit():
            if int(one) != int(other):
                return int(one) < int(other)
        elif one != other:
            return bool(one < other)
    return len(lefts) <= len(rights)


def _captured(match: "re2._Match[str]", reference: re.Match[str]) -> str:
    name = reference[1] or reference[2]
    if name is None:
        return "$"
    if name.isdigit():
        number = int(name)
        return (match.group(number) or "") if number <= match.re.groups else ""
    return (match.group(name) or "") if name in match.re.groupindex else ""


def _bad(message: str) -> InvalidQuery:
    return InvalidQuery(QueryFault.BAD_PARAMETER, message)
