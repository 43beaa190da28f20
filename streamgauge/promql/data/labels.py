"""Label sets of many series, column-wise: per label a dictionary of values and a code a series.

Grouping, matching and renaming then work on integers, and on each distinct value once.
"""

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import is_
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from streamgauge.promql.data import label_kernels
from streamgauge.series.hash_kernels import FACTOR
from streamgauge.series.labels import NAME, SEPARATOR

Codes = npt.NDArray[np.int64]
METADATA = frozenset({NAME, "__type__", "__unit__"})
"""Labels that say what a value means; an operation that changes the meaning drops them."""
_MAX_KEY = 2**62


class Column(NamedTuple):
    """One label: `values[codes[i]]` is that of series i. values[0] is "", which means absent."""

    codes: Codes
    values: Sequence[str]


class Groups(NamedTuple):
    """Which series are alike. codes: (n,) the group of each. first: (groups,) the first series of each."""

    codes: Codes
    first: Codes


@dataclass(frozen=True, slots=True)
class LabelTable:
    """The label sets of `count` series. Never changed in place; what was made of it once is kept with it."""

    count: int
    columns: Mapping[str, Column]
    made: dict[Hashable, Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    """What was made of it, by what that is."""

    def row(self, index: int) -> dict[str, str]:
        """The labels of one series, sorted by name, without absent ones."""
        found = {name: values[codes[index]] for name, (codes, values) in self.columns.items()}
        return {name: found[name] for name in sorted(found) if found[name]}

    def rows(self) -> list[dict[str, str]]:
        """The labels of every series."""
        names = sorted(self.columns)
        parts = [
            [self.columns[name].values[code] for code in self.columns[name].codes.tolist()] for name in names
        ]
        if not parts:
            return [{} for _ in range(self.count)]
        return [
            {name: value for name, value in zip(names, row, strict=True) if value}
            for row in zip(*parts, strict=True)
        ]

    def values_of(self, name: str) -> list[str]:
        """The value of one label of every series, "" where absent."""
        column = self.columns.get(name)
        return [column.values[code] for code in column.codes.tolist()] if column else [""] * self.count

    def take(self, rows: npt.NDArray[np.int64 | np.bool_]) -> "LabelTable":
        """The series at these row numbers, or those where a mask is True."""
        picked = {name: Column(codes[rows], values) for name, (codes, values) in self.columns.items()}
        return LabelTable(int(rows.sum()) if rows.dtype == np.bool_ else len(rows), picked)

    def keep(self, names: Collection[str]) -> "LabelTable":
        """Only these labels."""
        return self._only(frozenset(self.columns.keys() & set(names)))

    def drop(self, names: Collection[str]) -> "LabelTable":
        """All but these labels."""
        return self._only(frozenset(self.columns.keys() - set(names)))

    def _only(self, names: frozenset[str]) -> "LabelTable":
        if len(names) == len(self.columns):
            return self
        found: LabelTable | None = self.made.get(names)
        if found is None:
            kept = {name: column for name, column in self.columns.items() if name in names}
            found = self.made[names] = LabelTable(self.count, kept)
        return found

    def with_column(self, name: str, column: Column) -> "LabelTable":
        """With one label replaced or added."""
        return LabelTable(self.count, {**self.columns, name: column})

    def with_values(self, name: str, values: Iterable[str]) -> "LabelTable":
        """With one label given by its value for every series."""
        return self.with_column(name, _encoded(values))

    def mapped(self, name: str, source: str, change: Callable[[str], str | None]) -> "LabelTable":
        """With a label made from each distinct value of another; None leaves what was there."""
        none = Column(np.zeros(self.count, np.int64), ("",))
        codes, values = self.columns.get(source, none)
        old = self.columns.get(name, none)
        made = [change(value) for value in values]
        changed = np.array([value is not None for value in made], bool)[codes]
        encoder = _Encoder(old.values)
        recoded = np.array([encoder.code(value or "") for value in made], np.int64)[codes]
        return self.with_column(name, Column(np.where(changed, recoded, old.codes), encoder.values))

    def groups(self) -> Groups:
        """Which series have the same labels."""
        found: Groups | None = self.made.get("groups")
        if found is None:
            columns = [(column.codes, len(column.values)) for column in self.columns.values()]
            found = self.made["groups"] = _grouped(self.count, columns)
        return found

    def distinct(self) -> "LabelTable":
        """The labels of each group, in the order of the groups."""
        first = self.groups().first
        if len(first) == self.count:
            return self
        found: LabelTable | None = self.made.get("distinct")
        if found is None:
            found = self.made["distinct"] = self.take(first)
        return found

    def order(self) -> Codes:
        """The row numbers in Prometheus's order: by the first label in which two series differ."""
        keys = []
        none_left = np.ones(self.count, bool)
        for name in sorted(self.columns, reverse=True):
            codes, values = self.columns[name]
            ranks = np.empty(len(values) + 1, np.int64)
            ranks[sorted(range(len(values)), key=values.__getitem__)] = np.arange(len(values))
            absent = np.array([not value for value in values], bool)[codes]
            # a series without this label comes first if it has none after it either, else last
            keys.append(np.where(absent, np.where(none_left, -1, len(values)), ranks[codes]))
            none_left &= absent
        return np.lexsort(keys) if keys else np.arange(self.count)

    @property
    def is_unique(self) -> bool:
        """Whether no two series have the same labels."""
        return len(self.groups().first) == self.count


def from_rows(rows: Sequence[Mapping[str, str]]) -> LabelTable:
    """A table of label sets given one by one."""
    columns: dict[str, tuple[Codes, _Encoder]] = {}
    for index, row in enumerate(rows):
        for name, value in row.items():
            if name not in columns:
                columns[name] = np.zeros(len(rows), np.int64), _Encoder()
            codes, encoder = columns[name]
            codes[index] = encoder.code(value)
    return LabelTable(
        len(rows), {name: Column(codes, encoder.values) for name, (codes, encoder) in columns.items()}
    )


def from_canonical(series: Sequence[bytes]) -> LabelTable:
    """A table of label sets given by their canonical bytes."""
    if not series:
        return LabelTable(0, {})
    joined = SEPARATOR.join(series)
    data = np.frombuffer(joined, np.uint8)
    marks = np.flatnonzero(data == SEPARATOR[0])
    begins, ends = np.append(0, marks + 1), np.append(marks, len(data))
    names = series[0].split(SEPARATOR)[::2]
    width, count = 2 * len(names), len(series)
    # columns of series with the same names are read at once, which is much faster than one by one
    if len(begins) != width * count or not label_kernels.same_names(data, begins, ends, width, count):
        return _mixed(series)
    columns = {}
    firsts = np.empty(count, np.int64)
    for at, name in enumerate(names):
        codes = np.empty(count, np.int64)
        size = label_kernels.encoded(data, begins, ends, width, count, 2 * at + 1, codes, firsts, FACTOR)
        cells = zip(begins[firsts[:size]].tolist(), ends[firsts[:size]].tolist(), strict=True)
        columns[name.decode()] = Column(codes, ["", *(joined[begin:end].decode() for begin, end in cells)])
    return LabelTable(count, columns)


def _mixed(series: Sequence[bytes]) -> LabelTable:
    alike: dict[tuple[bytes, ...], list[int]] = {}
    for index, data in enumerate(series):
        alike.setdefault(tuple(data.split(SEPARATOR)[::2]), []).append(index)
    order: list[int] = []
    tables = []
    for rows in alike.values():
        order += rows
        tables.append(from_canonical([series[row] for row in rows]))
    return concat(tables).take(np.argsort(np.array(order, np.int64)))


def concat(tables: Sequence[LabelTable]) -> LabelTable:
    """All series of all tables, in their order."""
    if len(tables) == 1:
        return tables[0]
    last: tuple[Sequence[LabelTable], LabelTable] | None = tables[0].made.get("concat") if tables else None
    if last is not None and len(last[0]) == len(tables) and all(map(is_, last[0], tables)):
        return last[1]
    found = _concat(tables)
    if tables:
        tables[0].made["concat"] = tables, found
    return found


def _concat(tables: Sequence[LabelTable]) -> LabelTable:
    names = dict.fromkeys(name for table in tables for name in table.columns)
    columns = {}
    for name in names:
        encoder = _Encoder()
        parts = [_recoded(table, name, encoder) for table in tables]
        columns[name] = Column(np.concatenate(parts), encoder.values)
    return LabelTable(sum(table.count for table in tables), columns)


class _Encoder:
    """Gives each distinct value a code, 0 to the absent one."""

    def __init__(self, values: Iterable[str] = ("",)) -> None:
        # equal values of a dictionary would make equal label sets differ
        self._codes = {value: code for code, value in enumerate(values)}
        self.values = list(self._codes)

    def code(self, value: str) -> int:
        code = self._codes.get(value)
        if code is None:
            code = self._codes[value] = len(self.values)
            self.values.append(value)
        return code


def _encoded(values: Iterable[str]) -> Column:
    encoder = _Encoder()
    return Column(np.array([encoder.code(value) for value in values], np.int64), encoder.values)


def _recoded(table: LabelTable, name: str, encoder: _Encoder) -> Codes:
    column = table.columns.get(name)
    if column is None:
        return np.zeros(table.count, np.int64)
    return np.array([encoder.code(value) for value in column.values], np.int64)[column.codes]


def _grouped(count: int, columns: Sequence[tuple[Codes, int]]) -> Groups:
    keys = np.zeros(count, np.int64)
    span = 1
    for codes, size in columns:
        if span * size > _MAX_KEY:
            distinct, keys = np.unique(keys, return_inverse=True)
            span = len(distinct)
        keys = keys * size + codes
        span *= size
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    order = np.argsort(first, kind="stable")
    ranks = np.empty(len(order), np.int64)
    ranks[order] = np.arange(len(order))
    return Groups(ranks[inverse], first[order])
