"""What every Python worker needs before it does anything else."""

import builtins
import gc
import time
from collections.abc import Callable

SETTLED_S = 15.0


def restore_print() -> None:
    """Undo PyFlink's replacement of `print` in its workers, with which numba cannot be imported."""
    owner = getattr(builtins.print, "__self__", None)
    if hasattr(owner, "_print"):
        builtins.print = owner._print


def keep_for_good() -> None:
    """Take what was imported and opened out of garbage collection, which else walks through all of it again and again.

    The last step of an `open`.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()


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
            keep_for_good()
