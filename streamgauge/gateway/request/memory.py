"""The memory that the queries of a process share, from reading until the response has been sent.

Bytes are estimated by what takes them, before they are taken where that is known. Whoever would pass the total waits
before it begins, and is refused once it has begun: what waits while it holds memory could wait for itself. Of those who
wait the first that fits goes on, so that one large query does not hold up all small ones; but it is overtaken by so
many only.
"""

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from streamgauge.gateway.request.faults import ErrorType, InvalidRequest

MEBIBYTE = 1 << 20
PATIENCE_S = 5.0
"""Time that a query waits for memory before it starts."""
OVERTAKEN = 16
"""Later and smaller queries that may overtake one that waits."""
_LOOK_S = 0.05
_SHARE = 0.4
"""Of the machine's memory, if nothing is configured."""
_CGROUP = Path("/sys/fs/cgroup/memory.max")


@dataclass(slots=True, eq=False)
class _Waiting:
    """Who waits for so many bytes, and by how many that came later it was overtaken."""

    size: int
    overtaken: int = 0


class NotEnoughMemory(InvalidRequest):
    """There is not enough free memory for a query now."""


class Memory:
    """A budget of bytes. Thread-safe. refused: called for every refused query."""

    def __init__(self, total: int, refused: Callable[[], None] = lambda: None) -> None:
        self.total = total
        self._refused = refused
        self._taken = 0
        self._changed = threading.Condition()
        self._waiting: list[_Waiting] = []
        # a share is given back by whoever drops it last, who may hold the lock just then
        self._returned: deque[int] = deque()

    @property
    def taken(self) -> int:
        """Bytes that are in use."""
        return self._taken - sum(self._returned)

    def share(self) -> "Share":
        """A share of nothing yet."""
        return Share(self)

    def _free(self) -> int:
        while self._returned:
            self._taken -= self._returned.popleft()
        return self.total - self._taken

    def _await(self, more: int, left_s: Callable[[], float]) -> None:
        """Take bytes when they are free, and nobody is left behind who must not be."""
        until, turn = time.monotonic() + PATIENCE_S, _Waiting(more)
        with self._changed:
            self._waiting.append(turn)
            try:
                while self._next() is not turn:
                    left = min(left_s(), until - time.monotonic())
                    if left <= 0:
                        raise self._refusal(more)
                    self._changed.wait(min(left, _LOOK_S))
                self._taken += more
                self._pass(turn)
            finally:
                self._waiting.remove(turn)
                self._changed.notify_all()

    def _next(self) -> _Waiting | None:
        """Who waits no longer: the first for whom enough is free, unless one before it was overtaken often enough."""
        free = self._free()
        for each in self._waiting:
            if each.size <= free:
                return each
            if each.overtaken >= OVERTAKEN:
                break
        return None

    def _pass(self, turn: _Waiting) -> list[_Waiting]:
        """Who is overtaken by one that goes on."""
        passed = self._waiting[: self._waiting.index(turn)]
        for each in passed:
            each.overtaken += 1
        return passed

    def _take(self, more: int) -> None:
        """Take bytes that whoever asks needs now."""
        with self._changed:
            if self._free() < more:
                raise self._refusal(more)
            self._taken += more

    def _give(self, less: int) -> None:
        with self._changed:
            self._taken -= less
            self._changed.notify_all()

    def _refusal(self, more: int) -> NotEnoughMemory:
        self._refused()
        return NotEnoughMemory(
            ErrorType.UNAVAILABLE,
            f"not enough memory: the query needs {more / MEBIBYTE:,.0f} MiB more, and "
            f"{max(0, self._free()) / MEBIBYTE:,.0f} of the {self.total / MEBIBYTE:,.0f} MiB of all queries are free",
        )


class Share:
    """The memory reserved by one query; released with its last reference. For one thread at a time."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self.size = 0

    def __del__(self) -> None:
        if self.size:
            self._memory._returned.append(self.size)

    def wait_for(self, size: int, left_s: Callable[[], float]) -> None:
        """Reserve at least this many bytes; a query that has just started may wait for them.

        :param left_s: seconds left; it raises when there are none.
        :raises InvalidRequest: if all queries may not have as many. :raises NotEnoughMemory: if it waits in vain.
        """
        self._check(size)
        if size > self.size:
            self._memory._await(size - self.size, left_s)
            self.size = size

    def at_least(self, size: int) -> None:
        """Reserve at least this many bytes.

        :raises InvalidRequest: if all queries may not have as many. :raises NotEnoughMemory: if they are not free.
        """
        if size > self.size:
            self._check(size)
            self._memory._take(size - self.size)
            self.size = size

    def only(self, size: int) -> None:
        """Hold no more than that from now on."""
        if size < self.size:
            self._memory._give(self.size - size)
            self.size = size

    def _check(self, size: int) -> None:
        total = self._memory.total
        if size > total:
            self._memory._refused()
            raise InvalidRequest(
                ErrorType.COST_LIMIT,
                f"query would take {size / MEBIBYTE:,.0f} MiB of memory, all queries together may have "
                f"{total / MEBIBYTE:,.0f} MiB (gateway.memory_bytes)",
            )


def default_bytes() -> int:
    """A share of the memory of this machine, or of the container that this process is in."""
    found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    # there may be no such group, or one without a limit
    with suppress(OSError, ValueError):
        found = min(found, int(_CGROUP.read_text()))
    return int(found * _SHARE)
