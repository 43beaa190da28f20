"""The parts of the local stack that need no servers: processes, snapshots of jobs, causes of failures."""

import contextlib
import http.client
import io
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from streamgauge.clients.flink_rest import JobView, root_cause
from streamgauge.config import Config
from streamgauge.local.servers.service import Service, address, environment
from streamgauge.local.status import Row, Status, show
from streamgauge.local.supervision.crashes import MARK, last_crash
from streamgauge.local.supervision.home import Home
from streamgauge.local.supervision.jobs import Submission, Submissions, _reason
from streamgauge.local.supervision.keeper import Keeper, KeptJob
from streamgauge.local.supervision.process import Backoff, Process, ProcessState, last_lines, recorded_session

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
    return Process(service, home, environment(home), time.monotonic())


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


CRASHING = """
import os, time

def waiting_for_its_end():
    # in one line, none of it in Python: the stack is the same whenever the signal comes
    os.mkdir("started") or time.sleep(600)

def waited_for():
    waiting_for_its_end()

waited_for()
"""


def test_the_stack_of_a_crash_is_in_the_log_and_in_the_status(home: Home) -> None:
    child = process(home, CRASHING, ready=lambda: (home.path / "started").exists())
    step_until(child, ProcessState.READY)
    assert child.pid
    os.kill(child.pid, signal.SIGSEGV)
    step_until(child, ProcessState.FAILED)
    assert child.last_failure == (
        "killed by SIGSEGV: Segmentation fault < waiting_for_its_end (<string>:6) < waited_for (<string>:9)"
        " < <module> (<string>:11)"
    )
    assert "Fatal Python error: Segmentation fault" in home.log("child").read_text()
    row = Row("child", "process", child.state, time.time(), child.restarts, child.last_failure)
    with contextlib.redirect_stdout(io.StringIO()) as shown:
        show(Status(True, (row,)), as_json=False)
    assert "waiting_for_its_end" in shown.getvalue()
    step_until(child, ProcessState.STOPPED, wanted=False)


@pytest.mark.parametrize("lines", [0, 5000])
def test_the_stack_of_a_crashed_worker_is_in_the_status_of_what_started_it(home: Home, lines: int) -> None:
    parent = "import subprocess, sys, time\n"
    parent += f"worker = subprocess.Popen([sys.executable, '-c', {CRASHING!r}])\n"
    parent += (
        "import pathlib; pathlib.Path('worker').write_text(str(worker.pid)); worker.wait()\n"
        f"print('\\tat org.apache.beam.sdk.Worker.run(Worker.java:1)\\n' * {lines}, flush=True); time.sleep(600)"
    )
    child = process(home, parent, ready=lambda: (home.path / "started").exists())
    step_until(child, ProcessState.READY)
    os.kill(int((home.path / "worker").read_text()), signal.SIGSEGV)
    deadline = time.monotonic() + 20
    while not child.last_failure and time.monotonic() < deadline:
        child.step(time.monotonic(), wanted=True, may_start=True)
        os.sched_yield()
    assert child.state is ProcessState.READY
    assert child.last_failure.startswith(
        "a worker crashed: Segmentation fault < waiting_for_its_end (<string>:6)"
    )
    step_until(child, ProcessState.STOPPED, wanted=False)


def test_a_process_that_is_killed_from_outside_has_no_stack_of_an_earlier_crash(home: Home) -> None:
    home.log("child").write_text(
        'Fatal Python error: Aborted\n\nCurrent thread 0x1 (most recent call first):\n  File "a"'
    )
    child = process(home, "import time; time.sleep(600)")
    step_until(child, ProcessState.READY)
    assert child.pid
    os.kill(child.pid, signal.SIGKILL)
    step_until(child, ProcessState.FAILED)
    assert child.last_failure == "killed by SIGKILL"
    step_until(child, ProcessState.STOPPED, wanted=False)


def test_of_a_crash_the_thread_is_shown_that_crashed() -> None:
    frames = [f'  File "/a/m.py", line {line} in f{line}' for line in range(9)]
    lines = ["before", f"12:00 {MARK}Aborted", "Current thread 0x1 (most recent call first):", *frames]
    lines += [
        "Thread 0x2 (most recent call first):",
        '  File "/a/other.py", line 1 in other',
        "Extension modules: x",
    ]
    shown = " < ".join(f"f{line} (m.py:{line})" for line in range(6))
    assert last_crash(lines) == f"Aborted < {shown} < ..."
    assert last_crash(lines[:1]) == ""


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


