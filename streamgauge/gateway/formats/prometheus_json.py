"""Results as Prometheus's JSON: times as seconds, values as strings, both as its Go code formats them."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import orjson

from streamgauge.gateway.formats import points_kernels
from streamgauge.gateway.formats.bodies import gathered
from streamgauge.promql.data.labels import LabelTable
from streamgauge.promql.data.vectors import Matrix, Vector
from streamgauge.promql.engine.evaluator import Result, size
from streamgauge.series import labels as series_labels

POINTS = 16_384
"""Of a range vector that are written at once."""
_SERIES_END = b"]}"


def value(number: float) -> str:
    """The shortest digits that read back the same; an exponent below 1e-6 and from 1e21 on."""
    text = repr(number)
    if text.endswith(".0"):
        return text[:-2]
    if "n" in text:
        return {"nan": "NaN", "inf": "+Inf", "-inf": "-Inf"}[text]
    if "e" in text and 1e-6 <= abs(number) < 1e21:
        return format(Decimal(text), "f")
    return text


def timestamp(milliseconds: int) -> str:
    """Seconds, with three decimals unless they are whole."""
    seconds, rest = divmod(abs(milliseconds), 1000)
    sign = "-" if milliseconds < 0 else ""
    return f"{sign}{seconds}.{rest:03}" if rest else f"{sign}{seconds}"


def text(content: object) -> str:
    """Any JSON value, as compact as Prometheus writes it."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def parts(content: object) -> Iterator[str]:
    """Any JSON value as `text` writes it, in parts: items of lists, and of iterators, one by one."""
    if isinstance(content, list | Iterator):
        comma = "["
        for each in content:
            yield comma
            yield from parts(each)
            comma = ","
        yield "[]" if comma == "[" else "]"
    elif isinstance(content, dict) and any(isinstance(each, list | Iterator) for each in content.values()):
        comma = "{"
        for key, each in content.items():
            yield f"{comma}{text(key)}:"
            yield from parts(each)
            comma = ","
        yield "}"
    else:
        yield text(content)


def success(warnings: Sequence[str] = (), infos: Sequence[str] = (), explain: str = "") -> tuple[str, str]:
    """The document of an answer, before and after the JSON of its `data`. explain: JSON, if there is any."""
    rest = f',"warnings":{text(list(warnings))}' if warnings else ""
    rest += f',"infos":{text(list(infos))}' if infos else ""
    rest += f',"explain":{explain}' if explain else ""
    return '{"status":"success","data":', f"{rest}}}"


def error(kind: str, message: str) -> str:
    """The document of a refusal."""
    return text({"status": "error", "errorType": kind, "error": message})


def scalar(time: int, number: float) -> str:
    """A scalar at a time in ms."""
    return f'{{"resultType":"scalar","result":[{timestamp(time)},"{value(number)}"]}}'


def string(time: int, content: str) -> str:
    """A string at a time in ms."""
    return f'{{"resultType":"string","result":[{timestamp(time)},{text(content)}]}}'


def vector(time: int, series: Iterable[tuple[Mapping[str, str], float]]) -> Iterator[str]:
    """An instant vector at a time in ms: the labels and the value of each series. In parts."""
    stamp, comma = timestamp(time), ""
    yield '{"resultType":"vector","result":['
    for own, number in series:
        yield f'{comma}{{"metric":{text(own)},"value":[{stamp},"{value(number)}"]}}'
        comma = ","
    yield "]}"


class Rows(NamedTuple):
    """Some series of a range vector: series i has the points [offsets[i], offsets[i + 1]), at times in ms."""

    labels: Sequence[Mapping[str, str]]
    offsets: npt.NDArray[np.int64]
    timestamps: npt.NDArray[np.int64]
    numbers: npt.NDArray[np.float64]


def matrix(parts: Iterable[Rows]) -> Iterator[bytes]:
    """A range vector, in parts; it takes the memory of `POINTS` points at a time."""
    comma = b""
    yield b'{"resultType":"matrix","result":['
    for rows in parts:
        for number, piece in enumerate(_series(rows)):
            yield piece if number else comma + piece
            comma = b","
    yield b"]}"


def _series(rows: Rows) -> Iterator[bytes]:
    """Series with commas between, a long one in several pieces."""
    begin, count = 0, len(rows.labels)
    while begin < count:
        # as many as have so many points together, but one at least
        end = int(np.searchsorted(rows.offsets, rows.offsets[begin] + POINTS, "right")) - 1
        end = min(max(end, begin + 1), count)
        heads = [
            f'{{"metric":{text(own)},"values":['.encode(errors="replace") for own in rows.labels[begin:end]
        ]
        comma = b"," if begin else b""
        for piece in _pieces(heads, rows, begin, end):
            yield comma + piece
            comma = b""
        begin = end


def _pieces(heads: list[bytes], rows: Rows, begin: int, end: int) -> Iterator[bytes]:
    first, last = int(rows.offsets[begin]), int(rows.offsets[end])
    if last - first <= POINTS:
        yield _written(heads, rows.offsets[begin : end + 1] - first, rows, first, last)
        return
    # one series: what begins and ends it stands around all of its pieces
    for start in range(first, last, POINTS):
        stop = min(start + POINTS, last)
        offsets = np.array([0, stop - start])
        piece = _written(heads if start == first else [b","], offsets, rows, start, stop)
        yield piece if stop == last else piece[: -len(_SERIES_END)]


