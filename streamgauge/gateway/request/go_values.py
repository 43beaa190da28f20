"""Times and durations of parameters, parsed as by Prometheus: by Go's rules, including its quirks."""

import math
import re
from datetime import UTC, datetime, timedelta

from streamgauge.go_numbers import INT64, InvalidNumber, number
from streamgauge.promql.syntax.literals import duration

_TIME = re.compile(
    r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})T(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
    r"(?:[.,](?P<fraction>[0-9]+))?(?:Z|(?P<sign>[-+])(?P<east>[0-9]{2}):(?P<east_minute>[0-9]{2}))"
)
_BOUNDARIES_S = {
    "-292273086-05-16T16:47:06Z": -9_223_309_901_257_974,
    "292277025-08-18T07:12:54.999999999Z": 9_223_309_901_257_974,
}
"""First and last time, as Prometheus's client library sends them."""
_YEAR_1_S = 62_135_596_800
"""From the first second of the year 1 to 1970."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_GREGORIAN = timedelta(days=146_097)
"""400 years."""


def time_ms(text: str) -> int | None:
    """Parse Unix seconds or RFC 3339 to ms since 1970; None for anything else.

    Any number is a time: beyond 64 bits it is the one that Go's conversion gives on amd64.
    """
    seconds = _seconds(text)
    if seconds is not None:
        return _of_seconds(seconds)
    if text in _BOUNDARIES_S:
        return _BOUNDARIES_S[text] * 1000 + (999 if text.endswith("9Z") else 0)
    found = _TIME.fullmatch(text)
    if (
        not found
        or int(found["hour"]) > 23
        or int(found["east"] or 0) > 24
        or int(found["east_minute"] or 0) > 60
    ):
        return None
    # Python's years begin with 1
    is_first = found["date"].startswith("0000")
    date = found["date"].replace("0000", "0400", 1) if is_first else found["date"]
    try:
        day = datetime.fromisoformat(f"{date}T{found['hour']:0>2}:{found['minute']}:{found['second']}Z")
    except ValueError:
        return None
    east = timedelta(hours=int(found["east"] or 0), minutes=int(found["east_minute"] or 0))
    since = (
        day - _EPOCH - (-east if found["sign"] == "-" else east) - (_GREGORIAN if is_first else timedelta())
    )
    return since // timedelta(milliseconds=1) + int(f"{found['fraction'] or '':0<3.3}")


def duration_ns(text: str) -> int | None:
    """Parse seconds or a PromQL duration to ns; None for anything else.

    :raises OverflowError: for seconds beyond 64 bits of ns.
    """
    seconds = _seconds(text)
    if seconds is not None:
        found = seconds * 1e9
        if not -INT64 <= found < INT64:
            raise OverflowError
        return int(found)
    try:
        return duration(text) * 10**6 if text else None
    except ValueError:
        return None


def _seconds(text: str) -> float | None:
    try:
        return number(text)
    except InvalidNumber:
        return None


def _of_seconds(seconds: float) -> int:
    fraction, whole = math.modf(seconds) if math.isfinite(seconds) else (math.nan, seconds)
    scaled = fraction * 1000
    if math.isfinite(scaled):
        # as Go rounds, half away from zero
        scaled = math.copysign(math.floor(abs(scaled) + 0.5), scaled) / 1000
    nanoseconds = _int64(scaled * 1e9)
    carried, nanoseconds = divmod(nanoseconds, 10**9)
    # Go counts from the year 1, in 64 bits
    since_year_1 = (_int64(whole) + carried + _YEAR_1_S + INT64) % (2 * INT64) - INT64
    return (since_year_1 - _YEAR_1_S) * 1000 + nanoseconds // 10**6


def _int64(value: float) -> int:
    """The conversion of amd64: whatever has no place in 64 bits becomes the smallest number."""
    return int(value) if math.isfinite(value) and -INT64 <= value < INT64 else -INT64
