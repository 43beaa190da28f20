"""Functions that read or write labels."""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cmp_to_key
from typing import Any

import numpy as np

from streamgauge.promql.data.faults import InvalidQuery, QueryFault
from streamgauge.promql.data.labels import METADATA
from streamgauge.promql.data.query import Limits
from streamgauge.promql.data.vectors import Vector
from streamgauge.promql.syntax.ast import Expr, MatrixSelector, Paren, VectorSelector
from streamgauge.series.matchers import Matcher, MatchOp
from streamgauge.series.regexes import InvalidRegex, compiled

_REFERENCE = re.compile(r"\$(?:\$|(\w+)|\{(\w+)\})", re.ASCII)
MAX_VALUE_CHARACTERS = 65_536
"""Of a value that is made: no label that is stored has as many bytes."""
_MAX_DIGITS = 9
_CHUNK = re.compile(r"\d+|\D+", re.ASCII)


def label_replace(
    limits: Limits, target: str, replacement: str, source: str, pattern: str
) -> Callable[[Vector], Vector]:
    """What sets a label from what a regex that matches another one whole has captured.

    It raises InvalidQuery if series then have a value under the same labels, and by the limits.

    :raises InvalidQuery: for a bad regex or label name.
    """
    try:
        fullmatch = compiled(pattern).fullmatch
    except InvalidRegex:
        raise _bad(f"invalid regular expression in label_replace(): {pattern}") from None
    _check_name(target, "destination", "label_replace")

    pieces = _pieces(replacement)

    def change(value: str) -> str | None:
        match = fullmatch(value)
        if match is None:
            return None
        parts = [_captured(match, piece) if isinstance(piece, re.Match) else piece for piece in pieces]
        _count(sum(map(len, parts)), "label_replace", limits)
        return "".join(parts)

    return lambda vector: vector.with_labels(vector.labels.mapped(target, source, change))


def label_join(
    limits: Limits, target: str, separator: str, sources: Sequence[str]
) -> Callable[[Vector], Vector]:
    """What sets a label to the values of others, joined.

    It raises InvalidQuery if series then have a value under the same labels, and by the limits.

    :raises InvalidQuery: for a bad label name.
    """
    for name in sources:
        _check_name(name, "source", "label_join")
    _check_name(target, "destination", "label_join")

    def join(vector: Vector) -> Vector:
        known = {name: vector.labels.values_of(name) for name in dict.fromkeys(sources)}
        columns = [known[name] for name in sources]

        def joined() -> Iterator[str]:
            for row in zip(*columns, strict=True):
                _count(sum(map(len, row)) + len(separator) * (len(row) - 1), "label_join", limits)
                yield separator.join(row)

        values = list(joined()) if columns else [""] * vector.labels.count
        return vector.with_labels(vector.labels.with_values(target, values))

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
    for matcher in _as_read(node.conditions):
        if matcher.name in METADATA:
            continue
        if matcher.op is MatchOp.EQUAL and matcher.name not in asked:
            found[matcher.name] = matcher.value
            asked.add(matcher.name)
        else:
            found.pop(matcher.name, None)
    return {name: value for name, value in found.items() if value}


def _as_read(matchers: Sequence[Matcher]) -> list[Matcher]:
    """In the order into which Prometheus brings them to read: first those that a series needs a label for."""
    needed = {matcher.name for matcher in matchers if not matcher.matches(b"")}
    negative = (MatchOp.NOT_EQUAL, MatchOp.NOT_REGEX)
    return sorted(
        matchers,
        key=lambda matcher: matcher.name not in needed or (matcher.op in negative and matcher.matches(b"")),
    )


def by_value(vector: Vector, descending: bool) -> Vector:
    """The series of one step sorted by value, NaN last; those of equal values by their labels."""
    vector = vector.take(vector.labels.order())
    values = vector.values[:, 0]
    return vector.take(np.argsort(-values if descending else values, kind="stable"))


def by_labels(vector: Vector, names: Sequence[str], descending: bool) -> Vector:
    """The series of one step sorted by the values of labels in natural order, then by all labels."""
    columns = [vector.labels.values_of(name) for name in names]
    places = np.empty(vector.labels.count, np.int64)
    places[vector.labels.order()] = np.arange(vector.labels.count)
    whole: list[int] = places.tolist()

    def compare(left: int, right: int) -> int:
        for column in columns:
            if column[left] != column[right]:
                return -1 if _precedes(column[left], column[right]) else 1
        return whole[left] - whole[right]

    rows = sorted(range(vector.labels.count), key=cmp_to_key(compare), reverse=descending)
    return vector.take(np.array(rows, np.int64))


def _check_name(name: str, role: str, function: str) -> None:
    # a byte that is not UTF-8 comes as a surrogate
    if not name or any("\ud800" <= character <= "\udfff" for character in name):
        raise _bad(f"invalid {role} label name in {function}(): {name}")


def _precedes(left: str, right: str) -> bool:
    lefts, rights = _CHUNK.findall(left), _CHUNK.findall(right)
    for one, other in zip(lefts, rights, strict=False):
        if one.isdigit() and other.isdigit():
            # numbers of thousands of digits, which Python refuses to convert, among them
            own, others = one.lstrip("0"), other.lstrip("0")
            if own != others:
                return (len(own), own) < (len(others), others)
        elif one != other:
            return bool(one < other)
    return len(lefts) <= len(rights)


def _pieces(replacement: str) -> list["str | re.Match[str]"]:
    """What a replacement consists of: texts, and references to what is captured."""
    found: list[str | re.Match[str]] = []
    end = 0
    for reference in _REFERENCE.finditer(replacement):
        found += [replacement[end : reference.start()], reference]
        end = reference.end()
    return [*found, replacement[end:]]


def _count(size: int, function: str, limits: Limits) -> None:
    """Count a value before it is made: references repeat what they name, and calls within calls do so again."""
    if size > MAX_VALUE_CHARACTERS:
        raise _bad(f"label value of more than {MAX_VALUE_CHARACTERS:,} characters in {function}()")
    limits.take_text(size)


def _captured(match: Any, reference: re.Match[str]) -> str:
    name = reference[1] or reference[2]
    if name is None:
        return "$"
    if name.isdigit():
        # Python refuses to convert thousands of digits, which are no group anyway
        number = name.lstrip("0") or "0"
        is_group = len(number) < _MAX_DIGITS and int(number) <= match.re.groups
        return (match.group(int(number)) or "") if is_group else ""
    return (match.group(name) or "") if name in match.re.groupindex else ""


def _bad(message: str) -> InvalidQuery:
    return InvalidQuery(QueryFault.BAD_PARAMETER, message)
