"""The parts of the local stack that need no servers: processes, snapshots of jobs, causes of failures."""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from streamgauge.local.flink_rest import root_cause
from streamgauge.local.home import Home
from streamgauge.local.jobs import Submission, Submissions
from streamgauge.local.process import Backoff, Process, ProcessState, last_lines, recorded_session
from streamgauge.local.service import Service, address

CHILD_THAT_LEAVES_A_WORKER = """
import pathlib, subprocess, sys, time
worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
pathlib.Path("worker").write_text(str(worker.pid))
time.sleep(600)
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path)
    made.make()
    return made


def process(home: Home, code: str, ready: Callable[[], bool] = lambda: True, once: bool = False) -> Process:
    service = Service("child", lambda: [sys.executable, "-c", code], ready, once=once, grace_s=5)
    return Process(service, home, os.environ, time.monotonic())


def step_until(child: Process, state: ProcessState, *, wanted: bool = True) -> None:
    deadline = time.monotonic() + 20
    while child.state is not state:
        assert time.monotonic() < deadline, f"{child.state}, not {state}: {child.last_failure}"
        child.step(time.monotonic(), wanted=wanted, may_start=True)
        os.sched_yield()


def dies(pid: int) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(pid).wait(20)
    return not psutil.pid_exists(pid)


def test_a_process_waits_until_it_may_start(home: Home) -> None:
    child = process(home, "")
    child.step(0.0, wanted=True, may_start=False)
    assert child.state is ProcessState.WAITING
    assert child.pid is None


def test_a_killed_process_is_started_again_and_its_workers_die_with_it(home: Home) -> None:
    child = process(home, CHILD_THAT_LEAVES_A_WORKER, ready=lambda: (home.path / "worker").exists())
    step_until(child, ProcessState.READY)
    first, worker = child.pid, int((home.path / "worker").read_text() or "0")
    assert first
    os.kill(first, signal.SIGKILL)
    step_until(child, ProcessState.FAILED)
    assert child.last_failure == "killed by SIGKILL"
    assert dies(worker)
    step_until(child, ProcessState.READY)
    assert child.pid != first
    assert child.restarts == 1
    step_until(child, ProcessState.STOPPED, wanted=False)
    assert recorded_session(home.pid("child")) is None


def test_the_last_line_of_the_log_tells_why_a_process_ended(home: Home) -> None:
    child = process(home, "import sys; sys.exit('no such port')", ready=lambda: False)
    step_until(child, ProcessState.FAILED)
    assert child.last_failure == "exit code 1: no such port"


def test_a_process_that_runs_once_is_done_and_stays_so(home: Home) -> None:
    child = process(home, "", ready=lambda: False, once=True)
    step_until(child, ProcessState.DONE)
    child.step(time.monotonic(), wanted=True, may_start=True)
    assert child.state is ProcessState.DONE


def test_a_pid_file_of_a_process_that_is_gone_names_nothing(home: Home) -> None:
    own = psutil.Process()
    home.pid("child").write_text(f"{own.pid} {own.create_time() - 1000}")
    assert recorded_session(home.pid("child")) is None


def test_pauses_double_up_to_half_a_minute_until_reset() -> None:
    backoff = Backoff()
    assert [backoff.next() for _ in range(8)] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    backoff.reset()
    assert backoff.next() == 0.5


def test_the_last_lines_of_a_long_log_are_found(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("".join(f"line {number}\n\n" for number in range(100_000)))
    assert last_lines(log, 2) == ["line 99998", "line 99999"]


def checkpoint(home: Home, job: str, number: int, at: float, content: str = "metadata") -> Path:
    folder = home.checkpoints / job / f"chk-{number}"
    return written(folder, at, content)


def written(folder: Path, at: float, content: str = "metadata") -> Path:
    folder.mkdir(parents=True)
    (folder / "_metadata").write_text(content)
    os.utime(folder / "_metadata", (at, at))
    return folder


def test_a_job_goes_on_from_the_newest_complete_snapshot_of_any_of_its_ids(home: Home) -> None:
    submissions = Submissions(home)
    for at, job in enumerate(("a" * 32, "b" * 32)):
        submissions.remember("store", Submission(job, ""))
        checkpoint(home, job, 1, at=100.0 + at)
    checkpoint(home, "c" * 32, 9, at=900.0)
    checkpoint(home, "b" * 32, 2, at=800.0, content="")
    savepoint = written(home.savepoints / f"savepoint-{'a' * 6}-0123", at=500.0)
    assert Submissions(home).snapshot("store") == str(savepoint)
    assert Submissions(home).snapshot("rollup") == ""


def test_submissions_that_left_no_snapshot_are_dropped_by_the_next_one(home: Home) -> None:
    submissions = Submissions(home)
    for job in ("a" * 32, "b" * 32, "c" * 32):
        submissions.remember("store", Submission(job, ""))
    kept = Submissions(home).newest("store")
    assert kept
    assert kept.id == "c" * 32


def test_older_snapshots_go_once_the_newest_submission_has_its_own(home: Home) -> None:
    submissions = Submissions(home)
    old, new = "a" * 32, "b" * 32
    submissions.remember("store", Submission(old, ""))
    checkpoint(home, old, 1, at=1.0)
    submissions.remember("store", Submission(new, ""))
    newest = checkpoint(home, new, 1, at=2.0)
    submissions.forget_older("store")
    assert not (home.checkpoints / old).exists()
    assert submissions.snapshot("store") == str(newest)


def test_a_forgotten_job_starts_without_state(home: Home) -> None:
    submissions = Submissions(home)
    submissions.remember("store", Submission("a" * 32, ""))
    checkpoint(home, "a" * 32, 1, at=1.0)
    submissions.forget("store")
    assert Submissions(home).snapshot("store") == ""
    assert not (home.checkpoints / ("a" * 32)).exists()


def test_the_innermost_java_cause_is_the_cause() -> None:
    trace = """org.apache.flink.runtime.JobException: Recovery is suppressed
\tat org.apache.flink.Some.method(Some.java:1)
Caused by: java.io.IOException: wrapped
\tat some.Other.method(Other.java:2)
Caused by: java.net.ConnectException: Connection refused
\t... 12 more
"""
    assert root_cause(trace) == "ConnectException: Connection refused"


def test_a_python_error_is_the_cause_where_there_is_one() -> None:
    trace = """java.lang.RuntimeException: Error from SDK harness: Traceback (most recent call last):
  File "operators/store_head.py", line 8, in process_element
    raise ValueError("no lane")
ValueError: no lane

\tat org.apache.beam.Some.method(Some.java:1)
Caused by: java.lang.RuntimeException: closed
"""
    assert root_cause(trace) == "ValueError: no lane"


def test_an_address_is_read_from_a_url_and_from_host_and_port() -> None:
    assert address("http://127.0.0.1:8081") == ("127.0.0.1", 8081)
    assert address("localhost:9092") == ("localhost", 9092)
    with pytest.raises(ValueError, match="does not name a host and a port"):
        address("localhost")
