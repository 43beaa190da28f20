"""The values that templates work on, and what Go calls their types.

Strings, booleans, ints, floats and None are Python's own. A map from strings to strings is a dict, one to any
value is `Args`; lists are the results of queries.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from streamgauge.times import go_duration

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
    """A time in nanoseconds since 1970."""

    ns: int

    @property
    def date(self) -> datetime:
        """The same as a date, cut to whole seconds.

        :raises OverflowError: for one before the year 1 or after the year 9999.
        """
        return _EPOCH + timedelta(seconds=self.ns // SECOND_NS)

    def __str__(self) -> str:
        fraction = self.ns % SECOND_NS
        digits = f".{fraction:09}".rstrip("0") if fraction else ""
        date = self.date
        return f"{date.year:04}-{date:%m-%d %H:%M:%S}{digits} +0000 UTC"


@dataclass(frozen=True, slots=True)
class Duration:
    """A length of time in nanoseconds."""

    ns: int

    def __str__(self) -> str:
        return go_duration(self.ns)


class Named(int):
    """A number with a name: a month or a day of the week."""

    names: tuple[str, ...]

    def __str__(self) -> str:
        return self.names[self]


class Month(Named):
    """From 1 on."""

    names = (
        *("%!Month(0)", "January", "February", "March", "April", "May", "June", "July"),
        *("August", "September", "October", "November", "December"),
    )


class Weekday(Named):
    """Sunday is 0."""

    names = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")


def type_name(value: Value) -> str:
    """What Go calls the type of a value."""
    match value:
        case None:
            return "<nil>"
        case bool():
            return "bool"
        case str():
            return "string"
        case Named():
            return f"time.{type(value).__name__}"
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
