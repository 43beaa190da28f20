"""What one shard gives for one group at one tick, as bytes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from streamgauge.promql.labels import Column, LabelTable
from streamgauge.promql.lanes import LaneAnswer
from streamgauge.promql.partials import Partial
from streamgauge.rules.stream.pack import InvalidPack, Packer, Unpacker
from streamgauge.series.ids import from_bytes, to_bytes
from streamgauge.series.samples import Samples

FORMAT = 1
_CODE_TYPES = (np.uint8, np.uint16, np.uint32)


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

    version: of the rule set. answers: of those that it could evaluate, but for quiet ones without anything.
    failures: why it could not. gathered: by the numbers of the group's gathered selectors, those without series left
    out. seconds, samples: what each ask has cost, float32 and uint32.
    """

    version: str
    tick: int
    shard: int
    answers: Mapping[int, LaneAnswer] = field(default_factory=dict)
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
        head = read.blob().decode(), read.long(), read.number()
        seconds, samples = read.array("<f4"), read.array("<u4")
        answers, failures, gathered = {}, {}, {}
        for _ in range(read.number()):
            at = read.number()
            parts = [_read_part(read) for _ in range(read.number())]
            answers[at] = LaneAnswer(parts, [()] * len(parts), (), 0)
        for _ in range(read.number()):
            at = read.number()
            failures[at] = read.blob().decode()
        for _ in range(read.number()):
            at = read.number()
            gathered[at] = _read_gathered(read)
        read.end()
    except (InvalidPack, UnicodeDecodeError) as fault:
        raise InvalidPartial(str(fault)) from None
    return ShardPartial(*head, answers, failures, gathered, seconds, samples)


def _pack_part(out: Packer, part: Partial) -> None:
    labels = part.labels
    out.number(labels.count)
    out.number(len(labels.columns))
    for name, (codes, values) in labels.columns.items():
        # only the values that occur, the absent one first as in every table
        used, codes = np.unique(np.append(codes, 0), return_inverse=True)
        out.blob(name.encode())
        out.texts([values[code] for code in used.tolist()])
        kind = next(kind for kind in _CODE_TYPES if len(used) <= np.iinfo(kind).max)
        out.array(codes[:-1].astype(kind))
    out.number(len(part.columns))
    for name, column in part.columns.items():
        out.blob(name.encode())
        out.array(column)


def _read_part(read: Unpacker) -> Partial:
    count = read.number()
    labels: dict[str, Column] = {}
    for _ in range(read.number()):
        name, values = read.blob().decode(), read.texts()
        codes = read.any_array()
        if codes.dtype not in _CODE_TYPES or codes.shape != (count,) or values[:1] != [""]:
            raise InvalidPartial(f"a label {name!r} that is none")
        if codes.max(initial=0) >= len(values):
            raise InvalidPartial(f"a code without a value of the label {name!r}")
        labels[name] = Column(codes.astype(np.int64), values)
    columns: dict[str, npt.NDArray[Any]] = {}
    for _ in range(read.number()):
        name = read.blob().decode()
        columns[name] = read.any_array()
    if not _fits(count, columns):
        raise InvalidPartial(f"columns that are not of {count} series")
    return Partial(LabelTable(count, labels), columns)


def _fits(count: int, columns: Mapping[str, npt.NDArray[Any]]) -> bool:
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
