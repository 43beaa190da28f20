"""The time, and times as people write them on a command line."""

import re
import time
from datetime import UTC, datetime
from math import isfinite

from streamgauge.promql.syntax.literals import duration

LAST_DATE_MS = 253_402_300_799_999
"""The end of the year 9999, the last that SQL knows."""
MAX_S = 2**43
"""Bound of times in s: in ms a float64 still holds them exactly."""
_RELATIVE = re.compile(r"now(?:([+-])(\w+))?")


def now_ms() -> int:
    """The time in ms."""
    return time.time_ns() // 1_000_000


def rfc3339(time: int) -> str:
    """A time in ms as text, in UTC."""
    return datetime.fromtimestamp(time / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def unix_seconds(text: str, now: float) -> float:
    """Parse RFC 3339 (UTC where it names no zone), Unix seconds, `now`, or `now-1h30m`.

    :param now: Unix seconds. :raises ValueError: for anything else.
    """
    if relative := _RELATIVE.fullmatch(text):
        sign, length = relative.groups()
        away = duration(length) / 1000 if length else 0.0
        return now - away if sign == "-" else now + away
    try:
        # float() would also take `1_000` and blanks
        found = float(text if "_" not in text and text == text.strip() else "-")
    except ValueError:
        try:
            date = datetime.fromisoformat(text)
        except ValueError:
            forms = "2026-11-01T00:00Z, Unix seconds, now or now-1h"
            raise ValueError(f'"{text}" is not a time; use {forms}') from None
        found = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    if not isfinite(found) or abs(found) > MAX_S:
        raise ValueError(f'"{text}" is out of range')
    return found


def timestamp(text: str) -> int:
    """Parse a time as `unix_seconds` does, relative to now. :returns: ms."""
    return round(unix_seconds(text, now_ms() / 1000) * 1000)


def go_duration(nanoseconds: int) -> str:
    """A duration in ns as Go writes it: 1h2m3.5s, 1.5ms, 0s."""
    sign, left = ("-" if nanoseconds < 0 else ""), abs(nanoseconds)
    if left < 10**9:
        for unit, size in (("ms", 10**6), ("µs", 1000), ("ns", 1)):
            if left >= size:
                return f"{sign}{_decimal(left, size)}{unit}"
        return "0s"
    minutes, left = divmod(left, 60 * 10**9)
    hours, minutes = divmod(minutes, 60)
    text = f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else ""
    return f"{sign}{text}{_decimal(left, 10**9)}s"


def _decimal(value: int, size: int) -> str:
    whole, rest = divmod(value, size)
    digits = len(str(size)) - 1
    return f"{whole}.{rest:0{digits}}".rstrip("0").rstrip(".") if rest else str(whole)
