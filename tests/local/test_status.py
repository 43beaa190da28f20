"""`streamgauge status` of failures: which came first, since when, and what is over."""

import json
from datetime import datetime
from types import SimpleNamespace

import pytest

from streamgauge.clients.flink_rest import Checkpoint, FlinkRest, JobView
from streamgauge.config import Config
from streamgauge.local.servers.service import Service
from streamgauge.local.status import Row, Status, look, show
from streamgauge.local.supervision.home import Home
from streamgauge.local.supervision.jobs import Submission
from streamgauge.local.supervision.keeper import Keeper, KeptJob
from streamgauge.local.supervision.process import Process
from tests.support.http_server import json_response, serving

AT = 1_800_000_000
DIM, BOLD_RED = "\x1b[2m", "\x1b[1;31m"


def row(name, failed_at=0.0, recovered=False, state="RUNNING"):
    failure = f"{name} failed [a]\\" if failed_at else ""
    return Row(name, "job", state, AT, 1, failure, failed_at=failed_at, recovered=recovered)


def when(time):
    return datetime.fromtimestamp(time).strftime("%m-%d %H:%M:%S")


@pytest.fixture
def shown(monkeypatch, capsys):
    """What a status is on a terminal, line by line."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "200")

    def call(*rows):
        show(Status(True, rows), as_json=False)
        lines = capsys.readouterr().out.splitlines()
        return {line.split()[0]: line for line in lines if "failed" in line or "RUNNING" in line}

    return call


def test_what_has_recovered_is_grey_and_what_failed_first_is_marked(shown):
    rows = [row("a"), row("b", AT, recovered=True), row("c", AT + 9, state="RESTARTING"), row("d", AT + 5)]
    lines = shown(*rows)
    assert "first: " not in lines["a"] + lines["b"] + lines["c"]
    assert f"{DIM}{when(AT)} b failed [a]\\" in lines["b"]
    assert f"{when(AT + 9)} c failed [a]\\" in lines["c"]
    assert f"{BOLD_RED}first: \x1b[0m{when(AT + 5)} d failed [a]\\" in lines["d"]
    assert DIM not in lines["c"] + lines["d"]


def test_a_failure_of_what_was_stopped_is_grey_too(shown):
    assert DIM + when(AT) in shown(row("a", AT, state="stopped"))["a"]


@pytest.mark.parametrize(
    ("rows", "first"),
    [
        ([], ""),
        ([row("a")], ""),
        ([row("a", AT, recovered=True)], ""),
        ([row("a", AT, state="stopped"), row("b", AT + 1)], "b"),
        ([row("a", AT + 2), row("b", AT + 1), row("c", AT, recovered=True)], "b"),
    ],
)
def test_first_is_what_fails_now_and_has_failed_longest(rows, first, capsys):
    status = Status(True, tuple(rows))
    assert status.failed_first == first
    show(status, as_json=True)
    assert json.loads(capsys.readouterr().out)["failed_first"] == first


def test_what_a_supervisor_of_a_former_build_publishes_is_shown(tmp_path):
    process = {"state": "ready", "since": AT, "restarts": 1, "last_failure": "killed", "pid": None}
    stack = SimpleNamespace(
        running=lambda: True, state=lambda: {"processes": {"kafka": process}}, home=Home(tmp_path)
    )
    assert look(stack).rows[0].failed_at == 0
    process |= {"failed_at": AT, "recovered": True}
    assert (look(stack).rows[0].failed_at, look(stack).rows[0].recovered) == (AT, True)


@pytest.fixture
def observed(tmp_path):
    """A job of which Flink says one view after the other."""
    home = Home(tmp_path)
    home.make()
    keeper = Keeper(Config(), home, {}, lambda: True)
    job, submission = keeper.jobs["store"], Submission("a" * 32, "")
    keeper._submissions.remember("store", submission)

    def see(state, failed=0, checkpoint=0, cause="cause"):
        last = Checkpoint(checkpoint * 1000, 1, 1) if checkpoint else None
        found = cause if failed else ""
        view = JobView(
            state, 0, int(bool(checkpoint)), 0, found, last_checkpoint=last, failed_ms=failed * 1000
        )
        keeper._observe(job, submission, view)
        return job.failed_at, job.recovered, job.last_failure

    see.job = job
    return see


def test_an_outage_begins_with_its_first_failure_and_ends_with_a_checkpoint(observed):
    assert observed("RUNNING", checkpoint=5) == (0, True, "")
    assert observed("RESTARTING", 10, checkpoint=5, cause="first") == (10, False, "first")
    assert observed("RUNNING", 10, checkpoint=5, cause="first") == (10, False, "first")
    # it fails again and again
    assert observed("RESTARTING", 14, checkpoint=5, cause="second") == (10, False, "second")
    assert observed("RUNNING", 14, checkpoint=5, cause="second") == (10, False, "second")
    assert observed("RUNNING", 14, checkpoint=16, cause="second") == (10, True, "second")
    assert observed("RUNNING", 14, checkpoint=26, cause="second") == (10, True, "second")
    assert observed("RESTARTING", 30, checkpoint=26, cause="third") == (30, False, "third")


def test_a_failure_that_is_over_when_the_supervisor_starts_is_over(observed):
    assert observed("RUNNING", 10, checkpoint=15) == (10, True, "cause")


def test_a_submission_that_fails_keeps_the_beginning_of_the_outage(observed):
    observed("FAILED", 10, checkpoint=5)
    observed.job.fail("`flink run` took longer", 20.0)
    # of the submission before
    assert observed("FAILED", 10, checkpoint=5) == (10, False, "`flink run` took longer")
    assert observed("RUNNING", checkpoint=30) == (10, True, "`flink run` took longer")


def test_a_failure_that_is_forgotten_leaves_nothing():
    job = KeptJob("store")
    job.fail("refused", 10.0)
    job.forget_failure()
    assert job == KeptJob("store")


def test_a_process_has_recovered_once_it_serves_and_an_outage_begins_with_its_first_failure(tmp_path):
    home = Home(tmp_path)
    home.make()
    is_ready = [False]
    service = Service(
        "child", lambda: ["false"] if not is_ready[0] else ["sleep", "600"], lambda: is_ready[0]
    )
    child = Process(service, home, {"PATH": "/usr/bin:/bin"}, 0.0)
    assert child.recovered

    def until(condition, now):
        while not condition():
            child.step(now, wanted=True, may_start=True)

    until(lambda: child.restarts == 1, 100.0)
    until(lambda: child.restarts == 2, 200.0)
    assert (child.failed_at, child.recovered) == (100.0, False)
    is_ready[0] = True
    until(lambda: child.state == "ready", 300.0)
    found = child.failed_at, child.recovered
    while child.state != "stopped":
        child.step(400.0, wanted=False, may_start=True)
    assert found == (100.0, True)


FLINK = {
    "/jobs/a": {"state": "RUNNING", "timestamps": {"RUNNING": 5000}},
    "/jobs/a/checkpoints": {"counts": {"completed": 1, "failed": 0}, "latest": {}},
    "/jobs/a/metrics?get=numRestarts": [{"id": "numRestarts", "value": "1"}],
    "/jobs/a/exceptions?maxExceptions=1": {
        "exceptionHistory": {
            "entries": [{"timestamp": 4000, "stacktrace": "a.B: c\nCaused by: java.io.IOException: disk"}]
        }
    },
}
"""What Flink 2.2 answers of a job that failed once."""


def test_flink_tells_when_a_job_failed(monkeypatch):
    with serving(lambda request: json_response(FLINK[request.full_path.removesuffix("?")])) as url:
        view = FlinkRest(url).view("a")
        assert (view.cause, view.failed_ms) == ("IOException: disk", 4000)
        monkeypatch.setitem(FLINK, "/jobs/a/exceptions?maxExceptions=1", {"exceptionHistory": {}})
        view = FlinkRest(url).view("a")
        assert (view.cause, view.failed_ms) == ("", 0)
