"""Round numbers and times for axes."""

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from math import ceil, floor, log10

from streamgauge.query.times import STEPS_S
from streamgauge.rules.templates.humanize import humanize

_LARGEST = 1e300


def value_ticks(low: float, high: float, count: int) -> list[float]:
    """Round values from at most `low` to at least `high`, about `count` of them."""
    low, high = (max(-_LARGEST, min(bound, _LARGEST)) for bound in (low, high))
    size = max(abs(low), abs(high))
    if high - low <= size * 1e-9 or size < 1 / _LARGEST:
        # nothing could be told apart on a finer scale
        around = size * 0.1 if size > 1 / _LARGEST else 1.0
        low, high = low - around, high + around
    step = _round_step((high - low) / max(1, count - 1))
    first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    return [number * step for number in range(first, last + 1)]


def value_labels(ticks: Sequence[float]) -> list[str]:
    """The ticks as people read them, with a metric prefix."""
    size = max(map(abs, ticks))
    # a tick such as 0.30000000000000004 is rounded by its four digits
    labels = [humanize(0.0 if abs(tick) < 1e-12 * size else tick) for tick in ticks]
    if len(set(labels)) < len(labels):
        return [f"{tick:.12g}" for tick in ticks]
    return labels


def time_ticks(start: float, end: float, count: int, zone: tzinfo = UTC) -> list[tuple[float, str]]:
    """Even times of a zone from `start` to `end`, at most `count`, each as text."""
    least = (end - start) / max(1, count)
    step = next((step for step in STEPS_S if step >= least), STEPS_S[-1] * ceil(least / STEPS_S[-1]))
    form = "%H:%M:%S" if step < 60 else "%H:%M" if step < 86_400 else "%m-%d"
    shift = datetime.fromtimestamp(start, zone).utcoffset()
    offset = shift.total_seconds() if shift else 0.0
    first = ceil((start + offset) / step) * step - offset
    ticks = []
    while first <= end:
        ticks.append((first, f"{datetime.fromtimestamp(first, zone):{form}}"))
        first += step
    return ticks


def _round_step(least: float) -> float:
    power = 10.0 ** floor(log10(least))
    return next(factor for factor in (1.0, 2.0, 5.0, 10.0) if factor * power >= least * (1 - 1e-9)) * power
