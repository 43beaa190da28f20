import gc

import pytest

from operators.worker import SETTLED_S, Growth

pytestmark = pytest.mark.usefixtures("thawed")


@pytest.fixture
def thawed():
    gc.unfreeze()
    yield
    gc.unfreeze()


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def test_what_has_come_is_kept_once_no_more_comes():
    clock = Clock()
    growth = Growth(clock)
    growth.settle()
    assert gc.get_freeze_count() == 0
    growth.noticed()
    clock.now += SETTLED_S - 1
    growth.noticed()
    clock.now += SETTLED_S - 1
    growth.settle()
    assert gc.get_freeze_count() == 0
    clock.now += 1
    growth.settle()
    assert gc.get_freeze_count() > 1000
    gc.unfreeze()
    growth.settle()
    assert gc.get_freeze_count() == 0


def test_what_is_replaced_is_collected():
    clock, found = Clock(), []

    class Circle:
        def __init__(self):
            self.own = self

        def __del__(self):
            found.append(True)

    growth = Growth(clock)
    circle = Circle()
    growth.noticed()
    clock.now += SETTLED_S
    growth.settle()
    del circle
    gc.collect()
    assert not found
    growth.noticed()
    clock.now += SETTLED_S
    growth.settle()
    assert found
