"""Numbers, durations and times as people read them."""

import math
import re

from streamgauge import go_numbers
from streamgauge.rules.templates.faults import FunctionFault
from streamgauge.rules.templates.formatting import shortest
from streamgauge.rules.templates.values import SECOND_NS, Duration, Named, Time, Value, type_name

_LARGE = "kMGTPEZY"
_SMALL = "munpfazy"
_MAX_NS = 2**63
_DURATION = re.compile(
    r"(-?)(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?", re.ASCII
)
_UNITS_MS = (365 * 86_400_000, 7 * 86_400_000, 86_400_000, 3_600_000, 60_000, 1000, 1)


def as_float(value: Value) -> float:
    """A number, or a string or duration as one.

    :raises FunctionFault: for anything else.
    """
    match value:
        case bool() | Named():
            pass
        case int() | float():
            return float(value)
        case str():
            return _parsed(value)
    raise FunctionFault(f"can't convert {type_name(value)} to float")


def humanize(value: Value) -> str:
    """With a metric prefix."""
    number = as_float(value)
    if number == 0 or not math.isfinite(number):
        return _four(number)
    return _scaled(number, 1000, _LARGE) if abs(number) >= 1 else _small(number)


def humanize1024(value: Value) -> str:
    """With a prefix for powers of 1024."""
    number = as_float(value)
    if abs(number) <= 1 or not math.isfinite(number):
        return _four(number)
    text = _scaled(number, 1024, _LARGE)
    return f"{text}i" if text[-1] in _LARGE else text


def humanize_percentage(value: Value) -> str:
    """A ratio as a percentage."""
    return f"{_four(as_float(value) * 100)}%"


def humanize_duration(value: Value) -> str:
    """Seconds as days, hours, minutes and seconds."""
    number = as_float(value)
    if not math.isfinite(number):
        return _four(number)
    if number == 0:
        return f"{_four(number)}s"
    if abs(number) < 1:
        return f"{_small(number)}s"
    sign, number = ("-", -number) if number < 0 else ("", number)
    minutes, seconds = divmod(int(number), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{sign}{days}d {hours}h {minutes}m {seconds}s"
    if hours:
        return f"{sign}{hours}h {minutes}m {seconds}s"
    if minutes:
        return f"{sign}{minutes}m {seconds}s"
    return f"{sign}{_four(number)}s"


def humanize_timestamp(value: Value) -> str:
    """Seconds since 1970 as a date and time.

    :raises FunctionFault: for a time that 64 bits of nanoseconds do not hold.
    """
    number = as_float(value)
    return str(to_time(number)) if math.isfinite(number) else _four(number)


def to_time(value: Value) -> Time:
    """Seconds since 1970 as a time.

    :raises FunctionFault: for a time that 64 bits of nanoseconds do not hold.
    """
    number = as_float(value)
    if not math.isfinite(number):
        raise FunctionFault("value is NaN or Inf")
    ns = number * 1e9
    if not -_MAX_NS <= ns <= _MAX_NS - 1:
        text = shortest(number)
        raise FunctionFault(
            f"{text} cannot be represented as a nanoseconds timestamp since it overflows int64"
        )
    return Time(_truncated(int(ns)) * 1_000_000)


def to_duration(value: Value) -> Duration:
    """Seconds as a length of time."""
    number = as_float(value) * SECOND_NS
    return Duration(max(-_MAX_NS, min(_MAX_NS - 1, int(number))) if math.isfinite(number) else -_MAX_NS)


def parse_duration(text: str) -> float:
    """A duration such as 1h30m, also a negative one, in seconds.

    :raises FunctionFault: for what is none.
    """
    if text in ("0", "-0"):
        return 0.0
    found = _DURATION.fullmatch(text)
    if found is None or not any(found.groups()[1:]):
        raise FunctionFault(f'not a valid duration string: "{text}"' if text else "empty duration string")
    sign, *parts = found.groups()
    total = sum(int(part or 0) * unit for part, unit in zip(parts, _UNITS_MS, strict=True))
    if total * 1_000_000 >= _MAX_NS:
        raise FunctionFault("duration out of range")
    return (-total if sign else total) / 1000


def _truncated(ns: int) -> int:
    return -(-ns // 1_000_000) if ns < 0 else ns // 1_000_000


def _four(number: float) -> str:
    if math.isfinite(number):
        return f"{number:.4g}"
    return "NaN" if math.isnan(number) else "+Inf" if number > 0 else "-Inf"


def _scaled(number: float, base: int, prefixes: str) -> str:
    prefix = ""
    for larger in prefixes:
        if abs(number) < base:
            break
        prefix, number = larger, number / base
    return f"{_four(number)}{prefix}"


def _small(number: float) -> str:
    prefix = ""
    for smaller in _SMALL:
        if abs(number) >= 1:
            break
        prefix, number = smaller, number * 1000
    return f"{_four(number)}{prefix}"


def _parsed(text: str) -> float:
    try:
        return go_numbers.number(text)
    except go_numbers.InvalidNumber as fault:
        raise FunctionFault(f'strconv.ParseFloat: parsing "{text}": {fault}') from None
