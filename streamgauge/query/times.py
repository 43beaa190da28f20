"""Times on the command line: RFC 3339, Unix seconds, `now`, `now-1h`."""

import re
from datetime import UTC, datetime
from math import isfinite

from streamgauge.promql.syntax.literals import duration

MAX_S = 2**43
STEPS_S = (
    1,
    2,
    5,
    10,
    15,
    20,
    30,
    60,
    120,
    300,
    600,
    900,
    1200,
    1800,
    3600,
    7200,
    10_800,
    21_600,
    43_200,
    86_400,
)
"""Steps that divide an hour or a day evenly."""

_RELATIVE = re.compile(r"now(?:([+-])(\w+))?")


def time(text: str, now: float) -> float:
    """Unix seconds.

    :raises ValueError: with words for people.
    """
    relative = _RELATIVE.fullmatch(text)
    if relative:
        sign, length = relative.groups()
        if not length:
            return now
        return now + duration(length) / 1000 * (-1 if sign == "-" else 1)
    try:
        found = float(text)
    except ValueError:
        try:
            date = datetime.fromisoformat(text)
        except ValueError:
            forms = "RFC 3339, Unix seconds, now or now-1h"
            raise ValueError(f'"{text}" is not a time; use {forms}') from None
        found = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    if not isfinite(found) or abs(found) > MAX_S:
        raise ValueError(f'"{text}" is out of range')
    return found


def seconds(text: str) -> float:
    """A length of time: seconds, or as in PromQL.

    :raises ValueError: for what is none, or is not positive.
    """
    try:
        found = float(text)
    except ValueError:
        found = duration(text) / 1000
    if not 0 < found <= MAX_S:
        raise ValueError(f'"{text}" is not a positive duration')
    return found


def step_for(span: float, points: int) -> float:
    """An even step that cuts a span (s) into at most this many points."""
    least = span / max(1, points)
    for step in STEPS_S:
        if step >= least:
            return step
    days = -(-least // STEPS_S[-1])
    return days * STEPS_S[-1]
