"""Durations on the command line, and the steps of range queries."""

from streamgauge.promql.syntax.literals import duration
from streamgauge.times import MAX_S

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


def seconds(text: str) -> float:
    """Parse a positive duration: seconds, or as in PromQL.

    :raises ValueError: for anything else.
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
