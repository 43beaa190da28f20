"""A lane's answer as bytes, to cross a network: one Arrow record batch, an array a row, its body compressed with lz4.

The schema's metadata say in JSON what the rows are.
"""

import json
from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from streamgauge.promql.annotations import Remark
from streamgauge.promql.labels import Column, LabelTable
from streamgauge.promql.lanes import LaneAnswer
from streamgauge.promql.partials import Partial

FORMAT = 1
_KEY = b"streamgauge"
_TYPES = {"f8": np.dtype("<f8"), "i8": np.dtype("<i8"), "b1": np.dtype(bool)}


class InvalidLaneAnswer(ValueError):
    """Bytes that are no answer of a lane, or one of another format."""


def encode(answer: LaneAnswer) -> bytes:
    """The bytes of an answer."""
    rows: list[bytes] = []
    described = {
        "format": FORMAT,
        "series": list(answer.series),
        "samples": answer.samples,
        "remarks": [list(remarks) for remarks in answer.remarks],
        "partials": [_described(partial, rows) for partial in answer.partials],
    }
    schema = pa.schema([("array", pa.large_binary())], metadata={_KEY: json.dumps(described).encode()})
    batch = pa.record_batch([pa.array(rows, pa.large_binary())], schema=schema)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue())


def decode(data: bytes) -> LaneAnswer:
    """The answer.

    :raises InvalidLaneAnswer: for anything else than what `encode` gives.
    """
    try:
        with pa.ipc.open_stream(data, options=pa.ipc.IpcReadOptions(use_threads=False)) as reader:
            described = json.loads(reader.schema.metadata[_KEY])
            if described["format"] != FORMAT:
                raise InvalidLaneAnswer(f"format {described['format']} instead of {FORMAT}")
            batch = reader.read_next_batch()
            batch.validate(full=True)
            rows = iter(batch.column(0).to_pylist())
            return LaneAnswer(
                [_partial(each, rows) for each in described["partials"]],
                [[Remark(*remark) for remark in remarks] for remarks in described["remarks"]],
                [int(count) for count in described["series"]],
                int(described["samples"]),
            )
    except (pa.ArrowInvalid, KeyError, TypeError, ValueError, StopIteration, OSError) as error:
        raise InvalidLaneAnswer(str(error)) from error


def _described(partial: Partial, rows: list[bytes]) -> dict[str, Any]:
    columns = {}
    for name, array in partial.columns.items():
        columns[name] = [array.dtype.str[1:], list(array.shape)]
        packed = np.packbits(array) if array.dtype == np.bool_ else array
        rows.append(np.ascontiguousarray(packed).tobytes())
    for codes, values in partial.labels.columns.values():
        # only the values that occur, the absent one first as in every table
        used = np.unique(np.append(codes, 0))
        rows.append(np.searchsorted(used, codes).astype(np.int64).tobytes())
        rows.append(json.dumps([values[code] for code in used.tolist()]).encode())
    return {"count": partial.labels.count, "columns": columns, "labels": list(partial.labels.columns)}


def _partial(described: dict[str, Any], rows: Iterator[bytes]) -> Partial:
    columns = {name: _array(next(rows), *kind) for name, kind in described["columns"].items()}
    labels, count = {}, int(described["count"])
    for name in described["labels"]:
        codes, values = _array(next(rows), "i8", [count]), json.loads(next(rows))
        if count and not (codes.min() >= 0 and codes.max() < len(values)):
            raise InvalidLaneAnswer("a code without a value")
        labels[name] = Column(codes, values)
    return Partial(LabelTable(count, labels), columns)


def _array(data: bytes, kind: str, shape: list[int]) -> npt.NDArray[Any]:
    size = prod(shape)
    if kind == "b1":
        bits = np.unpackbits(np.frombuffer(data, np.uint8))
        if not size <= len(bits) < size + 8:
            raise InvalidLaneAnswer("an array of another size")
        return bits[:size].astype(bool).reshape(shape)
    return np.frombuffer(data, _TYPES[kind]).reshape(shape)
