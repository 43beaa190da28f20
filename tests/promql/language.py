"""The language of the files in cases/: samples and what queries give on them, side by side.

    data every 1m                       starts over: the first sample is at 0, the next a minute later
        up{job="a"} 1 _ 1 stale 0+5x3     a gap is _, and 0+5x3 is 0 5 10 15
    at 5m: sum(up)                      an instant query; its series follow, none if there are none
        {} 3
    from 0 to 5m every 1m: up           a range query; a value or _ for every step
        up{job="a"} 1 1 1 _ 0 5
    at 0: time()
        = 0                             a scalar or a string has no labels
    at 5m: sum(up                       `fails:`, `warns:` and `informs:` give the text of an error or of
        fails: 1:7: ...                 a remark; every remark has to be there

After `in order` the series have to come in the order in which they stand. A # starts a line of comment.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from streamgauge.promql.syntax import literals
from streamgauge.promql.syntax.parser import parse
from streamgauge.series.labels import canonical
from streamgauge.series.matchers import fulfils
from streamgauge.series.samples import STALE, Samples

_RUN = re.compile(r"(?P<first>[^x]+?)(?P<slope>[+-][0-9.]+)?x(?P<times>\d+)")
_INSTANT = re.compile(r"at (\S+): (.*)")
_RANGE = re.compile(r"from (\S+) to (\S+) every (\S+): (.*)")


class Memory:
    """A source of samples that holds them in memory."""

    def __init__(self) -> None:
        self.series = {}

    def add(self, labels, samples):
        """Put samples, (time in ms, value) pairs, to a series."""
        if samples:
            self.series.setdefault(canonical(labels), {}).update(samples)

    def fetch(self, matchers, start_ms, end_ms):
        """What `streamgauge.promql.data.query.Source` asks for."""
        named = [(matcher.name.encode(), matcher) for matcher in matchers]
        rows = [
            (labels, inside)
            for labels, samples in sorted(self.series.items())
            if fulfils(labels, named)
            and (inside := sorted(item for item in samples.items() if start_ms <= item[0] <= end_ms))
        ]
        flat = [item for _, inside in rows for item in inside]
        return [labels for labels, _ in rows], Samples(
            np.array([(0, row) for row in range(len(rows))], np.uint64).reshape(-1, 2),
            np.cumsum([0, *(len(inside) for _, inside in rows)], dtype=np.int64),
            np.array([time for time, _ in flat], np.int64),
            np.array([value for _, value in flat], np.float64),
        )


@dataclass
class Case:
    """A query and what it has to give. step is 0 for an instant query; all times in ms."""

    file: str
    line: int
    memory: Memory
    start: int
    end: int
    step: int
    query: str
    series: list[tuple[dict[str, str], list[float | None]]] = field(default_factory=list)
    plain: str | None = None
    remarks: dict[str, list[str]] = field(default_factory=dict)
    in_order: bool = False

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


def read(path: Path) -> Iterator[Case]:
    """The cases of a file."""
    memory, every, case = Memory(), 0, None
    for number, line in enumerate(path.read_text().splitlines(), 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        if not line.startswith(" "):
            if case is not None:
                yield case
            case = None
            if text.startswith("data every "):
                memory, every = Memory(), time(text.removeprefix("data every "))
            else:
                case = _case(text, memory, f"{path.name}", number)
        elif case is None:
            labels, values = series(text)
            memory.add(labels, {at * every: value for at, value in enumerate(values) if value is not None})
        else:
            _expect(case, text)
    if case is not None:
        yield case


def series(text: str) -> tuple[dict[str, str], list[float | None]]:
    """Labels and values of a line; None is a gap."""
    end = text.rfind("}") + 1 or text.index(" ")
    selector, numbers = text[:end], text[end:].split()
    labels = {}
    if selector != "{}":
        labels = {matcher.name: matcher.value for matcher in parse(selector).conditions}
    return labels, [value for number in numbers for value in _values(number)]


def time(text: str) -> int:
    """A time since the start in ms, 0 or a duration."""
    return -time(text[1:]) if text.startswith("-") else 0 if text == "0" else literals.duration(text)


def _case(text: str, memory: Memory, file: str, number: int) -> Case:
    if instant := _INSTANT.fullmatch(text):
        at = time(instant[1])
        return Case(file, number, memory, at, at, 0, instant[2])
    ranged = _RANGE.fullmatch(text)
    if ranged is None:
        raise ValueError(f"{file}:{number}: neither samples nor a query: {text}")
    return Case(file, number, memory, *(time(part) for part in ranged.groups()[:3]), ranged[4])


def _expect(case: Case, text: str) -> None:
    kind, _, message = text.partition(": ")
    if kind in ("fails", "warns", "informs"):
        case.remarks.setdefault(kind, []).append(message)
    elif text == "in order":
        case.in_order = True
    elif text.startswith("= "):
        case.plain = text.removeprefix("= ")
    else:
        case.series.append(series(text))


def _values(text: str) -> list[float | None]:
    if text in ("_", "stale"):
        return [None if text == "_" else STALE]
    run = _RUN.fullmatch(text)
    if run is None:
        return [literals.number(text)]
    [first] = _values(run["first"])
    slope, times = float(run["slope"] or 0), int(run["times"])
    # as many gaps or markers as it says, but a number and so many after it
    if first is None or run["first"] == "stale":
        return [first] * times
    return [first + slope * number for number in range(times + 1)]
