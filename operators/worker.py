"""Initialization of every Python worker."""

import builtins
import time
from collections.abc import Callable
from enum import StrEnum

from pyflink.metrics import Counter, MetricGroup

from streamgauge.garbage import freeze_heap

SETTLED_S = 15.0


def restore_print() -> None:
    """Undo PyFlink's replacement of `print` in its workers, with which numba cannot be imported."""
    owner = getattr(builtins.print, "__self__", None)
    if owner is not None and hasattr(owner, "_print"):
        builtins.print = owner._print


def expose_zero(*counters: Counter) -> None:
    """Let counters be there as 0: PyFlink exposes none that was not used, and `rate` does not see how a series begins.

    Not in `open`, where PyFlink counts nothing.
    """
    for counter in counters:
        counter.inc(0)


class ReasonCounters:
    """A counter for every reason, each named after it."""

    def __init__(self, group: MetricGroup, prefix: str, reasons: type[StrEnum]) -> None:
        self._counters = {reason: group.counter(f"{prefix}_{reason.value}") for reason in reasons}

    def inc(self, reason: StrEnum, count: int = 1) -> None:
        """Count something that happened for this reason."""
        self._counters[reason].inc(count)


class Growth:
    """Keeps for good also what comes later and stays: ten thousand compiled rules stop a worker for half a second."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._due: float | None = None

    def noticed(self) -> None:
        """There is more that stays, and perhaps more to come."""
        self._due = self._clock() + SETTLED_S

    def settle(self) -> None:
        """Keep it for good, if no more has come for a while."""
        if self._due is not None and self._clock() >= self._due:
            self._due = None
            freeze_heap()
