"""Requests that nobody waits for any longer: their readings end, and their errors are nobody's."""

import asyncio
import gc
import threading

import pytest

from streamgauge.gateway.request.pools import Limits, Pool, SingleFlight, UserConcurrency
from streamgauge.gateway.request.principals import Principal
from streamgauge.store.reading import DeadlinePassed, ReadContext


async def _in_pool(look, reading):
    limits = Limits(UserConcurrency(10, 0.0), UserConcurrency(10, 0.0))
    return await Pool("test", 1, limits).run(Principal("me", "here"), look, reading)


async def _in_flight(look, reading):
    return await SingleFlight().run("key", lambda: _in_pool(look, reading))


@pytest.mark.parametrize("run", [_in_pool, _in_flight])
def test_the_error_of_a_reading_that_was_abandoned_is_not_logged(run):
    begun, ended, complaints = threading.Event(), threading.Event(), []

    def look(reading):
        begun.set()
        try:
            while True:
                reading.left_s()
        finally:
            ended.set()

    async def abandon():
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        waiting = asyncio.create_task(run(look, ReadContext()))
        await asyncio.to_thread(begun.wait)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await asyncio.to_thread(ended.wait)
        # the error comes to the loop, and then whoever would complain goes
        await asyncio.sleep(0.05)
        del waiting
        gc.collect()

    asyncio.run(abandon())
    assert complaints == []


def test_the_error_of_a_reading_that_is_waited_for_is_raised():
    def look(reading):
        reading.stop()
        reading.left_s()

    with pytest.raises(DeadlinePassed):
        asyncio.run(_in_pool(look, ReadContext()))
