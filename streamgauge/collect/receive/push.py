"""JSON samples: one object, a list of them, or one object a line.

{"metric": "name", "labels": {"a": "b"}, "value": 1.5, "timestamp": 1700000000000}; `labels` may be left
out, and `timestamp` (ms) too: it is then the time of arrival. Instead of these two, `values` and
`timestamps` may be lists of equal length. A value may be spelled "NaN", "+Inf" or "-Inf".
"""

import json
import math
import re
from array import array
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from schemas import limits
from schemas.limits import ExceededLimit
from streamgauge.collect.incoming.faults import InvalidRequest, RequestFault
from streamgauge.collect.incoming.refusals import Refusals
from streamgauge.collect.incoming.rows import Rows
from streamgauge.collect.incoming.series_table import SeriesTable
from streamgauge.collect.receive.remote_write import LABEL_FAULTS
from streamgauge.series import labels as series_labels
from streamgauge.series.labels import InvalidLabels

KEYS = {"metric", "labels", "value", "timestamp", "values", "timestamps"}
NUMBERS = {"NaN": math.nan, "Inf": math.inf, "+Inf": math.inf, "-Inf": -math.inf}
MAX_OBJECT_CHARACTERS = 1024 * 1024
"""The longest object; a body may hold any number of them."""
_TIMES = range(-(1 << 63), 1 << 63)


class Pushed(NamedTuple):
    """A decoded request: its samples and the refused ones."""

    rows: Rows
    refused: Refusals


def decode(body: bytes, table: SeriesTable, now: int) -> Pushed:
    """Read pushed samples; a series whose labels exceed a limit is refused by itself.

    :param now: the time in ms of those that carry none.
    :raises InvalidRequest: naming the index of the object and its field.
    """
    refused = Refusals()
    canonicals, counts = [], []
    timestamps, values = array("q"), array("d")
    for index, entry in enumerate(_entries(body)):
        try:
            canonical, exceeded = _canonical(entry, index), None
        except ExceededLimit as fault:
            canonical, exceeded = b"", fault
        taken = _values(entry, index)
        times = _times(entry, index, len(taken), now)
        if exceeded is not None:
            refused.add_series(exceeded, len(taken), times[0] if times else 0)
            continue
        canonicals.append(canonical)
        counts.append(len(taken))
        timestamps.extend(times)
        values.extend(taken)
    rows = Rows(
        np.array([table.intern(canonical) for canonical in canonicals], np.int64),
        np.array(counts, np.int64),
        np.array(timestamps, np.int64),
        np.array(values, np.float64),
    )
    return Pushed(rows, refused)


def _entries(body: bytes) -> Iterator[Any]:
    """The objects of a list, or one a line."""
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise InvalidRequest(RequestFault.NOT_JSON, str(error)[:200]) from None
    objects = _Objects(text)
    at = objects.after_space(0)
    if text.startswith("[", at):
        at = objects.after_space(at + 1)
        end = text.startswith("]", at)
        while not end:
            yield objects.read(at)
            at = objects.after_space(objects.end)
            end = text.startswith("]", at)
            if not end and not text.startswith(",", at):
                raise objects.fault("expecting ',' or ']'", at)
            at = objects.after_space(at + 1)
        if objects.after_space(at + 1) < len(text):
            raise objects.fault("extra data", at)
        return
    while True:
        yield objects.read(at)
        at = objects.after_space(objects.end)
        if at >= len(text):
            return
        if "\n" not in text[objects.end : at]:
            raise objects.fault("expected one object per line, or a list", at)


