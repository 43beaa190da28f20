"""Whatever is killed, alerts change as if nothing had happened: the same changes by id, none missing, none more."""

import contextlib
import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest
from click.testing import CliRunner

from integration.alerts.test_alerts import THRESHOLD, heat
from integration.pipeline.test_pipeline import _set_parallelism
from integration.support.alerting import STEP_MS, await_changes, expected
from integration.support.stored import wait_for
from streamgauge.cli import main
from streamgauge.local.supervision.crashes import MARK

JOBS = 3
_CRASH = "a worker crashed: Segmentation fault < "


def _kill_python_workers(stack):
    for pid in stack.python_workers():
        os.kill(pid, signal.SIGKILL)


def _crash_python_workers(stack):
    """As a fault of a kernel does: one after the other, as far as Flink has not ended them with their job.

    Each leaves its stack in the log, and the status tells of the last.
    """
    log = stack.home.log("taskmanager")
    before, crashed = log.stat().st_size, 0
    for pid in stack.python_workers():
        with contextlib.suppress(psutil.NoSuchProcess):
            worker = psutil.Process(pid)
            worker.send_signal(signal.SIGSEGV)
            crashed += 1
            wait_for(lambda worker=worker: not _lives(worker), 30, lambda pid=pid: f"{pid} lives")
    with log.open("rb") as file:
        file.seek(before)
        left = file.read().decode(errors="replace")
    # of a job's workers those that are ended meanwhile may not come to it
    assert JOBS <= left.count(f"{MARK}Segmentation fault") <= crashed, left
    assert "Current thread " in left
    wait_for(lambda: _failure(stack).startswith(_CRASH), 30, lambda: _failure(stack))
    assert _row(stack, "taskmanager")["failed_at"] > time.time() - 300


def _lives(process):
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _failure(stack):
    """The last failure of the TaskManager, as `streamgauge status` tells it."""
    return _row(stack, "taskmanager")["last_failure"]


def _row(stack, name):
    found = CliRunner().invoke(main, ["--config", str(stack.home.config), "status", "--json"])
    return next(row for row in json.loads(found.output)["rows"] if row["name"] == name)


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


FAULTS = (
    _kill_python_workers,
    _crash_python_workers,
    _kill_taskmanager,
    _kill_jobmanager,
    _restart_kafka,
    _other_parallelism,
    _back_to_parallelism,
)
SOME = (_crash_python_workers, _kill_jobmanager, _other_parallelism, _back_to_parallelism)
"""A restart of each kind: of tasks, from a checkpoint in a new cluster, and from a savepoint."""


@pytest.mark.timeout(1500)
@pytest.mark.parametrize("faults", [SOME, pytest.param(FAULTS, marks=pytest.mark.long)], ids=["some", "all"])
def test_the_same_alerts_come_as_without_faults(stack, config, stream, rules, name, faults):
    """Each fault comes amid samples, once the job has gone on after the one before."""
    stack.wait_ready({"alerts", "store"})
    stream.idle()
    first = rules.apply(name, THRESHOLD.format(name=name))
    begins, heats = {}, heat(name)
    with ThreadPoolExecutor(1) as beside:
        for fault in faults:
            begins[fault.__name__] = stream.now
            stream.run(heats, 25, 0.1)
            injected = beside.submit(fault, stack)
            stream.run(heats, 75, 0.1)
            injected.result()
            stack.wait_ready({"alerts", "store"})
            checkpoints = _checkpoints(stack)
            wait_for(lambda checkpoints=checkpoints: _checkpoints(stack) > checkpoints, 120)
    stream.idle()
    wanted = expected(stream, rules, f"{name}/{name}", first, stream.now - STEP_MS)
    assert len(wanted) > 50 * len(faults)
    await_changes(config, f"{name}/{name}", set(wanted), 240, lambda: str(begins))


def _checkpoints(stack):
    return stack.state()["jobs"]["alerts"]["checkpoints"]


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
