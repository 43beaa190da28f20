"""Prometheus's JSON: times as seconds, values as strings, both as its Go code formats them."""

import json
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

from streamgauge.series import labels as series_labels
from streamgauge.series.samples import Samples


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


def success(data: str, warnings: Sequence[str] = ()) -> str:
    """The document of an answer with this JSON as `data`."""
    rest = f',"warnings":{text(list(warnings))}' if warnings else ""
    return f'{{"status":"success","data":{data}{rest}}}'


def error(kind: str, message: str) -> str:
    """The document of a refusal."""
    return text({"status": "error", "errorType": kind, "error": message})


def vector(samples: Samples, labels: Sequence[bytes], rows: Iterable[int]) -> str:
    """An instant vector: the one sample of each of these rows."""
    found = (
        f'{{"metric":{_metric(labels[row])},"value":[{timestamp(time)},"{value(number)}"]}}'
        for row, times, numbers in _series(samples, rows)
        for time, number in zip(times, numbers, strict=True)
    )
    return f'{{"resultType":"vector","result":[{",".join(found)}]}}'


def matrix(samples: Samples, labels: Sequence[bytes], rows: Iterable[int]) -> str:
    """A range vector: all samples of each of these rows."""
    found = []
    stamps = _Stamps()
    for row, times, numbers in _series(samples, rows):
        points = [f'[{stamps[time]},"{text}"]' for time, text in zip(times, values(numbers), strict=True)]
        found.append(f'{{"metric":{_metric(labels[row])},"values":[{",".join(points)}]}}')
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


def _metric(data: bytes) -> str:
    return text(label_set(data))


def _series(samples: Samples, rows: Iterable[int]) -> Iterator[tuple[int, list[int], list[float]]]:
    for row in rows:
        own = slice(samples.offsets[row], samples.offsets[row + 1])
        yield row, samples.timestamps[own].tolist(), samples.values[own].tolist()