def test_refused_snapshots_are_moved_aside(home: Home) -> None:
    submissions = Submissions(home)
    submissions.remember("store", Submission("a" * 32, ""))
    checkpoint(home, "a" * 32, 1, at=1.0)
    written(home.savepoints / f"savepoint-{'a' * 6}-0123", at=2.0)
    submissions.set_aside("store")
    assert Submissions(home).snapshot("store") == ""
    refused = {str(file.relative_to(home.refused)) for file in home.refused.rglob("_metadata")}
    assert refused == {
        f"checkpoints/{'a' * 32}/chk-1/_metadata",
        f"savepoints/savepoint-{'a' * 6}-0123/_metadata",
    }


def keeper(home: Home) -> Keeper:
    return Keeper(Config(), home, {}, lambda: True)


def test_an_unexpected_error_does_not_end_the_keeper(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamgauge.local.supervision.keeper.LOOK_S", 0.01)
    seen: list[str] = []
    enough = threading.Event()

    def fail(_: Keeper, job: KeptJob) -> None:
        seen.append(job.name)
        if len(seen) > 4:
            enough.set()
        raise [ValueError("not JSON"), http.client.BadStatusLine("what")][len(seen) % 2]

    monkeypatch.setattr(Keeper, "_look_after", fail)
    kept = keeper(home)
    kept.start()
    assert enough.wait(10)
    kept.stop()
    assert {job.last_failure for job in kept.jobs.values()} <= {
        "ValueError: not JSON",
        "BadStatusLine: what",
    }


REFUSED = "IllegalStateException: Cannot map checkpoint/savepoint state for operator 1"


def resubmitted(home: Home, monkeypatch: pytest.MonkeyPatch, *, ran: bool) -> KeptJob:
    """A job that was refused its snapshot once, perhaps ran since, and is submitted again."""
    monkeypatch.setattr("streamgauge.local.supervision.keeper.submit", lambda *_: None)
    kept = keeper(home)
    job = kept.jobs["store"]
    job.last_failure = REFUSED
    submission = Submission("a" * 32, "somewhere")
    kept._submissions.remember("store", submission)
    checkpoint(home, "a" * 32, 1, at=1.0)
    if ran:
        kept._observe(job, submission, JobView("RUNNING", 0, checkpoints=1, restarts=0, cause=""))
    kept._submit(job, submission)
    return job


def test_refused_snapshots_are_used_no_more_and_refuse_nothing_later(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = resubmitted(home, monkeypatch, ran=False)
    assert job.last_failure == ""
    assert (home.refused / "checkpoints" / ("a" * 32)).exists()


def test_an_old_refusal_does_not_cost_the_snapshots_of_a_job_that_ran_since(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    resubmitted(home, monkeypatch, ran=True)
    assert Submissions(home).snapshot("store")


CLIENT_OUTPUT = """Traceback (most recent call last):
  File "jobs/rollup.py", line 8, in <module>
    committed()
    ^^^^^^^^^^^
{}
2026-11-23 10:30:27,477 ERROR PythonDriver - Run python process failed
java.lang.RuntimeException: Python process exits with code: 1
\tat org.apache.flink.client.python.PythonDriver.main(PythonDriver.java:130)
Caused by: java.lang.RuntimeException: Python process exits with code: 1
\t... 14 more
"""


@pytest.mark.parametrize(
    ("raised", "reason"),
    [
        (
            "cimpl.KafkaException: KafkaError{code=NOT_COORDINATOR}",
            "cimpl.KafkaException: KafkaError{code=NOT_COORDINATOR}",
        ),
        (
            "streamgauge.store.schema.SchemaMismatch: layout.lanes",
            "streamgauge.store.schema.SchemaMismatch: layout.lanes",
        ),
        (
            "py4j.protocol.Py4JJavaError: An error occurred while calling o1.execute.\n"
            ": java.lang.RuntimeException\nCaused by: java.net.ConnectException: refused",
            "java.net.ConnectException: refused",
        ),
    ],
)
def test_a_python_error_of_the_client_is_the_reason(raised: str, reason: str) -> None:
    assert _reason(CLIENT_OUTPUT.format(raised)) == reason


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
