"""The time, and times as people write them on a command line."""

import re
import time
from datetime import UTC, datetime

from streamgauge.promql.syntax.literals import duration

LAST_DATE_MS = 253_402_300_799_999
"""The end of the year 9999, the last that SQL knows."""
_NUMBER = re.compile(r"-?\d+(\.\d+)?")


def now_ms() -> int:
    """The time in ms."""
    return time.time_ns() // 1_000_000


def rfc3339(time: int) -> str:
    """A time in ms as text, in UTC."""
    return datetime.fromtimestamp(time / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def timestamp(text: str) -> int:
    """The ms of RFC 3339 (UTC where it names no zone), Unix seconds, `now`, or `now-1h30m`.

    :raises ValueError: for anything else.
    """
    if text == "now" or text.startswith(("now-", "now+")):
        away = duration(text[4:]) if len(text) > 3 else 0
        return now_ms() + (away if text[3:4] == "+" else -away)
    if _NUMBER.fullmatch(text):
        return round(float(text) * 1000)
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"not a time: {text!r}; use 2026-11-01T00:00Z, Unix seconds or now-1h") from None
    return round((given if given.tzinfo else given.replace(tzinfo=UTC)).timestamp() * 1000)


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
