"""Who works when: orders of events, without a clock where there is no patience in it."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgauge.gateway.request.pools import FairSemaphore, TooManyAtOnce, UserConcurrency


async def settled():
    for _ in range(5):
        await asyncio.sleep(0)


class Room:
    """Turns, and who got in, in order."""

    def __init__(self, slots):
        self.turns = FairSemaphore(slots)
        self.entered = []
        self.tasks = []

    async def ask(self, *users):
        for user in users:
            self.tasks.append(asyncio.create_task(self._enter(user)))
        await settled()

    async def _enter(self, user):
        await self.turns.enter(user)
        self.entered.append(user)

    async def end(self, count=1):
        for _ in range(count):
            self.turns.leave()
        await settled()


def test_users_who_wait_take_turns():
    async def run():
        room = Room(1)
        await room.ask("a", "a", "a", "a", "b", "c", "c")
        assert (room.entered, room.turns.waiting) == (["a"], 6)
        await room.end(6)
        assert room.entered == ["a", "a", "b", "c", "a", "c", "a"]
        assert room.turns.waiting == 0

    asyncio.run(run())


def test_who_goes_away_while_waiting_takes_no_turn():
    async def run():
        room = Room(1)
        await room.ask("a", "b", "c")
        room.tasks[1].cancel()
        await settled()
        await room.end()
        assert room.entered == ["a", "c"]

    asyncio.run(run())


def test_a_slot_that_comes_when_nobody_wants_it_any_more_goes_on():
    async def run():
        room = Room(1)
        await room.ask("a", "b", "c")
        # in the same moment b gets the slot and goes away
        room.turns.leave()
        room.tasks[1].cancel()
        await settled()
        assert room.entered == ["a", "c"]
        await room.end()
        await room.ask("d")
        assert room.entered == ["a", "c", "d"]

    asyncio.run(run())


@given(st.integers(1, 3), st.lists(st.sampled_from(["a", "b", "c", "leave", "cancel"]), max_size=40))
def test_no_slot_is_lost_or_given_twice(slots, events):
    async def run():
        room = Room(slots)
        left = cancelled = 0
        for event in events:
            if event == "leave":
                if len(room.entered) > left:
                    left += 1
                    await room.end()
            elif event == "cancel":
                waiting = [task for task in room.tasks if not task.done()]
                if waiting:
                    waiting[-1].cancel()
                    cancelled += 1
                    await settled()
            else:
                await room.ask(event)
            working = len(room.entered) - left
            asked = len(room.tasks) - cancelled - left
            assert working == min(slots, asked)
            assert room.turns.waiting == asked - working
        for task in room.tasks:
            task.cancel()
        await settled()

    asyncio.run(run())


def test_a_user_with_too_many_is_refused_and_others_are_not():
    async def run():
        users = UserConcurrency(2, patience_s=0)
        await users.enter("a")
        await users.enter("a")
        with pytest.raises(TooManyAtOnce, match="at most 2 are allowed"):
            await users.enter("a")
        await users.enter("b")
        users.leave("a")
        await users.enter("a")
        for user in ("a", "a", "b"):
            users.leave(user)
        assert users._turns == {}

    asyncio.run(run())


def test_one_more_waits_a_little_for_another_to_end():
    async def run():
        users = UserConcurrency(1, patience_s=60)
        await users.enter("a")
        waiting = asyncio.create_task(users.enter("a"))
        await settled()
        assert not waiting.done()
        users.leave("a")
        await waiting
        gone = asyncio.create_task(users.enter("a"))
        await settled()
        gone.cancel()
        await settled()
        users.leave("a")
        assert users._turns == {}

    asyncio.run(run())