class _Objects:
    """Reads a text object by object: the decoder stops all other threads while it reads one."""

    def __init__(self, text: str) -> None:
        self.end = 0
        self._text = text
        self._count = 0
        self._start, self._window = 0, text[:MAX_OBJECT_CHARACTERS]

    def read(self, at: int) -> Any:
        """The object, or whatever JSON there is, that begins at `at`; `end` is then where it ends.

        :raises InvalidRequest: if there is none, or one that is too long.
        """
        try:
            found, end = self._decoded(at)
        except (ValueError, RecursionError) as error:
            detail = f"sample {self._count}: {str(error)[:200]}"
            if isinstance(error, json.JSONDecodeError):
                detail = f"sample {self._count}: {error.msg} at character {self._start + error.pos}"
            if len(self._text) - self._start > MAX_OBJECT_CHARACTERS:
                detail += f"; an object is at most {MAX_OBJECT_CHARACTERS} characters long"
            raise InvalidRequest(RequestFault.NOT_JSON, detail) from None
        self.end = self._start + end
        self._count += 1
        return found

    def _decoded(self, at: int) -> tuple[Any, int]:
        try:
            return _JSON.raw_decode(self._window, at - self._start)
        except ValueError:
            if at == self._start or self._start + len(self._window) == len(self._text):
                raise
        # the window may have ended within the object
        self._start, self._window = at, self._text[at : at + MAX_OBJECT_CHARACTERS]
        return _JSON.raw_decode(self._window, 0)

    def after_space(self, at: int) -> int:
        """Where something else than space begins."""
        found = _SPACE.match(self._text, at)
        return found.end() if found else at

    def fault(self, words: str, at: int) -> InvalidRequest:
        """What is wrong at a place between objects."""
        return InvalidRequest(
            RequestFault.NOT_JSON, f"{words} at character {at}, after sample {self._count - 1}"
        )


def _not_json(constant: str) -> None:
    raise ValueError(f'{constant} is not JSON; write "{constant}" as a string')


_JSON = json.JSONDecoder(parse_constant=_not_json)
_SPACE = re.compile(r"[ \t\r\n]*")


def _canonical(entry: Any, index: int) -> bytes:
    if not isinstance(entry, dict):
        raise _fault(index, "", f"expected an object, not {type(entry).__name__}")
    for key in entry.keys() - KEYS:
        raise _fault(index, key, "unknown field")
    metric, labels = entry.get("metric"), entry.get("labels", {})
    if not isinstance(metric, str) or not metric:
        raise _fault(index, "metric", "expected a metric name")
    if not isinstance(labels, dict) or not all(isinstance(value, str) for value in labels.values()):
        raise _fault(index, "labels", "expected an object of strings")
    if series_labels.NAME in labels:
        raise _fault(index, "labels", f"{series_labels.NAME} is set by metric")
    try:
        canonical = series_labels.canonical({**labels, series_labels.NAME: metric})
        limits.check(canonical)
    except ExceededLimit:
        raise
    except InvalidLabels as error:
        raise InvalidRequest(LABEL_FAULTS[error.reason], f"sample {index}, labels: {error.detail}") from None
    return canonical


def _values(entry: dict[str, Any], index: int) -> list[float]:
    if "values" not in entry:
        return [_number(entry.get("value"), index, "value")]
    if "value" in entry or not isinstance(entry["values"], list):
        raise _fault(index, "values", "expected a list, and no value beside it")
    return [_number(value, index, "values") for value in entry["values"]]


def _times(entry: dict[str, Any], index: int, count: int, now: int) -> list[int]:
    if "values" not in entry:
        if "timestamps" in entry:
            raise _fault(index, "timestamps", "only allowed beside values")
        return [_time(entry["timestamp"], index, "timestamp") if "timestamp" in entry else now]
    times = entry.get("timestamps")
    if "timestamp" in entry or not isinstance(times, list) or len(times) != count:
        raise _fault(
            index, "timestamps", f"expected a list of {count} timestamps, and no timestamp beside it"
        )
    return [_time(time, index, "timestamps") for time in times]


def _number(value: Any, index: int, field: str) -> float:
    if isinstance(value, str) and value in NUMBERS:
        return NUMBERS[value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _fault(index, field, f"expected a number, not {value!r:.50}")
    try:
        return float(value)
    except OverflowError:
        raise _fault(index, field, "expected a number that fits a float64") from None


def _time(value: Any, index: int, field: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value not in _TIMES:
        raise _fault(index, field, f"expected whole milliseconds, not {value!r:.50}")
    return value


def _fault(index: int, field: str, text: str) -> InvalidRequest:
    return InvalidRequest(RequestFault.NOT_A_SAMPLE, f"sample {index}{field and ', '}{field}: {text}")
