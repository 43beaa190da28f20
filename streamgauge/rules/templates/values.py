"""The values that templates work on, and what Go calls their types.

Strings, booleans, ints, floats and None are Python's own. A map from strings to strings is a dict, one to any
value is `Args`; lists are the results of queries.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

Value: TypeAlias = Any
"""One of the types of this module, or Python's."""

SECOND_NS = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Sample:
    """A series and its value, as `query` gives them."""

    Labels: dict[str, str]
    Value: float


@dataclass(frozen=True, slots=True)
class AlertData:
    """What a template is about: the fields of the outermost dot."""

    Labels: dict[str, str]
    ExternalLabels: dict[str, str]
    ExternalURL: str
    Value: float


class Args(dict[str, Value]):
    """What `args` gives: arg0, arg1 and so on."""


@dataclass(frozen=True, slots=True)
class Time:
    """A time in milliseconds since 1970."""

    ms: int

    @property
    def date(self) -> datetime:
        """The same as a date."""
        return _EPOCH + timedelta(milliseconds=self.ms)

    def __str__(self) -> str:
        seconds, fraction = divmod(self.ms, 1000)
        digits = f".{fraction:03}".rstrip("0") if fraction else ""
        return f"{_EPOCH + timedelta(seconds=seconds):%Y-%m-%d %H:%M:%S}{digits} +0000 UTC"


@dataclass(frozen=True, slots=True)
class Duration:
    """A length of time in nanoseconds."""

    ns: int

    def __str__(self) -> str:
        sign = "-" if self.ns < 0 else ""
        ns = abs(self.ns)
        if ns == 0:
            return "0s"
        for size, unit in ((1000, "ns"), (1_000_000, "µs"), (SECOND_NS, "ms")):
            if ns < size:
                return f"{sign}{_decimal(ns, max(1, size // 1000))}{unit}"
        minutes, rest = divmod(ns, 60 * SECOND_NS)
        text = f"{_decimal(rest, SECOND_NS)}s"
        if minutes:
            hours, minutes = divmod(minutes, 60)
            text = (f"{hours}h" if hours else "") + f"{minutes}m{text}"
        return sign + text


def _decimal(amount: int, unit: int) -> str:
    whole, rest = divmod(amount, unit)
    return f"{whole}.{str(rest).zfill(len(str(unit)) - 1).rstrip('0')}" if rest else str(whole)


def type_name(value: Value) -> str:
    """What Go calls the type of a value."""
    match value:
        case None:
            return "<nil>"
        case bool():
            return "bool"
        case str():
            return "string"
        case int():
            return "int"
        case float():
            return "float64"
        case Args():
            return "map[string]interface {}"
        case dict():
            return "map[string]string"
        case list():
            return "template.queryResult"
        case Sample():
            return "*template.sample"
        case Time():
            return "*time.Time"
        case Duration():
            return "*time.Duration"
    return "struct"


def is_true(value: Value) -> bool:
    """Whether `if` takes a value for true: not nil, false, 0 or empty."""
    if isinstance(value, Sample | AlertData | Time | Duration):
        return True
    return bool(value)
