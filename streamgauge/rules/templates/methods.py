"""The methods of times and durations that templates may call."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from streamgauge.rules.templates.faults import FunctionFault
from streamgauge.rules.templates.values import SECOND_NS, Duration, Month, Named, Time, Value, Weekday

# Go shows how a certain moment is to be written
_LAYOUT = re.compile(
    r"2006|January|Jan|Monday|Mon|MST|Z07:00|Z0700|-07:00|-0700|-07|PM|pm|01|02|03|04|05|06|15|002|_2"
    r"|[.,](?:0+|9+)(?!\d)|[12345]"
)
_CODES = {
    "2006": "%Y",
    "January": "%B",
    "Jan": "%b",
    "Monday": "%A",
    "Mon": "%a",
    "01": "%m",
    "02": "%d",
    "03": "%I",
    "04": "%M",
    "05": "%S",
    "06": "%y",
    "15": "%H",
    "002": "%j",
    "PM": "%p",
}
_INT64 = 2**63
_DAY_NS = 86_400 * SECOND_NS
_YEAR_1_NS = 62_135_596_800 * SECOND_NS
"""From the first moment of the year 1, Go's zero time, to 1970."""
_FIXED = {"MST": "UTC", "Z07:00": "Z", "Z0700": "Z", "-07:00": "+00:00", "-0700": "+0000", "-07": "+00"}


def _formatted(time: Time, layout: str) -> str:
    date = time.date
    short = {
        "1": str(date.month),
        "2": str(date.day),
        "_2": f"{date.day:2}",
        "3": str(date.hour % 12 or 12),
        "4": str(date.minute),
        "5": str(date.second),
        "pm": f"{date:%p}".lower(),
    }

    def part(found: re.Match[str]) -> str:
        word = found[0]
        if word[0] in ".,":
            digits = f"{time.ns % SECOND_NS:09}".ljust(len(word) - 1, "0")[: len(word) - 1]
            if word[1] == "9":
                digits = digits.rstrip("0")
            return word[0] + digits if digits else ""
        if word in _CODES:
            return f"{date.year:04}" if word == "2006" else date.strftime(_CODES[word])
        return _FIXED.get(word) or short[word]

    return _LAYOUT.sub(part, layout)


def _add_date(time: Time, years: int, months: int, days: int) -> Time:
    """A date so much later; what a month has too many goes on into the next."""
    date = time.date
    year, month = divmod(date.month - 1 + months, 12)
    first = date.replace(year=date.year + years + year, month=month + 1, day=1)
    return Time(time.ns + ((first - date).days + date.day - 1 + days) * _DAY_NS)


def _capped(ns: int) -> Duration:
    """A duration within 64 bits, as Go cuts it."""
    return Duration(max(-_INT64, min(ns, _INT64 - 1)))


def _since_year_1(time: Time) -> int:
    return time.ns + _YEAR_1_NS


def _go_string(time: Time) -> str:
    date = time.date
    clock = f"{date.hour}, {date.minute}, {date.second}, {time.ns % SECOND_NS}"
    return f"time.Date({date.year}, time.{date:%B}, {date.day}, {clock}, time.UTC)"


def _rounded(ns: int, to: int) -> int:
    """The nearest multiple, of two the one further from 0."""
    if to <= 0:
        return ns
    rest = abs(ns) % to
    away = abs(ns) - rest + (to if 2 * rest >= to else 0)
    return away if ns >= 0 else -away


def _cut(ns: int, to: int) -> int:
    if to <= 0:
        return ns
    return ns - ns % to if ns >= 0 else ns + -ns % to


def _parts(duration: Duration, unit: int) -> float:
    """A duration in a unit: whole ones and the rest are divided apart, as in Go."""
    whole, rest = divmod(abs(duration.ns), unit)
    found = float(whole) + rest / unit
    return -found if duration.ns < 0 else found


def _results(name: str, count: int) -> Callable[..., Value]:
    def refuse(_: Value) -> Value:
        raise FunctionFault(f'can\'t call method/function "{name}" with {count} results')

    return refuse


