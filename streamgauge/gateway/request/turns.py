"""Fair scheduling: a bounded number runs at once, waiting users take turns, and each user has a limit."""

import asyncio
from collections import OrderedDict, deque

from streamgauge.gateway.request.faults import ErrorType, InvalidRequest

RETRY_AFTER_S = 1


class Turns:
    """A semaphore that serves waiting users in turn. For one event loop."""

    def __init__(self, slots: int) -> None:
        self._free = slots
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @property
    def waiting(self) -> int:
        """Number of waiting queries."""
        return sum(map(len, self._waiting.values()))

    def waits(self, user: str) -> bool:
        """Whether somebody waits for this user."""
        return user in self._waiting

    async def enter(self, user: str) -> None:
        """Wait for a slot, and take it; `leave` gives it back."""
        if self._free:
            self._free -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(user, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                # the slot came just when nobody wanted it any more
                self.leave()
            self._forget(user, turn)
            raise

    def leave(self) -> None:
        """Release a slot to the next waiting user."""
        while self._waiting:
            user, queue = self._waiting.popitem(last=False)
            turn = queue.popleft()
            if queue:
                self._waiting[user] = queue
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1

    def _forget(self, user: str, turn: asyncio.Future[None]) -> None:
        queue = self._waiting.get(user)
        if queue is not None and turn in queue:
            queue.remove(turn)
            if not queue:
                del self._waiting[user]


class TooManyAtOnce(InvalidRequest):
    """A user, or an address, has as many queries as allowed."""

    def __init__(self, whose: str, most: int) -> None:
        super().__init__(
            ErrorType.TOO_MANY_REQUESTS,
            f"too many concurrent queries {whose}, at most {most} are allowed",
        )


class Users:
    """Lets no user have more than `most` queries at once. For one event loop.

    :param patience_s: so long one more waits for another to end before it is refused. :param whose: in that refusal.
    """

    def __init__(self, most: int, patience_s: float, whose: str = "of this user") -> None:
        self._whose = whose
        self._most = most
        self._patience_s = patience_s
        self._turns: dict[str, tuple[Turns, int]] = {}

    async def enter(self, user: str) -> None:
        """Count a query, which `leave` ends.

        :raises TooManyAtOnce: if the user has too many, and goes on having them.
        """
        turns, known = self._turns.get(user, (Turns(self._most), 0))
        self._turns[user] = turns, known + 1
        try:
            async with asyncio.timeout(self._patience_s):
                await turns.enter(user)
        except TimeoutError:
            self._one_less(user)
            raise TooManyAtOnce(self._whose, self._most) from None
        except asyncio.CancelledError:
            self._one_less(user)
            raise

    def leave(self, user: str) -> None:
        """A query has ended."""
        self._turns[user][0].leave()
        self._one_less(user)

    def _one_less(self, user: str) -> None:
        turns, known = self._turns[user]
        if known == 1:
            del self._turns[user]
        else:
            self._turns[user] = turns, known - 1
