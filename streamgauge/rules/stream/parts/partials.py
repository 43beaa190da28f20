"""Encoding of a partial: the result of one shard for one group at one tick."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from streamgauge.promql.functions.partials import Columns, Partial
from streamgauge.promql.plan.lanes import LaneAnswer
from streamgauge.rules.stream.parts.label_blocks import Rows, pack_labels, read_labels
from streamgauge.rules.stream.parts.pack import InvalidPack, Packer, Unpacker
from streamgauge.series.ids import from_bytes, to_bytes
from streamgauge.series.samples import Samples

FORMAT = 1


class InvalidPartial(ValueError):
    """Bytes that are no partial, or one of another format, or one that does not fit its rules."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """The samples of a selector in one shard. labels: canonical, of each row."""

    labels: Sequence[bytes]
    samples: Samples


@dataclass(frozen=True, slots=True)
class ShardPartial:
    """What a shard gives for the asks of a group, by their numbers.

    version: of the rule set. answers: of those that it has evaluated alone, but for quiet ones without anything.
    families: what each piece ships of asks that it has evaluated together, by the number of the family in its group.
    failures: why it could not. gathered: by the numbers of the group's gathered selectors, those without series left
    out. seconds, samples: what each ask has cost, float32 and uint32.
    """

    version: str
    tick: int
    shard: int
    answers: Mapping[int, LaneAnswer] = field(default_factory=dict)
    families: Mapping[int, Sequence[Rows]] = field(default_factory=dict)
    failures: Mapping[int, str] = field(default_factory=dict)
    gathered: Mapping[int, Gathered] = field(default_factory=dict)
    seconds: npt.NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    samples: npt.NDArray[np.uint32] = field(default_factory=lambda: np.zeros(0, np.uint32))


def encode(partial: ShardPartial) -> bytes:
    """The bytes of a partial."""
    out = Packer()
    out.number(FORMAT)
    out.blob(partial.version.encode())
    out.long(partial.tick)
    out.number(partial.shard)
    out.array(partial.seconds)
    out.array(partial.samples)
    out.number(len(partial.answers))
    for at, answer in partial.answers.items():
        out.number(at)
        out.number(len(answer.partials))
        for part in answer.partials:
            _pack_part(out, part)
    out.number(len(partial.families))
    for at, family in partial.families.items():
        out.number(at)
        out.number(len(family))
        for rows in family:
            out.blob(rows.labels)
            _pack_columns(out, rows.columns)
    out.number(len(partial.failures))
    for at, text in partial.failures.items():
        out.number(at)
        out.blob(text.encode(errors="replace"))
    out.number(len(partial.gathered))
    for at, gathered in partial.gathered.items():
        out.number(at)
        out.blobs(gathered.labels)
        out.blob(to_bytes(gathered.samples.ids))
        for column in gathered.samples[1:]:
            out.array(column)
    return out.finish()


def decode(data: bytes) -> ShardPartial:
    """The partial.

    :raises InvalidPartial: for anything else than what `encode` gives.
    """
    try:
        read = Unpacker(data)
        if (version := read.number()) != FORMAT:
            raise InvalidPartial(f"format {version} instead of {FORMAT}")
        head = read.text(), read.long(), read.number()
        seconds, samples = read.array("<f4"), read.array("<u4")
        answers, families, failures, gathered = {}, {}, {}, {}
        for _ in range(read.number()):
            at = read.number()
            parts = [_read_part(read) for _ in range(read.number())]
            answers[at] = LaneAnswer(parts, [()] * len(parts), (), 0)
        for _ in range(read.number()):
            at = read.number()
            families[at] = [Rows(read.blob(), _read_columns(read)) for _ in range(read.number())]
        for _ in range(read.number()):
            at = read.number()
            failures[at] = read.text()
        for _ in range(read.number()):
            at = read.number()
            gathered[at] = _read_gathered(read)
        read.end()
    except InvalidPack as fault:
        raise InvalidPartial(str(fault)) from None
    return ShardPartial(*head, answers, families, failures, gathered, seconds, samples)


def _pack_part(out: Packer, part: Partial) -> None:
    pack_labels(out, part.labels)
    _pack_columns(out, part.columns)


def _pack_columns(out: Packer, columns: Columns) -> None:
    out.number(len(columns))
    for name, column in columns.items():
        out.blob(name.encode())
        out.array(column)


def _read_part(read: Unpacker) -> Partial:
    labels = read_labels(read)
    columns = _read_columns(read)
    if not fits(labels.count, columns):
        raise InvalidPartial(f"columns that are not of {labels.count} series")
    return Partial(labels, columns)


def _read_columns(read: Unpacker) -> Columns:
    return {read.text(): read.any_array() for _ in range(read.number())}


def fits(count: int, columns: Columns) -> bool:
    """Whether columns are (rows, steps), or those of samples."""
    if columns.keys() != {"sizes", "timestamps", "values"}:
        shapes = {column.shape for column in columns.values()}
        return len(shapes) == 1 and all(len(shape) == 2 and shape[0] == count for shape in shapes)
    sizes, times, values = (columns[name] for name in ("sizes", "timestamps", "values"))
    kinds = [str(column.dtype) for column in (sizes, times, values)]
    if kinds != ["int64", "int64", "float64"] or sizes.shape != (count,) or times.shape != values.shape:
        return False
    return times.ndim == 1 and not (sizes < 0).any() and int(sizes.sum()) == len(times)


def _read_gathered(read: Unpacker) -> Gathered:
    labels, packed = read.blobs(), read.blob()
    offsets, times, values = read.array("<i8"), read.array("<i8"), read.array("<f8")
    if len(packed) != 16 * len(labels) or len(offsets) != len(labels) + 1 or len(times) != len(values):
        raise InvalidPartial("gathered columns of different lengths")
    if offsets[0] != 0 or offsets[-1] != len(times) or (np.diff(offsets) < 0).any():
        raise InvalidPartial("gathered offsets out of order")
    return Gathered(labels, Samples(from_bytes(packed), offsets, times, values))