@dataclass(frozen=True, slots=True)
class Method:
    """A method: what it does, and the types of its parameters."""

    call: Callable[..., Value]
    kinds: tuple[type, ...] = ()


def _same(value: Value) -> Value:
    return value


TIME: Mapping[str, Method] = {
    "Add": Method(lambda time, duration: Time(time.ns + duration.ns), (Duration,)),
    "AddDate": Method(_add_date, (int, int, int)),
    "After": Method(lambda time, other: time.ns > other.ns, (Time,)),
    "Before": Method(lambda time, other: time.ns < other.ns, (Time,)),
    "Clock": Method(_results("Clock", 3)),
    "Compare": Method(lambda time, other: (time.ns > other.ns) - (time.ns < other.ns), (Time,)),
    "Date": Method(_results("Date", 3)),
    "Day": Method(lambda time: time.date.day),
    "Equal": Method(lambda time, other: time.ns == other.ns, (Time,)),
    "Format": Method(_formatted, (str,)),
    "GoString": Method(_go_string),
    "Hour": Method(lambda time: time.date.hour),
    "ISOWeek": Method(_results("ISOWeek", 2)),
    "IsDST": Method(lambda _: False),
    "IsZero": Method(lambda time: time.ns == -_YEAR_1_NS),
    # templates are expanded in UTC, wherever the job runs
    "Local": Method(_same),
    "Location": Method(lambda _: "UTC"),
    "Minute": Method(lambda time: time.date.minute),
    "Month": Method(lambda time: Month(time.date.month)),
    "Nanosecond": Method(lambda time: time.ns % SECOND_NS),
    "Round": Method(lambda time, to: Time(_rounded(_since_year_1(time), to.ns) - _YEAR_1_NS), (Duration,)),
    "Second": Method(lambda time: time.date.second),
    "String": Method(str),
    "Sub": Method(lambda time, other: _capped(time.ns - other.ns), (Time,)),
    "Truncate": Method(lambda time, to: Time(_cut(_since_year_1(time), to.ns) - _YEAR_1_NS), (Duration,)),
    "UTC": Method(_same),
    "Unix": Method(lambda time: time.ns // SECOND_NS),
    "UnixMicro": Method(lambda time: time.ns // 1000),
    "UnixMilli": Method(lambda time: time.ns // 1_000_000),
    "UnixNano": Method(lambda time: (time.ns + _INT64) % (2 * _INT64) - _INT64),
    "Weekday": Method(lambda time: Weekday(time.date.isoweekday() % 7)),
    "Year": Method(lambda time: time.date.year),
    "YearDay": Method(lambda time: time.date.timetuple().tm_yday),
    "Zone": Method(_results("Zone", 2)),
    "ZoneBounds": Method(_results("ZoneBounds", 2)),
}
DURATION: Mapping[str, Method] = {
    "Abs": Method(lambda duration: _capped(abs(duration.ns))),
    "Hours": Method(lambda duration: _parts(duration, 3600 * SECOND_NS)),
    "Microseconds": Method(lambda duration: _cut(duration.ns, 1000) // 1000),
    "Milliseconds": Method(lambda duration: _cut(duration.ns, 1_000_000) // 1_000_000),
    "Minutes": Method(lambda duration: _parts(duration, 60 * SECOND_NS)),
    "Nanoseconds": Method(lambda duration: duration.ns),
    "Round": Method(lambda duration, to: Duration(_rounded(duration.ns, to.ns)), (Duration,)),
    "Seconds": Method(lambda duration: _parts(duration, SECOND_NS)),
    "String": Method(str),
    "Truncate": Method(lambda duration, to: Duration(_cut(duration.ns, to.ns)), (Duration,)),
}

NAMED: Mapping[str, Method] = {"String": Method(str)}


def of(value: Value) -> Mapping[str, Method]:
    """The methods of a value by name."""
    if isinstance(value, Time):
        return TIME
    if isinstance(value, Duration):
        return DURATION
    return NAMED if isinstance(value, Named) else {}
