"""Prometheus's JSON: times as seconds, values as strings, both as its Go code formats them."""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal

import numpy as np
import numpy.typing as npt

from streamgauge.series import labels as series_labels


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


def values(numbers: list[float]) -> list[str]:
    """`value` of each number of a list that is not empty."""
    joined = repr(numbers)[1:-1]
    if "e" in joined or "n" in joined:
        return [value(number) for number in numbers]
    # digits in one piece are written and cut several times as fast as one by one
    return f"{joined}, ".replace(".0, ", ", ")[:-2].split(", ")


def timestamp(milliseconds: int) -> str:
    """Seconds, with three decimals unless they are whole."""
    seconds, rest = divmod(abs(milliseconds), 1000)
    sign = "-" if milliseconds < 0 else ""
    return f"{sign}{seconds}.{rest:03}" if rest else f"{sign}{seconds}"


def text(content: object) -> str:
    """Any JSON value, as compact as Prometheus writes it."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def success(data: str, warnings: Sequence[str] = (), infos: Sequence[str] = ()) -> str:
    """The document of an answer with this JSON as `data`."""
    rest = f',"warnings":{text(list(warnings))}' if warnings else ""
    rest += f',"infos":{text(list(infos))}' if infos else ""
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
    found = []
    stamps = _Stamps()
    for row, own in enumerate(labels):
        part = slice(offsets[row], offsets[row + 1])
        texts = values(numbers[part].tolist())
        times = timestamps[part].tolist()
        points = [f'[{stamps[time]},"{number}"]' for time, number in zip(times, texts, strict=True)]
        found.append(f'{{"metric":{text(own)},"values":[{",".join(points)}]}}')
    return f'{{"resultType":"matrix","result":[{",".join(found)}]}}'


def label_set(data: bytes) -> dict[str, str]:
    """The labels that canonical bytes hold, in their order."""
    parts = data.decode(errors="surrogateescape").split("\udcff")
    return dict(zip(parts[::2], parts[1::2], strict=True))


def by_labels(data: bytes) -> list[bytes]:
    """The key by which Prometheus sorts series."""
    return data.split(series_labels.SEPARATOR)


class _Stamps(dict[int, str]):
    """Times as text, each written once: series mostly share them."""

    def __missing__(self, time: int) -> str:
        self[time] = written = timestamp(time)
        return written
