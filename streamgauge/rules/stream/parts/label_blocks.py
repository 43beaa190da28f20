"""Labels of many series as bytes; those that stay the same from tick to tick are packed and read once."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from streamgauge.promql.data.labels import Codes, Column, LabelTable
from streamgauge.rules.stream.compile.shapes import HIDDEN
from streamgauge.rules.stream.parts.pack import InvalidPack, Packer, Unpacker
from streamgauge.rules.stream.parts.together import hidden_column, numbers_of

_CODE_TYPES = (np.uint8, np.uint16, np.uint32)


class Rows(NamedTuple):
    """What a piece of a family ships. labels: packed, the member of each row among them. columns: (rows, steps)."""

    labels: bytes
    columns: Mapping[str, npt.NDArray[Any]]


def pack_labels(out: Packer, labels: LabelTable) -> None:
    """Put in the labels of a table, only the values that occur."""
    used = {name: column for name, column in labels.columns.items() if column.codes.any()}
    out.number(labels.count)
    out.number(len(used))
    for name, (codes, values) in used.items():
        # the absent one is the first, as in every table
        distinct, codes = np.unique(np.append(codes, 0), return_inverse=True)
        out.blob(name.encode())
        out.texts([values[code] for code in distinct.tolist()])
        _pack_codes(out, codes[:-1])


def read_labels(read: Unpacker) -> LabelTable:
    """What `pack_labels` has put in.

    :raises InvalidPack: for anything else.
    """
    count = read.number()
    columns: dict[str, Column] = {}
    for _ in range(read.number()):
        name, values = read.text(), read.texts()
        columns[name] = Column(_read_codes(read, count, len(values)), values)
        if values[:1] != [""]:
            raise InvalidPack(f"a label {name!r} without the absent value")
    return LabelTable(count, columns)


def packed_rows(labels: LabelTable, rows: slice, first: int) -> bytes:
    """The labels of some rows of a table, and their hidden numbers less that of the first member."""
    made = ("packed", rows.start, rows.stop)
    found: bytes | None = labels.made.get(made)
    if found is None:
        out = Packer()
        own = labels.take(np.arange(rows.start, rows.stop))
        pack_labels(out, own.drop({HIDDEN}))
        _pack_codes(out, numbers_of(own) - first)
        found = labels.made[made] = out.finish()
    return found


def unpacked_rows(data: bytes, members: int) -> LabelTable:
    """The labels that `packed_rows` gives, with the hidden one.

    :raises InvalidPack: for anything else.
    """
    read = Unpacker(data)
    labels = read_labels(read)
    numbers = _read_codes(read, labels.count, members)
    read.end()
    return labels.with_column(HIDDEN, hidden_column(numbers, members))


def _pack_codes(out: Packer, codes: Codes) -> None:
    most = codes.max(initial=0)
    out.array(codes.astype(next(kind for kind in _CODE_TYPES if most <= np.iinfo(kind).max)))


def _read_codes(read: Unpacker, count: int, below: int) -> Codes:
    codes = read.any_array()
    if codes.dtype not in _CODE_TYPES or codes.shape != (count,) or (count and codes.max() >= below):
        raise InvalidPack(f"codes that are not {count} below {below}")
    return codes.astype(np.int64)
