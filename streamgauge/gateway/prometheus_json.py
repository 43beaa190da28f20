"""Prometheus's JSON: times as seconds, values as strings, both as its Go code formats them."""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal

import numpy as np
import numpy.typing as npt
import orjson

from streamgauge.gateway import points_kernels
from streamgauge.series import labels as series_labels

_AROUND_A_POINT = 32
"""Bytes at most of a time, and of what stands around it and its value."""


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


def success(data: str, warnings: Sequence[str] = (), infos: Sequence[str] = (), explain: str = "") -> str:
    """The document of an answer with this JSON as `data`, and as `explain` if there is any."""
    rest = f',"warnings":{text(list(warnings))}' if warnings else ""
    rest += f',"infos":{text(list(infos))}' if infos else ""
    rest += f',"explain":{explain}' if explain else ""
    return f'{{"status":"success","data":{data}{rest}}}'


def error(kind: str, message: str) -> str:
    """The document of a refusal."""
    return text({"status": "error", "errorType": kind, "error": message})


def scalar(time: int, number: float) -> str:
    """A scalar at a time in ms."""
    return f'{{"resultType":"scalar","result":[{timestamp(time)},"{value(number)}"]}}'


def string(time: int, content: str) -> str:
    """A string at a time in ms."""
    return f'{{"resultType":"string","result":[{timestamp(time)},{text(content)}]}}'


def vector(time: int, labels: Sequence[Mapping[str, str]], numbers: Sequence[float]) -> str:
    """An instant vector at a time in ms: the labels and the value of each series."""
    stamp = timestamp(time)
    found = (
        f'{{"metric":{text(own)},"value":[{stamp},"{value(number)}"]}}'
        for own, number in zip(labels, numbers, strict=True)
    )
    return f'{{"resultType":"vector","result":[{",".join(found)}]}}'


def matrix(
    labels: Sequence[Mapping[str, str]],
    offsets: npt.NDArray[np.int64],
    timestamps: npt.NDArray[np.int64],
    numbers: npt.NDArray[np.float64],
) -> str:
    """A range vector: series i has the points [offsets[i], offsets[i + 1]), at times in ms."""
    numbers = np.ascontiguousarray(numbers[: offsets[-1]])
    size = np.abs(numbers)
    # others are written by orjson as by Go but for whole ones
    rows = np.flatnonzero(~((size >= 1e-4) & (size < 1e15)) & (numbers != 0))
    odd, odd_ends = _joined([value(number).encode() for number in numbers[rows].tolist()])
    heads, head_ends = _joined(
        [f'{{"metric":{text(own)},"values":['.encode(errors="surrogatepass") for own in labels]
    )
    texts = np.frombuffer(orjson.dumps(numbers, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1], np.uint8)
    length = len(heads) + len(texts) + len(odd) + len(numbers) * _AROUND_A_POINT + len(labels) * 3
    out = np.empty(length, np.uint8)
    written = points_kernels.write(heads, head_ends, offsets, timestamps, texts, rows, odd, odd_ends, out)
    found = out[:written].tobytes().decode(errors="surrogatepass")
    return f'{{"resultType":"matrix","result":[{found}]}}'


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
