"""Whatever is killed, alerts change as if nothing had happened: the same changes by id, none missing, none more."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from integration.alerting import STEP_MS, await_changes, expected
from integration.test_alerts import THRESHOLD, heat
from integration.test_pipeline import _set_parallelism


def _kill_python_workers(stack):
    for pid in stack.python_workers():
        os.kill(pid, signal.SIGKILL)


def _kill_taskmanager(stack):
    stack.kill("taskmanager")


def _kill_jobmanager(stack):
    stack.kill("jobmanager")


def _restart_kafka(stack):
    stack.stop("kafka")
    stack.start("kafka")


def _other_parallelism(stack):
    """Stopped with a savepoint, and started from it."""
    stack.stop("alerts")
    _set_parallelism(stack, 1)
    stack.start("alerts")


def _back_to_parallelism(stack):
    stack.stop("alerts")
    _set_parallelism(stack, stack.config.flink.parallelism)
    stack.start("alerts")


@pytest.mark.parametrize(
    "fault",
    [
        _kill_python_workers,
        _kill_taskmanager,
        _kill_jobmanager,
        _restart_kafka,
        _other_parallelism,
        _back_to_parallelism,
    ],
    ids=lambda fault: fault.__name__.strip("_"),
)
def test_the_same_alerts_come_as_without_it(fault, stack, config, stream, rules, name):
    stack.wait_ready({"alerts", "store"})
    stream.idle()
    first = rules.apply(name, THRESHOLD.format(name=name))
    with ThreadPoolExecutor(1) as beside:
        stream.run(heat(name), 50, 0.1)
        injected = beside.submit(fault, stack)
        stream.run(heat(name), 100, 0.1)
        injected.result()
    stream.idle()
    wanted = expected(stream, rules, f"{name}/{name}", first, stream.now - STEP_MS)
    assert len(wanted) > 50
    await_changes(config, f"{name}/{name}", set(wanted), 240)


def test_what_fires_and_resolves_while_the_job_is_down_is_told_afterwards(stack, config, stream, rules, name):
    stack.wait_ready({"alerts", "store"})
    stream.idle()
    first = rules.apply(name, THRESHOLD.format(name=name))
    quiet = dict.fromkeys(heat(name)(0), 20.0)
    stream.run(lambda _: quiet, 20, 0.1)
    stack.stop("alerts")
    stopped = stream.now
    stream.run(lambda number: heat(name)(number) if 20 < number < 80 else quiet, 120, 0)
    time.sleep(1)
    stack.start("alerts")
    stack.wait_ready({"alerts"})
    stream.run(lambda _: quiet, 10, 0.1)
    wanted = expected(stream, rules, f"{name}/{name}", first, stream.now - STEP_MS)
    down = [change.transition for change in wanted.values() if change.transition.tick < stopped + 600_000]
    assert {"firing", "resolved"} <= {transition.after.value for transition in down}
    await_changes(config, f"{name}/{name}", set(wanted), 240)