def _written(heads: list[bytes], offsets: npt.NDArray[np.int64], rows: Rows, first: int, last: int) -> bytes:
    numbers = np.ascontiguousarray(rows.numbers[first:last])
    size = np.abs(numbers)
    # others are written by orjson as by Go but for whole ones
    odd_rows = np.flatnonzero(~((size >= 1e-4) & (size < 1e15)) & (numbers != 0))
    odd, odd_ends = _joined([value(number).encode() for number in numbers[odd_rows].tolist()])
    joined, head_ends = _joined(heads)
    texts = np.frombuffer(orjson.dumps(numbers, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1], np.uint8)
    around = len(numbers) * points_kernels.AROUND_A_POINT + len(heads) * points_kernels.AROUND_A_SERIES
    out = np.empty(len(joined) + len(texts) + len(odd) + around, np.uint8)
    timestamps = np.ascontiguousarray(rows.timestamps[first:last])
    written = points_kernels.write(
        joined, head_ends, offsets, timestamps, texts, odd_rows, odd, odd_ends, out
    )
    return out[:written].tobytes()


def _joined(parts: Sequence[bytes]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Texts one after the other, and where each ends."""
    ends = np.cumsum(np.array([len(part) for part in parts], np.int64))
    return np.frombuffer(b"".join(parts), np.uint8), ends


def label_set(data: bytes) -> dict[str, str]:
    """The labels that canonical bytes hold, in their order."""
    parts = data.decode(errors="surrogateescape").split("\udcff")
    return dict(zip(parts[::2], parts[1::2], strict=True))


def by_labels(data: bytes) -> list[bytes]:
    """The key by which Prometheus sorts series."""
    return data.split(series_labels.SEPARATOR)


ROWS = 256
VALUES = 65_536
"""So many series, and values of steps, are looked at at a time; one series at least."""


def instant(result: Result, limit: int | None, hold: Callable[[int], None]) -> tuple[list[bytes], bool]:
    """The `data` of an instant query, and whether it was cut to `limit` series.

    :param hold: is told how many bytes the result and its JSON take.
    """
    value, time = result.value, int(result.times[0])
    if isinstance(value, str):
        found: Iterator[str | bytes] = iter([string(time, value)])
    elif isinstance(value, Matrix):
        found = matrix(_of_matrix(value, limit))
    elif isinstance(value, Vector):
        found = vector(time, _of_vector(value, limit))
    else:
        found = iter([scalar(time, float(value[0]))])
    return _gathered(found, result, limit, hold)


def ranged(result: Result, limit: int | None, hold: Callable[[int], None]) -> tuple[list[bytes], bool]:
    """The `data` of a range query, and whether it was cut to `limit` series.

    :param hold: is told how many bytes the result and its JSON take.
    :raises TypeError: for a result that no range query has.
    """
    value = result.value
    if isinstance(value, np.ndarray):
        rows = Rows([{}], np.array([0, len(value)]), result.times, value)
        return _gathered(matrix([rows]), result, limit, hold)
    if not isinstance(value, Vector):
        raise TypeError("a range query gives scalars and vectors only")
    if len(result.times) == 1:
        # the order of an instant means something, that of a range does not
        value = value.take(value.labels.order())
    return _gathered(matrix(_of_steps(value, result, limit)), result, limit, hold)


def _gathered(
    parts: Iterator[str] | Iterator[bytes] | Iterator[str | bytes],
    result: Result,
    limit: int | None,
    hold: Callable[[int], None],
) -> tuple[list[bytes], bool]:
    before = size(result.value)
    found = gathered(parts, lambda more: hold(before + more))
    value = result.value
    is_cut = isinstance(value, Vector | Matrix) and limit is not None and value.labels.count > limit
    return found, is_cut


def _labels(
    table: LabelTable, limit: int | None, most: int = ROWS
) -> Iterator[tuple[int, list[dict[str, str]]]]:
    """The labels of some series at a time, and the row of the first of them."""
    count = table.count if limit is None else min(limit, table.count)
    size = max(1, min(most, ROWS))
    for begin in range(0, count, size):
        yield begin, table.take(np.arange(begin, min(begin + size, count))).rows()


def _of_vector(vector: Vector, limit: int | None) -> Iterator[tuple[dict[str, str], float]]:
    for begin, labels in _labels(vector.labels, limit):
        yield from zip(labels, vector.values[begin : begin + len(labels), 0].tolist(), strict=True)


def _of_matrix(matrix: Matrix, limit: int | None) -> Iterator[Rows]:
    for begin, labels in _labels(matrix.labels, limit):
        offsets = matrix.offsets[begin : begin + len(labels) + 1]
        yield Rows(labels, offsets, matrix.timestamps, matrix.values)


def _of_steps(vector: Vector, result: Result, limit: int | None) -> Iterator[Rows]:
    for begin, labels in _labels(vector.labels, limit, VALUES // max(1, len(result.times))):
        chosen = slice(begin, begin + len(labels))
        rows, steps = np.nonzero(vector.present[chosen])
        offsets = np.searchsorted(rows, np.arange(len(labels) + 1))
        yield Rows(labels, offsets, result.times[steps], vector.values[chosen][rows, steps])
