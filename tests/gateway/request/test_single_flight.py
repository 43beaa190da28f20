"""Identical requests at the same time."""

import asyncio

import pytest

from streamgauge.gateway.request.pools import JOINABLE_S, SingleFlight


class Runs:
    """Counts runs, each of which ends when it is told to."""

    def __init__(self):
        self.begun = 0
        self.joined = 0
        self.ended = asyncio.Event()
        self.time = 0.0
        self.flights = SingleFlight(self._join, lambda: self.time)

    def _join(self):
        self.joined += 1

    async def run(self):
        self.begun += 1
        number = self.begun
        await self.ended.wait()
        return number

    def ask(self, key="a"):
        return asyncio.create_task(self.flights.run(key, self.run))


def test_identical_requests_run_once():
    async def check():
        runs = Runs()
        asked = [runs.ask(), runs.ask(), runs.ask("b")]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        runs.ended.set()
        assert sorted(await asyncio.gather(*asked)) == [1, 1, 2]
        assert (runs.begun, runs.joined) == (2, 1)
        assert await runs.ask() == 3

    asyncio.run(check())


@pytest.mark.parametrize("cancelled", [0, 1])
def test_who_is_cancelled_does_not_cancel_the_others(cancelled):
    async def check():
        runs = Runs()
        asked = [runs.ask(), runs.ask()]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        asked[cancelled].cancel()
        runs.ended.set()
        assert await asked[1 - cancelled] == 1
        assert asked[cancelled].cancelled()

    asyncio.run(check())


def test_a_run_for_which_nobody_waits_any_longer_ends():
    async def check():
        runs = Runs()
        asked = [runs.ask(), runs.ask()]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        for each in asked:
            each.cancel()
        await asyncio.wait(asked)
        runs.ended.set()
        assert await runs.ask() == 2
        assert runs.begun == 2

    asyncio.run(check())


def test_a_failure_is_that_of_all_and_the_next_request_tries_again():
    async def check():
        flights = SingleFlight()
        fails = True

        async def run():
            await asyncio.sleep(0)
            if fails:
                raise ValueError("no")
            return "yes"

        found = await asyncio.gather(*(flights.run("a", run) for _ in range(3)), return_exceptions=True)
        assert [str(each) for each in found] == ["no"] * 3
        fails = False
        assert await flights.run("a", run) == "yes"

    asyncio.run(check())


def test_a_run_that_began_long_ago_is_not_joined():
    async def check():
        runs = Runs()
        first = runs.ask()
        await asyncio.sleep(0)
        runs.time = JOINABLE_S + 0.1
        second, third = runs.ask(), runs.ask()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        runs.ended.set()
        assert await asyncio.gather(first, second, third) == [1, 2, 2]

    asyncio.run(check())
