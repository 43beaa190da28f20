"""Readable difference between expected and actual alerts or series."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from streamgauge.promql.data.vectors import written
from streamgauge.promql.syntax.literals import number_text, quoted
from streamgauge.rules.unit_tests.runner import Item, Mismatch
from streamgauge.series.labels import NAME

_PLAIN_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")


class Line(NamedTuple):
    """A line, and what it is: "-" expected but not there, "+" there but not expected, "~" or " " else."""

    mark: str
    text: str


def lines(mismatch: Mismatch) -> Iterator[Line]:
    """What differs, item by item; those that are alike are counted only."""
    if mismatch.detail:
        yield Line("+", mismatch.detail)
        return
    expected, found = list(mismatch.expected), list(mismatch.found)
    alike = [item for item in expected if item in found]
    for item in alike:
        # the same item may come twice
        if item in found and item in expected:
            expected.remove(item)
            found.remove(item)
    for one, other in _pairs(expected, found):
        expected.remove(one)
        found.remove(other)
        yield from _changes(one, other)
    for item in expected:
        yield from _whole("-", item)
    for item in found:
        yield from _whole("+", item)
    if not mismatch.expected or not mismatch.found:
        yield Line(" ", "nothing was expected" if not mismatch.expected else "nothing came")
    elif alike:
        yield Line(" ", f"as expected: {len(alike)} more")


def _pairs(expected: Sequence[Item], found: Sequence[Item]) -> list[tuple[Item, Item]]:
    """Items that are most likely meant to be the same: those with the most in common first."""
    ranked = sorted(
        ((_common(one, other), at, to) for at, one in enumerate(expected) for to, other in enumerate(found)),
        reverse=True,
    )
    left, right = set(range(len(expected))), set(range(len(found)))
    pairs = []
    for common, at, to in ranked:
        wanted = max(len(expected[at].labels), len(found[to].labels)) / 2
        if at in left and to in right and common >= wanted:
            left.remove(at)
            right.remove(to)
            pairs.append((expected[at], found[to]))
    return pairs


def _common(one: Item, other: Item) -> int:
    return len(set(one.labels) & set(other.labels)) + (one.labels == other.labels)


def _changes(one: Item, other: Item) -> Iterator[Line]:
    same = dict(sorted(set(one.labels) & set(other.labels)))
    yield Line("~", _series(same))
    for old, new in (
        (dict(one.labels), dict(other.labels)),
        (dict(one.annotations), dict(other.annotations)),
    ):
        for name in sorted({*old, *new}):
            if old.get(name) != new.get(name):
                yield from _sides(name, old.get(name), new.get(name))
    if one.value != other.value and one.value is not None and other.value is not None:
        yield from _sides("value", number_text(one.value), number_text(other.value))


def _sides(name: str, old: str | None, new: str | None) -> Iterator[Line]:
    for mark, text in (("-", old), ("+", new)):
        if text is not None:
            # space at the end of a line would not be seen
            parts = text.split("\n")
            first, *rest = (
                parts if all(part == part.strip() for part in parts) and parts[-1] else [quoted(text)]
            )
            yield Line(mark, f"    {name}: {first}")
            for line in rest:
                yield Line(mark, " " * (len(name) + 6) + line)


def _whole(mark: str, item: Item) -> Iterator[Line]:
    value = "" if item.value is None else f" {number_text(item.value)}"
    yield Line(mark, _series(dict(item.labels)) + value)
    for name, text in item.annotations:
        for line in _sides(name, text, None):
            yield Line(mark, line.text)


def _series(labels: dict[str, str]) -> str:
    """A label set, the name of a metric in front as people write it."""
    rest = {name: value for name, value in labels.items() if name != NAME}
    name = labels.get(NAME, "")
    if name and not _PLAIN_NAME.fullmatch(name):
        return written(labels)
    return f"{name}{written(rest) if rest or not name else ''}"
